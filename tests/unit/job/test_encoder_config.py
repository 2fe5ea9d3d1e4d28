"""Values of config.json of which no model can be built: refused by the file alone, where a job is laid out."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_config import check_values
from bert_classifier.job.encoder_files import encoder_files
from bert_classifier.job.encoder_types import ENCODER_TYPES
from support.clear_text import assert_clear
from support.fakes import make_bare_checkpoint

REFUSED = [
    ({"max_position_embeddings": None}, "max_position_embeddings=null, which is not a whole number"),
    ({"num_attention_heads": None}, "num_attention_heads=null, which is not a whole number"),
    ({"hidden_size": "32"}, 'hidden_size="32", which is not a whole number'),
    ({"vocab_size": 30522.0}, "vocab_size=30522.0, which is not a whole number"),
    ({"num_hidden_layers": True}, "num_hidden_layers=true, which is not a whole number"),
    ({"num_hidden_layers": 0}, "num_hidden_layers=0, and a model has at least 1"),
    ({"model_type": "modernbert", "num_hidden_layers": 0}, "num_hidden_layers=0"),
    ({"layer_norm_eps": "1e-12"}, 'layer_norm_eps="1e-12", which is not a number with a decimal point'),
    ({"layer_norm_eps": 0}, r"layer_norm_eps=0, .* such as 0\.0"),
    ({"initializer_range": None}, "initializer_range=null"),
    ({"hidden_dropout_prob": None}, "hidden_dropout_prob=null, which is not a number from 0 to 1"),
    ({"hidden_dropout_prob": 1.5}, r"hidden_dropout_prob=1\.5, which is not"),
    ({"id2label": ["x", "y"]}, r'id2label=\["x", "y"\], which is not a table'),
    ({"hidden_size": 32, "num_attention_heads": 3}, "num_attention_heads=3, which does not divide hidden_size=32"),
    ({"model_type": "roberta", "pad_token_id": None}, "pad_token_id=null, but this type counts its positions"),
    ({"model_type": "flaubert", "pre_norm": True}, "pre_norm=true, with which transformers' own FlauBERT fails"),
    ({"model_type": "BERT"}, 'model_type=.BERT.*Write "model_type": "bert"'),
    ({"model_type": "xlm_roberta"}, 'Write "model_type": "xlm-roberta"'),
    ({"model_type": None, "architectures": ["BertForMaskedLM"]}, 'no model_type.*Write "model_type": "bert"'),
    ({"model_type": None, "architectures": ["DebertaV2Model"]}, 'Write "model_type": "deberta-v2"'),
    ({"model_type": None, "architectures": ["GPT2Model"]}, "names no known model_type"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), REFUSED)
def test_a_value_is_refused_by_name(tmp_path: Path, fields: dict[str, Any], expected: str) -> None:
    """With the field, its value as the file has it, and what it must be."""
    folder = make_bare_checkpoint(tmp_path / "model")
    config = {
        key: value for key, value in ({"model_type": "bert"} | fields).items() if key != "model_type" or value
    }
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=expected) as caught:
        encoder_files(folder)
    assert_clear(caught.value)
    assert "again" not in caught.value.remedy


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    """As Windows' editors leave it; transformers takes such a file for no JSON."""
    folder = make_bare_checkpoint(tmp_path / "model")
    (folder / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8-sig")
    with pytest.raises(UserError, match=r"begins with a byte order mark.*UTF-8 without") as caught:
        encoder_files(folder)
    assert_clear(caught.value)


@pytest.mark.parametrize("family", sorted(ENCODER_TYPES))
def test_nothing_is_refused_that_transformers_takes(family: str) -> None:
    """Neither a family's own values, nor odd ones in fields that it does not read."""
    check_values(CONFIG_MAPPING[family]().to_dict(), "model")
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    others = ("max_position_embeddings", "layer_norm_eps", "initializer_range", "hidden_dropout_prob")
    for name in (*names, *others):
        for value in (None, "3", True):
            if _takes(family, name, value):
                check_values({"model_type": family, name: value}, "model")


def _takes(family: str, name: str, value: Any) -> bool:
    try:
        CONFIG_MAPPING[family](**{name: value})
    except Exception:  # noqa: BLE001 - whatever its validation raises
        return False
    return True
