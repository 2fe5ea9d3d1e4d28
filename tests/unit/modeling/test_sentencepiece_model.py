"""SentencePiece models become fast tokenizers with the very ids that the sentencepiece library gives."""

import json
import logging
import random
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.errors import UserError
from bert_classifier.job.encoder_files import encoder_files
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.sentencepiece_model import convert, read_model
from bert_classifier.modeling.tokenizer import load_tokenizer
from convert_model import convert as convert_folder
from support.clear_text import assert_clear

MODELS = Path(__file__).with_name("sentencepiece_models")  # made by its make.py
READ = json.loads((MODELS / "ids.json").read_text(encoding="utf-8"))
# ALBERT's converter keeps a space at the end of a text, which the original drops.
ENDS_IN_SPACE = [index for index, text in enumerate(READ["texts"]) if text.endswith(" ")]
# What the family's checkpoints call the file, and the class that reads it.
FAMILIES = {
    "xlm-roberta": ("sentencepiece.bpe.model", "XLMRobertaTokenizer"),
    "camembert": ("sentencepiece.bpe.model", "CamembertTokenizer"),
    "deberta-v2": ("spm.model", "DebertaV2Tokenizer"),
    "albert": ("spiece.model", "AlbertTokenizer"),
}
FRAMES = {
    "xlm-roberta": (0, 2),
    "camembert": (5, 6),
    "deberta-v2": (1, 2),
    "albert": (2, 3),
}  # ids around a text
LABELS = ("Alpha", "Beta")

quiet_transformers()


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    """Return each family in turn."""
    return str(request.param)


@pytest.fixture
def folder(family: str, tmp_path: Path) -> Path:
    """Return a checkpoint whose only tokenizer file is the SentencePiece model, as older ones on the hub are."""
    return make_folder(tmp_path / family, family)


def make_folder(folder: Path, family: str) -> Path:
    """Save a toy encoder with a SentencePiece model as its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModel

    pad = {"xlm-roberta": 1, "camembert": 1}.get(family, 0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = AutoConfig.for_model(
        family, **sizes, vocab_size=1024, max_position_embeddings=66, pad_token_id=pad, type_vocab_size=1,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        AutoModel.from_config(config).save_pretrained(folder)
    shutil.copy(MODELS / f"{family}.model", folder / FAMILIES[family][0])
    return folder


def test_ids_are_those_of_the_sentencepiece_library(family):
    """Scripts, emoji, URLs, digits, casing, accents, blanks and unknown characters: every text agrees."""
    tokenizer = convert(MODELS / f"{family}.model", FAMILIES[family][1], {})
    pairs = zip(READ["texts"], READ["ids"][family], strict=True)
    found = {text: (tokenizer.encode(text, add_special_tokens=False).ids, ids) for text, ids in pairs}
    differing = [index for index, (ours, theirs) in enumerate(found.values()) if ours != theirs]
    assert differing == (ENDS_IN_SPACE if family == "albert" else [])


def test_special_tokens_are_the_familys(folder, family):
    """The job's tokenizer frames a text as the family does, and pads and masks with the tokens of its class."""
    tokenizer = load_tokenizer(str(folder))
    first, last = FRAMES[family]
    index = READ["texts"].index("a")
    assert tokenizer("a")["input_ids"] == [first, *READ["ids"][family][index], last]
    assert tokenizer.pad_token in ("[PAD]", "<pad>")
    assert tokenizer.convert_ids_to_tokens(tokenizer.unk_token_id) in ("[UNK]", "<unk>")


def test_folder_trains_and_its_artifact_opens_anywhere(folder, family, tmp_path):
    """The artifact has a tokenizer.json: server and plain transformers read it without the sentencepiece library."""
    tokenizer = load_tokenizer(str(folder))
    model = load_pretrained(str(folder), LABELS, tokenizer, 64)
    save_artifact(tmp_path / "out", model, tokenizer, LABELS, {"max_seq_length": 64, "truncation": "head"})
    encoded = load_artifact(tmp_path / "out").encoder.encode_batch(READ["texts"])
    plain = AutoTokenizer.from_pretrained(tmp_path / "out")
    for index, text in enumerate(READ["texts"]):
        ids = encoded.ids[encoded.offsets[index] : encoded.offsets[index + 1]].tolist()
        assert plain(text, truncation=True)["input_ids"] == ids
        if family != "albert" or index not in ENDS_IN_SPACE:
            assert ids[1:-1] == READ["ids"][family][index][:62]


