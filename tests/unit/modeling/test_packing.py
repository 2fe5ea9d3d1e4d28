"""The padding-free forward pass: the same logits and gradients as with padding, for every encoder that has it.

With the attention of CPUs; everything around it is what runs on a GPU too.
"""

import copy
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from bert_classifier.modeling import packed as packing
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import PackedForward, packed_or_padded
from bert_classifier.modeling.packed_attention import attend_text_by_text
from bert_classifier.modeling.proof import proof_texts, relative_difference
from bert_classifier.modeling.token_row import pack
from support.fakes import ARCHITECTURES
from support.toy_trainer import make_trainer

CPU = torch.device("cpu")


def both_ways(folder: Path, architecture: str) -> tuple[PackedForward, Forward, Any]:
    """Return the two ways of computing logits of one model in float64, and the texts of its trainer."""
    trainer = make_trainer(folder, architecture=architecture, dropout=0.0)
    model: Any = copy.deepcopy(trainer.model).double()
    packed = PackedForward(model, trainer.forward.pad_id, CPU, "fp32", attend_text_by_text)
    return packed, Forward(model, trainer.forward.pad_id, CPU, "fp32"), trainer.train


def gradient_of(forward: Forward, encoded: Any, rows: np.ndarray) -> torch.Tensor:
    """Return the gradient of a function of the logits by all weights."""
    forward.model.zero_grad()
    (forward(encoded, rows) ** 2).sum().backward()
    return torch.cat([p.grad.flatten().to_dense() for p in forward.model.parameters() if p.grad is not None])


