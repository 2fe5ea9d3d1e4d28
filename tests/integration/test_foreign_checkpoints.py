"""Checkpoints that are no encoders, or not whole: refused by the real job before torch is loaded or data are read."""

import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf

from support.clear_text import assert_clear_text
from support.encoders import make_encoder
from support.fakes import make_ml_root
from support.toy_tokenizers import LAYOUTS, save_tokenizer
from support.train_process import train_as_process

_SECONDS = 3.0  # of CPU
_SMALL: dict[str, Any] = {"vocab_size": 800, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}


def gpt2(folder: Path) -> None:
    """Save a decoder."""
    tf.GPT2LMHeadModel(tf.GPT2Config(n_embd=32, n_layer=1, n_head=2, **_SMALL)).save_pretrained(folder)
    save_tokenizer(folder, LAYOUTS["roberta"], 64)


def t5(folder: Path) -> None:
    """Save an encoder with a decoder."""
    config = tf.T5Config(d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2, **_SMALL)
    tf.T5ForConditionalGeneration(config).save_pretrained(folder)
    save_tokenizer(folder, LAYOUTS["xlm-roberta"], 64)


def xlnet(folder: Path) -> None:
    """Save a model that reads texts in permuted order."""
    config = tf.XLNetConfig(d_model=32, n_layer=1, n_head=2, d_inner=32, **_SMALL)
    tf.XLNetLMHeadModel(config).save_pretrained(folder)
    save_tokenizer(folder, LAYOUTS["xlm-roberta"], 64)


def vit(folder: Path) -> None:
    """Save a model of images."""
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    tf.ViTForImageClassification(tf.ViTConfig(image_size=32, patch_size=16, **shape)).save_pretrained(folder)


def code(folder: Path) -> None:
    """Save a model of a type that only its own code knows."""
    make_encoder(folder, "bert")
    config = json.loads((folder / "config.json").read_text())
    own = {"model_type": "neobert", "auto_map": {"AutoModel": "model.NeoBERT"}}
    (folder / "config.json").write_text(json.dumps({**config, **own}))
    (folder / "model.py").write_text("raise SystemExit('this code was run')\n")


def missing_shard(folder: Path) -> None:
    """Save weights in several files, and lose one."""
    make_encoder(folder, "bert", head="none")
    model = tf.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    shards[1].unlink()


def pickle(folder: Path) -> None:
    """Save weights as older checkpoints have them."""
    make_encoder(folder, "bert")
    model = tf.AutoModelForMaskedLM.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


KINDS: list[tuple[Callable[[Path], None], str]] = [
    (gpt2, "gpt2"),
    (t5, "t5"),
    (xlnet, "xlnet"),
    (vit, "vit"),
    (code, "auto_map"),
    (missing_shard, "model-00002-of-"),
    (pickle, "make convert-model"),
]


@pytest.mark.parametrize(("make", "named"), KINDS, ids=[make.__name__ for make, _ in KINDS])
def test_it_is_refused_in_one_sentence(tmp_path: Path, make: Any, named: str) -> None:
    """The data are broken too, and nobody has looked at them yet; nothing of the checkpoint has run."""
    root = make_ml_root(tmp_path / "ml", rows=12)
    folder = root / "input" / "data" / "model"
    for path in folder.iterdir():
        path.unlink()
    make(folder)
    (root / "input" / "data" / "train" / "train.csv").write_bytes(b"\x00\xff broken")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome = train_as_process(root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert outcome.code == 2, outcome.log
    assert_clear_text(outcome.failure)
    assert named in outcome.failure
    assert "train.csv" not in outcome.log
    assert "this code was run" not in outcome.log
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < _SECONDS