def test_conversion_is_said(folder, family, caplog):
    """The log names the file and the class."""
    with caplog.at_level(logging.INFO):
        load_tokenizer(str(folder))
    name, of_class = FAMILIES[family]
    assert f"{name} as transformers' {of_class} has it" in caplog.text


def test_mask_token_behind_the_vocabulary(tmp_path):
    """DeBERTa's [MASK] stands in added_tokens.json alone, behind the model's pieces."""
    folder = make_folder(tmp_path, "deberta-v2")
    pieces = len(read_model(folder / "spm.model").pieces)
    (folder / "added_tokens.json").write_text(json.dumps({"[MASK]": pieces}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"mask_token": "[MASK]", "vocab_type": "spm"}))
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.mask_token_id == pieces
    assert tokenizer("a [MASK]")["input_ids"][-2] == pieces


def test_settings_of_the_checkpoint_count(tmp_path):
    """do_lower_case of tokenizer_config.json is honoured."""
    folder = make_folder(tmp_path, "deberta-v2")
    cased = load_tokenizer(str(folder))("HELLO World")["input_ids"]
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    lowered = load_tokenizer(str(folder))
    assert lowered("HELLO World")["input_ids"] == lowered("hello world")["input_ids"] != cased


def test_tokenizer_json_comes_first(folder):
    """Beside a tokenizer.json, the model file is not looked at."""
    load_tokenizer(str(folder)).save_pretrained(folder)
    for path in folder.glob("*.model"):
        path.write_bytes(b"not read")
    assert load_tokenizer(str(folder))("a")["input_ids"]


@pytest.mark.parametrize("name", ["bpe", "bpe-bytes"])
def test_merged_pairs_have_the_ids_of_the_library(name):
    """A BPE model, by XLM-R's layout, also one that spells unknown characters in bytes."""
    tokenizer = convert(MODELS / f"{name}.model", "XLMRobertaTokenizer", {})
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in READ["texts"]]
    assert ids == READ["ids"][name]


def of_words() -> bytes:
    """Return a model that says that it is one of whole words."""
    data = (MODELS / "bpe.model").read_bytes()
    assert data.count(b"\x18\x02\x20") == 1  # model_type, before vocab_size
    return data.replace(b"\x18\x02\x20", b"\x18\x03\x20")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ((MODELS / "byte-fallback.model").read_bytes(), "it spells unknown characters in bytes"),
        (of_words(), "it is a model of words or characters"),
    ],
    ids=["byte-fallback", "words"],
)
def test_other_kinds_are_refused(tmp_path, content, reason):
    """A model that the converter would turn into other ids stops the job with one sentence."""
    folder = make_folder(tmp_path, "xlm-roberta")
    (folder / "sentencepiece.bpe.model").write_bytes(content)
    with pytest.raises(UserError, match=f"sentencepiece.bpe.model cannot be converted: {reason}") as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def damaged() -> Iterator[tuple[str, bytes]]:
    """Yield files that are no whole SentencePiece model."""
    whole = (MODELS / "xlm-roberta.model").read_bytes()
    yield "empty", b""
    yield "noise", bytes(range(256)) * 8
    yield "other messages", b"\x0a\x05" + b"\x15" + struct.pack("<f", 1.0)
    for size in (1, 100, len(whole) // 2, len(whole) - 1):
        yield f"cut at {size}", whole[:size]


@pytest.mark.parametrize(("name", "content"), list(damaged()))
def test_damaged_model_is_refused(tmp_path, name, content):
    """A file cut short, or noise, is refused and never read as something."""
    folder = make_folder(tmp_path, "xlm-roberta")
    (folder / "sentencepiece.bpe.model").write_bytes(content)
    with pytest.raises(UserError, match="cannot be converted: ") as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def damages() -> Iterator[bytes]:
    """Yield whole models with some bytes changed, put in or left out, most of them where the fields begin."""
    whole, chance = (MODELS / "xlm-roberta.model").read_bytes(), random.Random(0)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30))):
            at = chance.choice(
                (chance.randrange(len(data)), chance.randrange(60), -chance.randrange(1, len(data) // 8))
            )
            new = chance.randbytes(chance.randrange(9))
            data[at : at + chance.randrange(9)] = new
        yield bytes(data)


def test_no_damage_is_a_bug_of_the_program(tmp_path):
    """Whatever bytes are damaged, the file is read or refused, in no time."""
    path, refused = tmp_path / "x.model", list[str]()
    for data in damages():
        path.write_bytes(data)
        try:
            tokenizer = convert(path, "XLMRobertaTokenizer", {})
        except ValueError as error:
            refused.append(str(error))
        else:
            assert tokenizer.encode("HELLO World ２０２６ ﬁ").ids
    assert len(refused) > 100
    assert not any("\n" in reason or "codec" in reason for reason in refused)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 4_000_000,
        b"\x0a\x00\x12\x00\x1a\x80" + b"\x80" * 4_000_000,
        b"\x0a\x02\x08\x01\x12\x00\x1a\x00",  # a piece that is a number
        b"\x08\x01\x12\x00\x1a\x00",  # a number in place of the pieces
        b"\x0a\x00\x10\x01\x1a\x00",  # and of the trainer's settings
        b"\x0a\x00\x12\x02\x1a\x00\x1a\x00",  # bytes in place of the kind of model
        b"\x0a\x03\x0a\x01\xff\x12\x00\x1a\x00",  # a piece that is no text
        b"\x0a\x05\x15\x00\x00\xc0\x7f\x12\x00\x1a\x00",  # and one whose score is no number
    ],
    ids=lambda content: content[:12].hex(),
)
def test_what_no_model_holds_is_refused_at_once(tmp_path, content):
    """Endless numbers, and fields of another type than theirs."""
    path = tmp_path / "x.model"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(ValueError, match="it is no SentencePiece model, or damaged"):
        read_model(path)
    assert time.process_time() - began < 3


