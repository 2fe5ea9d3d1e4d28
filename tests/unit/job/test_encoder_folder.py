"""What people give as a model folder: found where it lies, or refused by its files alone in one sentence."""

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_files import encoder_files
from bert_classifier.job.encoder_folder import check_encoder, check_folder, encoder_source
from bert_classifier.job.encoder_types import ENCODER_TYPES
from support.clear_text import assert_clear
from support.fakes import make_bare_checkpoint

Change = Callable[[Path], Any]


def config(**fields: Any) -> Change:
    """Write another config.json."""
    return lambda folder: (folder / "config.json").write_text(json.dumps({"model_type": "bert", **fields}))


def only(*names: str, content: bytes = b"\x00") -> Change:
    """Leave the folder with nothing but these files."""

    def change(folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        for name in names:
            (folder / name).write_bytes(content)

    return change


def instead(*names: str) -> Change:
    """Put these files in the place of the weights."""

    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        for name in names:
            (folder / name).write_bytes(b"\x00")

    return change


def index(*shards: str) -> Change:
    """Put an index in the place of the weights."""

    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        table = {f"layer.{number}.x": name for number, name in enumerate(shards)}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))

    return change


def pointer(name: str) -> Change:
    """Leave of a file what a clone without Git LFS has."""
    return lambda folder: (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid x\n")


def integers(folder: Path) -> None:
    """Write weights of which one is int8, without a quantization_config that would say so."""
    header = json.dumps(
        {
            "embeddings.position_ids": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
            "encoder.layer.0.output.dense.weight": {"dtype": "I8", "shape": [1], "data_offsets": [8, 9]},
        }
    ).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(9))


def in_folder(folder_name: str, name: str) -> Change:
    """Put a file of a folder of its own in the place of the weights."""

    def change(folder: Path) -> None:
        instead()(folder)
        (folder / folder_name).mkdir()
        (folder / folder_name / name).write_bytes(b"\x00")

    return change


def broken_link(name: str) -> Change:
    """Leave a link to nowhere, as copies of the hub's cache have them."""
    return lambda folder: ((folder / name).unlink(), (folder / name).symlink_to("/nowhere/x"))


def modules(*kinds: str) -> Change:
    """Leave a sentence encoder's list of parts alone."""
    table = [{"path": f"{n}_x" if n else "", "type": f"x.models.{kind}"} for n, kind in enumerate(kinds)]
    return lambda folder: (only()(folder), (folder / "modules.json").write_text(json.dumps(table)))