@pytest.mark.parametrize("rows", [[5], [3, 1, 7, 0, 12]], ids=["one text", "texts of several lengths"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_padding_logits_and_gradients_are_the_same(tmp_path, architecture, rows):
    """Texts side by side in one row do not see each other, and count their positions from their own start."""
    packed, padded, train = both_ways(tmp_path, architecture)
    chosen = np.array(rows)
    torch.testing.assert_close(
        packed(train.encoded, chosen), padded(train.encoded, chosen), rtol=1e-6, atol=1e-7
    )
    ours, theirs = (gradient_of(way, train.encoded, chosen) for way in (packed, padded))
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-6
    lengths = train.encoded.lengths[chosen]
    assert packed.tokens_of(lengths) == lengths.sum()
    assert padded.tokens_of(lengths) == len(lengths) * lengths.max()


def test_the_padded_way_is_untouched_by_the_other(tmp_path):
    """Both ways share one model; after a packed pass, also a failed one, the model is as before."""
    packed, padded, train = both_ways(tmp_path, "bert")
    rows = np.arange(4)
    before = padded(train.encoded, rows)
    packed(train.encoded, rows)

    def broken(*_: Any, **__: Any) -> torch.Tensor:
        raise RuntimeError("no kernel")

    with pytest.raises(RuntimeError, match="no kernel"):
        PackedForward(padded.model, padded.pad_id, CPU, "fp32", broken)(train.encoded, rows)  # type: ignore[arg-type]
    assert torch.equal(padded(train.encoded, rows), before)


def test_pack_puts_texts_side_by_side(tmp_path):
    """Tokens in the order of the rows, positions from 0 in every text, begins as the kernel wants them."""
    encoded = make_trainer(tmp_path).train.encoded
    rows = np.array([4, 2, 9])
    ids, positions, ends = pack(encoded, rows)
    texts = [encoded.ids[encoded.offsets[row] : encoded.offsets[row + 1]] for row in rows]
    assert ids.tolist() == [np.concatenate(texts).tolist()]
    assert positions.tolist() == [[position for text in texts for position in range(len(text))]]
    assert ends.tolist() == [0, *np.cumsum([len(text) for text in texts]).tolist()]
    assert (ids.dtype, positions.dtype, ends.dtype) == (np.int64, np.int64, np.int32)


def test_a_model_with_texts_that_see_each_other_is_found_out(tmp_path):
    """The comparison at the start notices a kernel that does not keep texts apart."""
    packed, padded, train = both_ways(tmp_path, "bert")
    assert relative_difference(packed, padded, proof_texts(train.encoded)) < 1e-6

    def mixes_texts(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, scale: float, **__: Any
    ) -> Any:
        q, k, v = (vectors.transpose(0, 1) for vectors in (query, key, value))
        return functional.scaled_dot_product_attention(q, k, v, scale=scale).transpose(0, 1)

    wrong = PackedForward(padded.model, padded.pad_id, CPU, "fp32", mixes_texts)  # type: ignore[arg-type]
    assert relative_difference(wrong, padded, proof_texts(train.encoded)) > max(packing.TOLERANCE.values())


class NoKernel(PackedForward):
    """A padding-free way on a machine whose GPU lacks the kernel."""

    def __call__(self, *_: Any) -> torch.Tensor:
        """Fail as the library does."""
        raise RuntimeError("FlashAttention only supports Ampere GPUs or newer.")


class OffByMuch(PackedForward):
    """A padding-free way that computes something else."""

    def __call__(self, encoded: Any, rows: np.ndarray) -> torch.Tensor:
        """Return other logits."""
        return torch.ones(len(rows), 3)


@pytest.mark.parametrize(
    ("way", "words"), [(NoKernel, "cannot be compared .FlashAttention"), (OffByMuch, "is off by")]
)
def test_where_the_padding_free_way_does_not_work_training_pads(tmp_path, monkeypatch, caplog, way, words):
    """A GPU without the kernel, or one that computes something else, costs speed, not the run."""
    trainer = make_trainer(tmp_path)
    monkeypatch.setattr(packing, "PackedForward", way)
    monkeypatch.setattr(
        packing, "Forward", lambda model, pad_id, _device, _precision: Forward(model, pad_id, CPU, "fp32")
    )
    caplog.set_level(logging.INFO, logger="bert_classifier")
    pad_id = trainer.forward.pad_id
    chosen = packed_or_padded(trainer.model, pad_id, torch.device("cuda"), "bf16", trainer.train.encoded)
    assert type(chosen) is Forward
    assert caplog.records[-1].levelname == "WARNING"
    assert words.split("(")[0].split(" .")[0] in caplog.text


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_cpu_does_not_pad(tmp_path, architecture):
    """In float32 and bf16, for every encoder that has the way; what it computes is the same."""
    trainer = make_trainer(tmp_path, architecture=architecture, dropout=0.0)
    for precision in ("fp32", "bf16"):
        chosen = packed_or_padded(
            trainer.model, trainer.forward.pad_id, CPU, precision, trainer.train.encoded
        )
        assert isinstance(chosen, PackedForward)


def test_what_the_kernels_are_not_made_for_is_padded(tmp_path, caplog):
    """The GPU's takes bf16 only, an encoder may count positions otherwise, and any module may be trained."""
    trainer = make_trainer(tmp_path)
    pad_id, sample = trainer.forward.pad_id, trainer.train.encoded
    for device, precision in (("cuda", "fp32"), ("cuda", "fp16")):
        assert (
            type(packed_or_padded(trainer.model, pad_id, torch.device(device), precision, sample)) is Forward
        )
    assert type(packed_or_padded(torch.nn.Linear(1, 1), pad_id, CPU, "fp32", sample)) is Forward
    caplog.set_level(logging.INFO, logger="bert_classifier")
    model: Any = trainer.model
    model.config.model_type = "deberta-v2"
    assert type(packed_or_padded(model, pad_id, CPU, "fp32", sample)) is Forward
    assert "deberta-v2 has no padding-free path" in caplog.text


def test_threads_may_compute_with_one_model(tmp_path):
    """Passes at the same time do not disturb each other, nor the padded way, and the weights are there once."""
    trainer = make_trainer(tmp_path, dropout=0.0)
    model: Any = trainer.model.eval()
    padded = Forward(model, trainer.forward.pad_id, CPU, "fp32")
    packed = PackedForward(model, trainer.forward.pad_id, CPU, "fp32", attend_text_by_text).for_threads()
    assert all(a is b for a, b in zip(packed.model.parameters(), model.parameters(), strict=True))
    micro_batches = np.arange(20).reshape(5, 4)

    def logits(rows: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return packed(trainer.train.encoded, rows)

    with torch.inference_mode():
        alone = [padded(trainer.train.encoded, rows) for rows in micro_batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            for ours, theirs in zip(pool.map(logits, micro_batches), alone, strict=True):
                torch.testing.assert_close(ours, theirs)
