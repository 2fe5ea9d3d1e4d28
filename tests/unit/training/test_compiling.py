"""The compiled padding-free pass: few shapes, the same logits and gradients, and training goes on where it fails.

The GPU's kernel is stood in for by plain attention under a mask; shapes, tracing and fall-backs are what runs on a GPU.
"""

import functools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_classifier.modeling.packed import PackedForward
from bert_classifier.training import compiling
from bert_classifier.training.compiling import CompiledForward, choose_forward, is_correct
from bert_classifier.training.trainer import Trainer
from support.fakes import ARCHITECTURES, make_pretrained
from support.kernels import attend_by_mask
from support.toy_trainer import make_trainer

CPU = torch.device("cpu")
LONGEST = 64
# Traces the model as every backend does, and runs what was traced without spending minutes on machine code.
traced = functools.partial(torch.compile, dynamic=True, fullgraph=True, backend="aot_eager")


def uncompiled(function: Any) -> Any:
    """Take the place of a compiler that changes nothing."""
    return function


def ways_of(
    folder: Path, compiler: Any, architecture: str = "bert", **settings: Any
) -> tuple[Trainer, CompiledForward, PackedForward]:
    """Return a trainer, and two ways to compute the logits of its model."""
    make_pretrained(folder, architecture, layers=1)
    trainer = make_trainer(folder, **{"dropout": 0.0, **settings})
    for module in trainer.model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.sparse = False  # as on a GPU
    packed = PackedForward(trainer.model, trainer.forward.pad_id, CPU, "fp32", attend_by_mask)  # type: ignore[arg-type]
    return trainer, CompiledForward(packed, LONGEST, compiler, attend_by_mask), packed


def gradient_of(way: PackedForward, trainer: Trainer, rows: np.ndarray) -> torch.Tensor:
    """Return the gradient of a batch, computed in one of the ways."""
    trainer.accumulator._forward = way
    trainer.accumulate_gradients(rows, 0)
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_filling_changes_neither_logits_nor_gradients(tmp_path, architecture):
    """Texts of padding are not seen by the others, and what is computed of them is dropped."""
    trainer, filled, packed = ways_of(tmp_path, uncompiled, architecture)
    trainer.model.eval()
    for rows in ([5], [3, 1, 7, 0, 12], list(range(20))):
        chosen = np.array(rows)
        given = filled.inputs(trainer.train.encoded, chosen)
        assert given["input_ids"].shape[1] > trainer.train.encoded.lengths[chosen].sum()
        ours, theirs = filled.compute(given), packed(trainer.train.encoded, chosen)
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    ours, theirs = (gradient_of(way, trainer, trainer.order.batch(0)) for way in (filled, packed))
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-5


