"""Encoders whose scores depend on padding are asked without it, also for the words that mistakes hang on."""

import numpy as np

from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.evaluation.evaluate import logits_for
from bert_classifier.modeling.pretrained import load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.encoders import make_encoder


def test_texts_that_are_about_as_long_are_scored_as_alone(tmp_path):
    """As they are without a word of theirs, beside those of other mistakes."""
    source = str(make_encoder(tmp_path / "encoder", "convbert"))
    tokenizer, labels = load_tokenizer(source), ("Alpha", "Beta")
    model = load_pretrained(source, labels, tokenizer, 64)
    info = {"max_seq_length": 64, "truncation": "head", "temperature": 1.0}
    save_artifact(tmp_path / "model", model, tokenizer, labels, info)
    artifact = load_artifact(tmp_path / "model")
    texts = ["apple river stone", "apple river", "apple river stone and a long way to the sea", "river"] * 3
    together = logits_for(artifact, texts, are_alike=True)
    alone = np.concatenate([logits_for(artifact, [text], are_alike=True) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
