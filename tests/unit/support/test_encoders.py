"""The toy encoders that the proofs of families stand on."""

import json

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from support.encoders import FAMILIES, make_encoder
from support.fakes import toy_rows
from support.toy_tokenizers import LAYOUTS, make_tokenizer

# Without a GPU, transformers' code of MRA attends to nothing.
_ALIKE = {"mra"}


@pytest.mark.parametrize("model_type", sorted({*FAMILIES} - _ALIKE))
def test_texts_differ_clearly(model_type, tmp_path):
    """A proof over logits that hardly differ would prove nothing."""
    folder = make_encoder(tmp_path, model_type, head="classifier", tokens=64)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    texts = [text for _, text in toy_rows(12) if len(text.split()) < 20]
    with torch.inference_mode():
        logits = [model(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits[0] for text in texts]
    assert torch.stack(logits).std(dim=0).max() > 0.01


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=[*LAYOUTS])
def test_tokenizers_frame_texts_and_pairs(layout):
    """Special tokens stand where the family has them, and the words are mostly known."""
    tokenizer = make_tokenizer(layout)
    cls, sep, unknown = (layout.roles[f"{role}_token"] for role in ("cls", "sep", "unk"))
    tokens = tokenizer.encode("The river and the castle").tokens
    assert (tokens[0], tokens[-1]) == (cls, sep)
    assert unknown not in tokens[1:-1]
    assert tokenizer.encode("a castle", "b").tokens.count(sep) == 1 + layout.between


def test_the_same_folder_every_time(tmp_path):
    """Learnt vocabularies and drawn weights are the same bits."""
    one, two = (make_encoder(tmp_path / name, "xlm-roberta") for name in ("one", "two"))
    for name in ("tokenizer.json", "config.json", "model.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_settings_and_positions_are_the_callers(tmp_path):
    """`tokens` is the longest input, whatever the family's table of positions; any field may be set."""
    folder = make_encoder(tmp_path, "roberta", tokens=40, num_hidden_layers=3)
    config = json.loads((folder / "config.json").read_text())
    assert (config["max_position_embeddings"], config["num_hidden_layers"]) == (42, 3)
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == 40
