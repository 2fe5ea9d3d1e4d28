"""Checkpoints with code of their own: it is not run, and transformers' class does where it computes the same."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.encoders import make_encoder

CODE = {"AutoConfig": "own.Config", "AutoModelForSequenceClassification": "own.Model"}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way, as training does."""
    quiet_transformers()


def with_code(folder: Path, family: str = "bert", **fields: Any) -> Path:
    """Make an encoder whose config.json asks for code, which would end the process, and has further fields."""
    make_encoder(folder, family)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": CODE, **fields}))
    (folder / "own.py").write_text("raise SystemExit('run')\n")
    return folder


def load(folder: Path) -> Any:
    """Load it as a job does."""
    return load_pretrained(str(folder), ("a", "b"), load_tokenizer(str(folder)), None)


@pytest.mark.parametrize("family", ["bert", "nomic_bert", "gte", "eurobert"])
def test_code_of_its_own_is_not_run_and_not_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, family: str
) -> None:
    """Where transformers has the type and uses all tensors, the log says so; the artifact will not ask for code."""
    with caplog.at_level(logging.INFO):
        model = load(with_code(tmp_path / "model", family))
    assert f"which is not run: its weights fit transformers' {type(model).__name__}" in caplog.text
    assert not hasattr(model.config, "auto_map")
    model.save_pretrained(tmp_path / "saved")
    assert "auto_map" not in json.loads((tmp_path / "saved" / "config.json").read_text())
    plain = load(make_encoder(tmp_path / "plain", family))
    ours, theirs = model.base_model.state_dict(), plain.base_model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if "pooler" not in name)


def test_tensors_that_would_be_left_over_are_named(tmp_path: Path) -> None:
    """The code computes with them."""
    folder = with_code(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["bert.encoder.layer.0.mlp.gate.weight"] = torch.ones(2, 2)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        UserError, match=r"does not use 1 of its tensors, such as bert\.encoder\.layer\.0"
    ) as caught:
        load(folder)
    assert_clear(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"n_head": 8}, "reads num_attention_heads=4 where its config.json says n_head=8"),
        ({"prenorm": True}, "does not know prenorm=true"),
        ({"rotary_emb_fraction": 0.5}, r"does not know rotary_emb_fraction=0\.5"),
        ({"rotary_emb_base": 10_000}, "turns by 1000 where its config.json says rotary_emb_base=10000"),
    ],
)
def test_fields_that_transformers_reads_otherwise_are_named(
    tmp_path: Path, fields: Any, expected: str
) -> None:
    """Names that the code has for other numbers than transformers' class takes; equal ones are in order."""
    equal = {"n_head": 4, "n_embd": 32, "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "prenorm": False}
    load(with_code(tmp_path / "equal", "nomic_bert", **equal))
    with pytest.raises(UserError, match=expected) as caught:
        load(with_code(tmp_path / "model", "nomic_bert", **{**equal, **fields}))
    assert_clear(caught.value)


def test_positions_that_transformers_does_not_compute_are_refused(tmp_path: Path) -> None:
    """By the files alone: ALiBi of Jina's BERT, relative keys of older versions."""
    with pytest.raises(
        UserError, match="position_embedding_type='alibi', which transformers does not"
    ) as caught:
        load(with_code(tmp_path / "model", position_embedding_type="alibi"))
    assert_clear(caught.value)