@settings(max_examples=200)
@given(lengths=st.lists(st.integers(3, LONGEST), min_size=1, max_size=400))
def test_sizes_are_few_and_hold_the_texts(lengths):
    """A size holds its tokens and texts, those of the padding too, each no longer than a text may be."""
    tokens = sum(lengths)
    size, slots = compiling._size_of(tokens, len(lengths), LONGEST)
    assert size >= tokens
    assert slots >= len(lengths) + -(-(size - tokens) // LONGEST)
    if len(lengths) * 10 <= tokens and tokens >= 256:
        assert size - tokens < tokens / 4
    assert compiling._size_of(size, len(lengths), LONGEST)[0] in (
        size,
        compiling._size_of(size + 1, 1, LONGEST)[0],
    )


def test_a_long_run_meets_few_shapes():
    """Batches of any 1,000 to 16,000 tokens come in a few dozen shapes."""
    shapes = {compiling._size_of(tokens, tokens // 60, LONGEST) for tokens in range(1000, 16_385)}
    assert len(shapes) <= 36
    assert max(size for size, _ in shapes) == 16_384  # a budget that is a power of two is not exceeded


def test_what_is_laid_out_is_what_is_counted(tmp_path):
    """The padding share of the log and the balance of ranks go by the filled size."""
    trainer, filled, _ = ways_of(tmp_path, uncompiled)
    rows = np.arange(7)
    given = filled.inputs(trainer.train.encoded, rows)
    ends = given["cu_seq_lens_q"]
    assert given["input_ids"].shape == given["position_ids"].shape == (1, ends[-1])
    assert ends[-1] == filled.tokens_of(trainer.train.encoded.lengths[rows])
    assert int(torch.diff(ends).max()) <= LONGEST
    with torch.inference_mode():
        assert "texts" not in filled.inputs(trainer.train.encoded, rows)  # evaluation needs no fixed shapes


@pytest.mark.slow
def test_the_traced_model_gives_the_same_gradients(tmp_path):
    """Traced once, for all shapes, dropout on: the accumulated gradient is that of the eager pass."""
    trainer, filled, packed = ways_of(tmp_path, traced)
    assert is_correct(filled, packed, trainer.train.encoded)
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for rows in (trainer.order.batch(0), np.arange(6), np.arange(3, 20)):
        trainer.state.token_budget = 400
        ours, theirs = (gradient_of(way, trainer, rows) for way in (filled, packed))
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-5
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before  # no shape was traced anew


def test_gradients_are_kept_out_of_borrowed_memory(tmp_path):
    """A gradient that lies in memory the next pass overwrites has been copied by then; the sums stay."""
    trainer, filled, packed = ways_of(tmp_path, uncompiled)
    expected = gradient_of(packed, trainer, np.arange(12))
    filled.keep_gradients()
    seen: list[torch.Tensor] = []
    parameter = next(p for p in trainer.model.parameters() if p.requires_grad)
    parameter.register_hook(seen.append)
    trainer.state.token_budget = 100
    ours = gradient_of(filled, trainer, np.arange(12))
    assert len(seen) > 1
    assert parameter.grad is not None
    assert parameter.grad.data_ptr() not in [gradient.data_ptr() for gradient in seen]
    assert float((ours - expected).norm() / expected.norm()) < 1e-5


def fails(_function: Any) -> Any:
    """Take the place of a compiler that cannot."""

    def compiled(**_: Any) -> torch.Tensor:
        raise RuntimeError("no compiler found\nmuch more")

    return compiled


def is_wrong(function: Any) -> Any:
    """Take the place of a compiler that makes other code of it."""
    return lambda **inputs: 2 * function(**inputs)


@pytest.mark.parametrize(
    ("compiler", "words"),
    [(fails, "torch.compile failed (no compiler found)"), (is_wrong, "its results differ by")],
)
def test_where_compiling_does_not_work_training_is_eager(tmp_path, monkeypatch, caplog, compiler, words):
    """One warning, the eager way, and no gradient left behind."""
    trainer, _, packed = ways_of(tmp_path, uncompiled)
    monkeypatch.setattr(compiling, "packed_or_padded", lambda *_: packed)
    monkeypatch.setitem(compiling._COMPILERS, "true", compiler)
    monkeypatch.setattr(
        compiling, "CompiledForward", functools.partial(CompiledForward, kernel=attend_by_mask)
    )
    caplog.set_level(logging.INFO, logger="bert_classifier")
    sample = trainer.train.encoded
    arguments = (trainer.model, 0, torch.device("cuda"), "bf16", sample)
    assert choose_forward(*arguments, longest=LONGEST, setting="true") is packed
    (record,) = (record for record in caplog.records if record.name.startswith("bert_classifier"))
    assert record.levelname == "WARNING"
    assert words in record.message
    assert "\n" not in record.message
    assert all(p.grad is None for p in trainer.model.parameters())


@pytest.mark.parametrize("setting", ["false", "true", "graphs"])
def test_on_a_cpu_nothing_is_compiled(tmp_path, caplog, setting):
    """A job that sets it gets a warning that it has no effect."""
    caplog.set_level(logging.INFO, logger="bert_classifier")
    trainer = make_trainer(tmp_path, compile=setting)
    assert not isinstance(trainer.forward, CompiledForward)
    assert (f"compile={setting} has no effect" in caplog.text) == (setting != "false")
