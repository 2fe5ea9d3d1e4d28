"""Fields of config.json that the program chooses itself, and those that transformers refuses: named, with values."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import load_config, load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.encoders import make_encoder


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way, as training does."""
    quiet_transformers()


def checkpoint(folder: Path, family: str = "bert", **fields: Any) -> Path:
    """Make an encoder, and change fields of its config.json."""
    make_encoder(folder, family)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))
    return folder


def load(folder: Path) -> Any:
    """Load it as a job does."""
    load_config(str(folder))
    torch.manual_seed(1)
    return load_pretrained(str(folder), ("a", "b"), load_tokenizer(str(folder)), None).eval()


@pytest.mark.parametrize(
    ("family", "fields"),
    [
        ("bert", {"return_dict": False}),
        ("bert", {"use_return_dict": False}),
        ("bert", {"attn_implementation": "flash_attention_2"}),
        ("bert", {"_attn_implementation": "flash_attention_2"}),
        ("modernbert", {"reference_compile": True, "_attn_implementation": "flash_attention_2"}),
    ],
)
def test_what_the_program_chooses_itself_is_passed_over(tmp_path: Path, family: str, fields: Any) -> None:
    """The model answers as without the field, and its configuration is the same."""
    plain, changed = (
        load(checkpoint(tmp_path / "plain", family)),
        load(checkpoint(tmp_path / "x", family, **fields)),
    )
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        assert torch.equal(changed(ids).logits, plain(ids).logits)
    assert changed.config.to_diff_dict() == plain.config.to_diff_dict()


def test_local_layers_without_a_base_of_their_own_turn_as_the_global_ones(tmp_path: Path) -> None:
    """ModernBERT's field of transformers 4, which may be null there."""
    folder = checkpoint(tmp_path / "model", "modernbert")
    fields = json.loads((folder / "config.json").read_text())
    del fields["rope_parameters"]
    fields |= {"global_rope_theta": 5000.0, "local_rope_theta": None}
    (folder / "config.json").write_text(json.dumps(fields))
    rope = load(folder).config.rope_parameters
    assert rope["sliding_attention"]["rope_theta"] == rope["full_attention"]["rope_theta"] == 5000.0


@pytest.mark.parametrize(
    ("family", "fields", "expected"),
    [
        ("bert", {"hidden_act": None}, "hidden_act=null, which is not a text"),
        ("bert", {"hidden_act": "quick_swish"}, 'hidden_act="quick_swish", which transformers does not know; it knows'),
        ("bert", {"type_vocab_size": None}, "type_vocab_size=null, which is not a whole number"),
        ("bert", {"attention_probs_dropout_prob": None}, "attention_probs_dropout_prob=null, which is not .*number"),
        ("bert", {"classifier_dropout": 1.5}, r"classifier_dropout=1\.5, which is not a number from 0 to 1"),
        ("bert", {"dtype": "banana"}, 'dtype="banana", which is no type of numbers'),
        ("bert", {"pad_token_id": 9999}, "pad_token_id=9999, which is not below vocab_size="),
        ("modernbert", {"max_position_embeddings": None}, "max_position_embeddings=null, which is not a whole number"),
        ("modernbert", {"num_attention_heads": 3}, "hidden size .32. is not a multiple"),
        ("gte", {"rope_scaling": {"type": "ntk", "factor": 2.0}}, '"ntk".*knows the types .*yarn.*another encoder'),
    ],
)  # fmt: skip
def test_what_transformers_refuses_is_named(tmp_path: Path, family: str, fields: Any, expected: str) -> None:
    """Field, value and what is wrong with it; no copy will mend it."""
    folder = checkpoint(tmp_path / "model", family)
    config = json.loads((folder / "config.json").read_text())
    if "rope_scaling" in fields:
        config.pop("rope_parameters", None)
    (folder / "config.json").write_text(json.dumps({**config, **fields}))
    with pytest.raises(UserError, match=expected) as caught:
        load(folder)
    assert_clear(caught.value)
    assert "Copy" not in caught.value.remedy


def test_a_usual_configuration_is_the_librarys_own(tmp_path: Path) -> None:
    """Every bit of it, the name of its folder included."""
    folder = checkpoint(tmp_path / "model")
    assert vars(load_config(str(folder))) == vars(AutoConfig.from_pretrained(folder))
