"""Encoders whose scores depend on padding get none."""

import types
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.equal_lengths import EqualLengths
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.frozen_features import MeanPooled, evaluation_mode, mean_pooled
from bert_classifier.modeling.packed import packed_or_padded
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.state.fingerprint import run_fingerprint
from support.encoders import make_encoder
from support.toy_trainer import make_trainer

SEE_PADDING = ("convbert", "fnet", "nystromformer", "yoso")


@pytest.mark.parametrize("family", SEE_PADDING)
def test_a_text_is_scored_alike_alone_and_among_others(tmp_path, family, caplog):
    """Which padding does not give: it is found by a pass, not by the family's name."""
    trainer = make_trainer(make_encoder(tmp_path, family))
    forward: Any = trainer.forward
    encoded, rows = trainer.train.encoded, np.arange(8)
    forward.model.eval()
    with torch.inference_mode():
        alone = torch.cat([forward(encoded, rows[row : row + 1]) for row in rows])
        together, reverse = forward(encoded, rows), forward(encoded, rows[::-1].copy())
        padded = Forward(forward.model, forward.pad_id, forward.device, "fp32")(encoded, rows)
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(reverse.flip(0), alone)
    assert float((padded - alone).abs().max()) > 1e-3
    assert forward.tokens_of(encoded.lengths[rows]) == encoded.lengths[rows].sum()
    assert "length by length: padding would change the scores of" in caplog.text


@pytest.mark.parametrize("family", ["squeezebert", "deberta-v2", "longformer"])
def test_where_padding_changes_nothing_it_stays(tmp_path, family, caplog):
    """Fewer passes are quicker."""
    caplog.set_level("INFO")
    assert type(make_trainer(make_encoder(tmp_path, family)).forward) is Forward
    assert f"micro-batches are padded: {family} has no padding-free path" in caplog.text


@pytest.mark.parametrize("family", SEE_PADDING)
def test_texts_of_one_length_hide_nothing(tmp_path, family):
    """Data that are all cut at the same length are trained as they are served: beside shorter texts."""
    trainer = make_trainer(make_encoder(tmp_path, family))
    encoded = trainer.train.encoded
    long = np.flatnonzero(encoded.lengths == encoded.lengths.max())[:1]
    ids = np.tile(encoded.ids[encoded.offsets[long[0]] : encoded.offsets[long[0] + 1]], 4)
    alike = EncodedTexts(ids, np.arange(5) * encoded.lengths.max(), np.zeros(4, dtype=bool))
    chosen = packed_or_padded(trainer.model, trainer.forward.pad_id, torch.device("cpu"), "fp32", alike)
    assert isinstance(chosen, EqualLengths)


@pytest.mark.parametrize(
    ("family", "field"),
    [("fnet", "by length"), ("bert", None), ("squeezebert", None), ("xlm-roberta", "in a row")],
)
def test_a_run_that_padded_them_is_another_run(tmp_path, family, field):
    """What an earlier version began with other sums is not gone on with."""
    folder = make_encoder(tmp_path, family)
    trainer = make_trainer(folder)
    assert isinstance(trainer.forward, EqualLengths) == (field == "by length")
    prepared: Any = types.SimpleNamespace(
        labels=["a", "b"], pairs={}, fingerprints={"train": "a", "validation": "b"}
    )
    assert run_fingerprint(trainer, prepared, load_tokenizer(str(folder))).get("micro_batches") == field


@pytest.mark.parametrize("family", SEE_PADDING)
def test_the_floor_sees_no_padding_either(tmp_path, family):
    """The vectors of a text are the same alone and among others, for encoders whose passes are by length."""
    trainer = make_trainer(make_encoder(tmp_path, family))
    encoded, rows, pooled = trainer.train.encoded, np.arange(8), mean_pooled(trainer.forward)
    with evaluation_mode(pooled.model):
        alone = torch.cat([pooled(encoded, rows[row : row + 1]) for row in rows])
        together = pooled(encoded, rows)
        padded = MeanPooled(pooled.model, pooled.pad_id, pooled.device, "fp32")(encoded, rows)
    torch.testing.assert_close(together, alone)
    assert float((padded - alone).abs().max()) > 1e-3