REFUSED: dict[str, tuple[Change, str]] = {
    "GPT-2": (config(model_type="gpt2"), "is of type gpt2, which is not a text encoder known here"),
    "T5": (config(model_type="t5"), "is of type t5, which is not a text encoder"),
    "BART": (config(model_type="bart"), "is of type bart, which is not a text encoder"),
    "XLNet": (config(model_type="xlnet"), "is of type xlnet, which is not a text encoder"),
    "images": (config(model_type="vit"), "is of type vit, which is not a text encoder"),
    "code": (config(model_type="neobert", auto_map={"AutoModel": "m.M"}), "to run code .* its type neobert"),
    "an odd type": (config(model_type="a\nb" * 99), "is of type 'a"),
    "a decoder": (config(is_decoder=True), "is_decoder=true, so its model is not a text encoder"),
    "quantised": (config(quantization_config={"bits": 4}), "are quantised"),
    "integers": (
        integers,
        r"quantised: model\.safetensors has encoder\.layer\.0\.output\.dense\.weight as integers \(I8\)",
    ),
    "an adapter": (
        only("adapter_config.json", "adapter_model.safetensors"),
        "holds an adapter .*Merge.*AutoTokenizer",
    ),
    "an adapter beside a config": (instead("adapter_config.json"), "holds an adapter .*Merge"),
    "pickle": (instead("pytorch_model.bin"), "but pytorch_model.bin.*make convert-model MODEL=folder"),
    "pickle in files": (instead("pytorch_model.bin.index.json"), "make convert-model MODEL=folder"),
    "GGUF": (only("model-q8.gguf"), r"weights for llama\.cpp, model-q8\.gguf"),
    "ONNX": (instead("model.onnx"), r"weights for ONNX Runtime, model\.onnx"),
    "TensorFlow": (instead("tf_model.h5"), r"weights for TensorFlow, tf_model\.h5"),
    "ONNX in a folder": (in_folder("onnx", "model.onnx"), "weights for ONNX Runtime, onnx"),
    "OpenVINO": (in_folder("openvino", "openvino_model.xml"), "weights for OpenVINO, openvino"),
    "TensorFlow 1": (instead("bert_model.ckpt.index"), r"weights for TensorFlow 1, bert_model\.ckpt\.index"),
    "Lightning": (
        instead("model.ckpt"),
        r"but model\.ckpt, .*Rename .*pytorch_model\.bin.*make convert-model",
    ),
    "parts without an index": (
        instead("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
        r"parts of weights, .* but no model\.safetensors\.index\.json",
    ),
    "weights of another name": (
        instead("bert-finetuned.safetensors"),
        r"but bert-finetuned\.safetensors\..*Rename .* model\.safetensors",
    ),
    "a variant": (instead("model.fp16.safetensors"), r"but model\.fp16\.safetensors\..*Rename"),
    "what a Trainer leaves": (instead("optimizer.pt", "training_args.bin"), "it holds .*optimizer.pt"),
    "a broken link": (
        broken_link("model.safetensors"),
        "model.safetensors is a link to /nowhere/x, .*cp -rL",
    ),
    "a broken link of config": (broken_link("config.json"), "config.json is a link to /nowhere/x"),
    "a static sentence encoder": (
        modules("StaticEmbedding", "Pooling"),
        "without a transformer: its parts are 'StaticEmbedding', 'Pooling'",
    ),
    "a sentence encoder without its transformer": (
        modules("Transformer", "Pooling"),
        r"has no config\.json, though modules\.json says",
    ),
    "an archive": (only("model.tar.gz"), r"archive, model\.tar\.gz.* tar -xf model\.tar\.gz -C model"),
    "nothing": (only(), r"has no config\.json: it holds nothing"),
    "other files": (only("data.csv"), r"has no config\.json: it holds data\.csv"),
    "no shard": (index("model-00001-of-00002.safetensors"), "model-00001-of-00002.*: No such file"),
    "shard elsewhere": (index("../../x.safetensors"), "names a file of another folder"),
    "LFS weights": (pointer("model.safetensors"), "model.safetensors is a pointer of Git LFS.*git lfs pull"),
    "LFS SentencePiece model": (
        lambda folder: ((folder / "tokenizer.json").unlink(), pointer("spm.model")(folder)),
        "spm.model is a pointer of Git LFS",
    ),
    "X-MOD without a language": (
        config(model_type="xmod", languages=["en_XX", "de_DE"]),
        'of its 2 language.*Add "default_language": "en_XX" to its config.json',
    ),
    "X-MOD in a language that it lacks": (
        config(model_type="xmod", languages=["de_DE"], default_language="en_XX"),
        'Add "default_language": "de_DE"',
    ),
    "LFS tokenizer": (pointer("tokenizer.json"), "tokenizer.json is a pointer of Git LFS"),
    "LFS config": (pointer("config.json"), "config.json is a pointer of Git LFS"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_encoder_is_refused(tmp_path: Path, name: str) -> None:
    """By the job and by whatever prepares one, in the same sentence and in no time."""
    change, expected = REFUSED[name]
    folder = make_bare_checkpoint(tmp_path / "model")
    change(folder)
    began = time.process_time()
    with pytest.raises(UserError, match=f"(?s){expected}") as caught:
        check_encoder(str(folder), 64)
    assert time.process_time() - began < 3
    assert_clear(caught.value)
    with pytest.raises(UserError) as again:
        encoder_files(folder)
    assert str(again.value) == str(caught.value)


def test_what_is_no_folder_is_no_model(tmp_path: Path) -> None:
    """An archive is named as what it is, with the way to unpack it."""
    (tmp_path / "model.tar.gz").write_bytes(b"\x1f\x8b")
    for name, what in (("model.tar.gz", "it is a file.*tar -xf"), ("none", "it does not exist")):
        with pytest.raises(UserError, match=what) as caught:
            encoder_files(tmp_path / name)
        assert_clear(caught.value)


def test_files_in_other_forms_stay_behind(tmp_path: Path) -> None:
    """Pickles, code and weights for other programs neither disturb nor travel."""
    folder = make_bare_checkpoint(tmp_path / "model")
    (folder / "onnx").mkdir()
    others = ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx", "onnx/config.json")
    for name in (*others, "modeling_x.py", ".gitattributes", "README.md", "adapter_config.json"):
        (folder / name).write_bytes(b"\x80")
    assert check_folder(str(folder)) == {"model_type": "bert"}
    assert set(encoder_files(folder)) == {"config.json", "model.safetensors", "tokenizer.json"}


def test_pointers_of_files_that_nobody_opens_are_passed_over(tmp_path: Path) -> None:
    """As clones have them that leave out what is not needed."""
    folder = make_bare_checkpoint(tmp_path / "model")
    for name in ("coreml.json", "README.txt", "x.model", "spm.model", "tf_model.h5", "pytorch_model.bin"):
        pointer(name)(folder)
    assert check_folder(str(folder)) == {"model_type": "bert"}


@pytest.mark.parametrize("below", ["model", "0_Transformer", "snapshots/5c38"])
def test_a_folder_deeper_is_found(tmp_path: Path, below: str) -> None:
    """As archives, sentence-transformers and copies of the hub's cache have it; its pooling is found beside it."""
    make_bare_checkpoint(tmp_path / below)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    kind = "sentence_transformers.models."
    modules = [{"path": below, "type": f"{kind}Transformer"}, {"path": "1_Pooling", "type": f"{kind}Pooling"}]
    assert encoder_source(str(tmp_path)) == str(tmp_path / below)
    files = encoder_files(tmp_path)
    assert files["config.json"] == tmp_path / below / "config.json"
    if below == "0_Transformer":
        (tmp_path / "modules.json").write_text(json.dumps(modules))
        assert encoder_source(str(tmp_path)) == str(tmp_path / below)
        assert encoder_files(tmp_path)["1_Pooling/config.json"] == tmp_path / "1_Pooling" / "config.json"


def test_of_two_folders_none_is_picked(tmp_path: Path) -> None:
    """What it holds is said instead."""
    make_bare_checkpoint(tmp_path / "one")
    make_bare_checkpoint(tmp_path / "two")
    assert encoder_source(str(tmp_path)) == str(tmp_path)
    with pytest.raises(UserError, match=r"encoders lie in its folders one, two.*such as .*/two") as caught:
        check_folder(str(tmp_path))
    assert_clear(caught.value)


def test_the_checkpoints_of_a_training_are_named(tmp_path: Path) -> None:
    """In the order of their steps, the last as an example; also two folders deep."""
    for step in (100, 20, 3):
        make_bare_checkpoint(tmp_path / "run" / f"checkpoint-{step}")
    expected = "folders checkpoint-3, checkpoint-20, checkpoint-100.*such as .*/checkpoint-100"
    with pytest.raises(UserError, match=expected) as caught:
        encoder_files(tmp_path / "run")
    assert_clear(caught.value)
    with pytest.raises(UserError, match=r"folders run/checkpoint-3, run/checkpoint-20"):
        encoder_files(tmp_path)


def test_a_name_on_the_hub_stays_as_it_is() -> None:
    """Nothing is looked up."""
    assert encoder_source("bert-base-uncased") == "bert-base-uncased"
    assert check_folder("bert-base-uncased") == {}


def test_the_types_are_those_of_the_library() -> None:
    """Bidirectional, and with heads for masked words and for classes."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    )

    both = [MODEL_FOR_MASKED_LM_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING]
    known = {name: CONFIG_MAPPING[name] for name in MODEL_FOR_MASKED_LM_MAPPING_NAMES}
    encoders = {name for name, kind in known.items() if all(kind in mapping for mapping in both)}
    texts = {name for name in encoders if not hasattr(known[name](), "vision_config")}
    assert {name for name in texts if not known[name]().is_encoder_decoder} == set(ENCODER_TYPES)