def test_the_unknown_token_of_camembert(tmp_path):
    """Its fast form was once saved with <unk> at 4; transformers' class has it at 3 all the same."""
    folder = make_folder(tmp_path, "camembert")
    before = load_tokenizer(str(folder))
    old = {"0": "<s>NOTUSED", "1": "<pad>", "2": "</s>NOTUSED", "4": "<unk>", "5": "<s>", "6": "</s>"}
    decoder = {index: {"content": token, "special": True} for index, token in old.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.unk_token_id == before.unk_token_id == 3
    assert [tokenizer(text)["input_ids"] for text in READ["texts"]] == [
        before(text)["input_ids"] for text in READ["texts"]
    ]
    decoder["7"] = {"content": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    with pytest.raises(UserError, match="gives '<unk>' the id 7, but it is read as 3"):
        load_tokenizer(str(folder))


def test_xlm_roberta_xl_has_the_layout_of_xlm_roberta(tmp_path):
    """transformers names no class of its own for it."""
    folder = make_folder(tmp_path, "xlm-roberta")
    before = [load_tokenizer(str(folder))(text)["input_ids"] for text in READ["texts"]]
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**fields, "model_type": "xlm-roberta-xl"}))
    assert [load_tokenizer(str(folder))(text)["input_ids"] for text in READ["texts"]] == before


def test_class_without_converter_is_refused(tmp_path):
    """A class that transformers cannot convert is named."""
    folder = make_folder(tmp_path, "xlm-roberta")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    with pytest.raises(UserError, match="has no converter for SentencePiece models of class BertTokenizer"):
        load_tokenizer(str(folder))


def test_converted_and_laid_out(folder, family, tmp_path):
    """`make convert-model` writes tokenizer.json of pickled weights and a model file, with the same ids as the job."""
    import torch
    from safetensors.torch import load_file

    assert FAMILIES[family][0] in encoder_files(folder)
    ids = [load_tokenizer(str(folder))(text)["input_ids"] for text in READ["texts"]]
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    convert_folder(folder, tmp_path / "to")
    assert (tmp_path / "to" / "tokenizer.json").is_file()
    assert [load_tokenizer(str(tmp_path / "to"))(text)["input_ids"] for text in READ["texts"]] == ids
