"""The recipe of Sun et al. 2019, How to Fine-Tune BERT for Text Classification, as its options carry it out."""

import re

import pytest
import torch

from bert_classifier.encoding.text_encoder import TextEncoder
from support.fakes import make_tokenizer
from support.toy_trainer import make_trainer

RATE, DECAY = 1e-3, 0.5


def test_head_and_tail_of_512_tokens():
    """5.3.1: the first 128 and the last 382 tokens of a text, between [CLS] and [SEP]; shorter ones stay whole."""
    tokenizer = make_tokenizer()
    words = [
        f"{number:04d}"[-1] + " apple" for number in range(400)
    ]  # 800 tokens, told apart by their places
    text = " ".join(words)
    whole = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, 512, "head_tail")
    encoded = encoder.encode_batch([text, " ".join(["apple"] * 510)])
    ids = encoded.ids[: encoded.offsets[1]].tolist()
    assert len(whole) == 800
    assert ids == [tokenizer.cls_token_id, *whole[:128], *whole[-382:], tokenizer.sep_token_id]
    assert encoded.truncated.tolist() == [True, False]
    assert encoded.lengths.tolist() == [512, 512]


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra"])
def test_each_layer_moves_at_its_own_rate(tmp_path, architecture):
    """5.4.3: layer k-1 learns at ξ times the rate of layer k. AdamW's first step moves a weight by its rate."""
    trainer = make_trainer(
        tmp_path, rows=8, architecture=architecture, global_batch_size=8, num_train_epochs=1, learning_rate=RATE,
        layer_decay=DECAY, warmup_ratio=0.0, weight_decay=0.0,
    )  # fmt: skip
    before = {name: weights.detach().clone() for name, weights in trainer.model.named_parameters()}
    trainer.fit()
    moved: dict[str, float] = {}
    for name, weights in trainer.model.named_parameters():
        part = part_of(name)
        moved[part] = max(moved.get(part, 0.0), (weights.detach() - before[name]).abs().max().item())
    expected = {"head": RATE, "1": RATE, "0": RATE * DECAY, "embeddings": RATE * DECAY**2}
    assert moved == pytest.approx(expected, rel=1e-3)


def part_of(name: str) -> str:
    """Return the part of a toy encoder of two layers that a parameter belongs to."""
    layer = re.search(r"\.layer\.(\d+)\.", name)
    if layer:
        return layer[1]
    return "embeddings" if "embeddings" in name else "head"


def test_a_frozen_layer_is_not_what_decay_makes(tmp_path):
    """Without decay all parts move at the same rate: the test above would not pass by chance."""
    trainer = make_trainer(
        tmp_path,
        rows=8,
        global_batch_size=8,
        num_train_epochs=1,
        learning_rate=RATE,
        warmup_ratio=0.0,
        weight_decay=0.0,
    )
    before = {name: weights.detach().clone() for name, weights in trainer.model.named_parameters()}
    trainer.fit()
    name = "bert.embeddings.word_embeddings.weight"
    change = (trainer.model.get_parameter(name).detach() - before[name]).abs().max()
    assert torch.isclose(change, torch.tensor(RATE), rtol=1e-3)
