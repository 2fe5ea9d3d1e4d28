"""Text pairs in toy encoders of many families: the logits of plain transformers, in every way to compute them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.modeling.equal_lengths import EqualLengths
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.graphs import GraphedForward, sizes_up_to
from bert_classifier.modeling.packed import PackedForward, packed_or_padded
from bert_classifier.modeling.packed_attention import attend_text_by_text
from bert_classifier.modeling.proof import proof_texts
from bert_classifier.modeling.token_types import has_token_types
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.encoders import TYPED, UNTYPED, make_encoder

CPU = torch.device("cpu")
LENGTH = 32
WORDS = [
    "apple",
    "river",
    "engine",
    "violin",
    "castle",
    "falcon",
    "comet",
    "senate",
    "the",
    "of",
    "and",
    "one",
    "two",
]
BOUND = 1e-5


def make_pairs() -> list[TextPair]:
    """Return pairs of many lengths: with an empty text, with both alike, and too long for a window."""
    sizes = [(3, 2), (0, 4), (1, 1), (12, 3), (2, 20), (30, 40), (5, 5), (9, 1)]
    draw = np.random.default_rng(0)
    return [TextPair(*(" ".join(draw.choice(WORDS, size)) for size in both)) for both in sizes]


def make_model(folder: Path, family: str) -> tuple[Any, Any, Any]:
    """Return a classifier, its tokenizer as training loads it, and as plain transformers does."""
    more: dict[str, Any] = {"type_vocab_size": 2} if family in TYPED else {}
    make_encoder(folder, family, head="classifier", num_labels=3, **more)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    return model, load_tokenizer(str(folder)), AutoTokenizer.from_pretrained(folder)


def encoder_of(model: Any, tokenizer: Any) -> TextEncoder:
    """Return the encoder of a job's pairs."""
    types = has_token_types(model, tokenizer)
    backend = tokenizer.backend_tokenizer
    return TextEncoder(backend, 0, LENGTH, pair_truncation="longest_first", has_token_types=types)


def plain_logits(model: Any, tokenizer: Any, pairs: list[TextPair]) -> torch.Tensor:
    """Return the logits of each pair alone, (n, classes), by plain transformers."""
    rows = []
    for pair in pairs:
        inputs = tokenizer(
            [pair.first], [pair.second], truncation=True, max_length=LENGTH, return_tensors="pt"
        )
        with torch.inference_mode():
            rows.append(model(**inputs).logits[0])
    return torch.stack(rows)


@pytest.mark.parametrize("family", [*TYPED, *UNTYPED])
def test_logits_are_those_of_plain_transformers(tmp_path, family):
    """Alone, with padding, without it and length by length; another second text gives others, so it is read."""
    model, tokenizer, plain = make_model(tmp_path, family)
    encoder, pairs = encoder_of(model, tokenizer), make_pairs()
    encoded = encoder.encode_batch(pairs)
    assert (encoded.seconds is not None) == (family in TYPED)
    expected = plain_logits(model, plain, pairs)
    assert float(expected.std(dim=0).max()) > 100 * BOUND
    padded = Forward(model, tokenizer.pad_token_id, CPU, "fp32")
    ways = [packed_or_padded(model, tokenizer.pad_token_id, CPU, "fp32", encoded), *_by_length(padded)]
    with torch.inference_mode():
        alone = torch.cat([padded(encoded, np.array([row])) for row in range(len(pairs))])
        torch.testing.assert_close(alone, expected, rtol=0, atol=BOUND)
        for way in ways:
            torch.testing.assert_close(way(encoded, np.arange(len(pairs))), expected, rtol=0, atol=BOUND)


def _by_length(padded: Forward) -> list[Forward]:
    return [EqualLengths(padded.model, padded.pad_id, padded.device, padded.precision)]


@pytest.mark.parametrize("family", TYPED)
def test_types_are_read(tmp_path, family):
    """Without them the logits are others, so that a pass that drops them is noticed."""
    model, tokenizer, _ = make_model(tmp_path, family)
    encoded = encoder_of(model, tokenizer).encode_batch(make_pairs())
    without = EncodedTexts(encoded.ids, encoded.offsets, encoded.truncated)
    forward, rows = Forward(model, tokenizer.pad_token_id, CPU, "fp32"), np.arange(len(encoded))
    with torch.inference_mode():
        difference = (forward(encoded, rows) - forward(without, rows)).abs().max()
    assert float(difference) > 100 * BOUND


def test_a_packed_pass_that_drops_types_is_not_taken(tmp_path, monkeypatch, caplog):
    """The proof at the start of a job is made of its own pairs, and of such with the second text in their middle."""
    model, tokenizer, _ = make_model(tmp_path, "bert")
    encoded = encoder_of(model, tokenizer).encode_batch(make_pairs())
    proof = proof_texts(encoded, 100)
    assert proof.seconds is not None
    assert (proof.seconds[-1], len(proof.seconds)) == (50, len(make_pairs()) + 2)
    assert isinstance(packed_or_padded(model, 0, CPU, "fp32", encoded), PackedForward)
    monkeypatch.setattr("bert_classifier.modeling.packed.types_in_row", lambda *_: None)
    assert type(packed_or_padded(model, 0, CPU, "fp32", encoded)) is Forward
    assert "the padding-free path is off by" in caplog.text


def test_graphs_have_token_types(tmp_path):
    """As on a GPU: a graph of a fixed size computes the logits of the pass without graphs."""
    model, tokenizer, _ = make_model(tmp_path, "bert")
    encoded = encoder_of(model, tokenizer).encode_batch(make_pairs())
    packed = PackedForward(model, tokenizer.pad_token_id, CPU, "fp32", attend_text_by_text)
    graphed = GraphedForward(packed.for_threads(), LENGTH)

    def capture(compute: Any) -> Any:
        logits = compute().clone()
        return lambda: logits.copy_(compute()), logits

    with torch.inference_mode():
        graphed.capture(sizes_up_to(512), encoded, capture)
        assert graphed._graphs, "no graph was captured"
        rows = np.arange(len(encoded))
        torch.testing.assert_close(graphed(encoded, rows), packed(encoded, rows), rtol=0, atol=BOUND)
