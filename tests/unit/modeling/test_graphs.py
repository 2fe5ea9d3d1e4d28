"""Graphs of fixed sizes: padding texts change no logits, threads do not mix, and a graph that errs is not used.

Here a graph is captured by a function that computes anew into the same memory at each replay, as a GPU's graph does.
"""

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.modeling import graphs
from bert_classifier.modeling.graphs import GraphedForward, sizes_up_to, slots_of, smallest_fit
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.packed_attention import attend_text_by_text
from support.fakes import ARCHITECTURES
from support.toy_trainer import make_trainer

LONGEST = 64
SIZES = sizes_up_to(512)

Computed = tuple[Callable[[], None], torch.Tensor]


class Recorder:
    """Captures computations, and counts their replays by the number of logits."""

    def __init__(self) -> None:
        self.replays: list[int] = []

    def __call__(self, compute: Callable[[], torch.Tensor]) -> Computed:
        """Return what computes again into the logits of the first time, and these."""
        logits = compute().clone()

        def replay() -> None:
            logits.copy_(compute())
            self.replays.append(len(logits))

        return replay, logits


def both(folder: Path, architecture: str = "bert") -> tuple[GraphedForward, PackedForward, Any]:
    """Return a pass that may have graphs, one that has none, and texts."""
    trainer = make_trainer(folder, architecture=architecture, rows=40)
    model: Any = trainer.model.eval()
    packed = PackedForward(model, trainer.forward.pad_id, torch.device("cpu"), "fp32", attend_text_by_text)
    return GraphedForward(packed.for_threads(), LONGEST), packed, trainer.train.encoded


def test_sizes_cover_all_passes_with_little_padding():
    """Up to the number wanted, and each at most a quarter larger than the one before."""
    assert sizes_up_to(512) == [256, 320, 384, 448, 512]
    sizes = sizes_up_to(16_384)
    assert (sizes[-1], len(sizes)) == (16_384, 25)
    assert all(one < other <= 1.25 * one for one, other in itertools.pairwise(sizes))
    assert sizes_up_to(1) == [256]


@given(lengths=st.lists(st.integers(1, LONGEST), min_size=1, max_size=200))
def test_the_size_is_the_smallest_with_room(lengths):
    """For the tokens, the texts, and the texts that fill up the rest; without such a size there is none."""
    tokens = sum(lengths)

    def has_room(size: int) -> bool:
        padding_texts = -(-(size - tokens) // LONGEST)
        return size >= tokens and len(lengths) + padding_texts <= slots_of(size)

    expected = next(filter(has_room, SIZES), None)
    assert smallest_fit(SIZES, tokens, len(lengths), LONGEST) == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_texts_change_no_logits(tmp_path, architecture):
    """Whatever the texts of a pass and the pass before, their logits are those without a graph, within rounding."""
    graphed, packed, texts = both(tmp_path, architecture)
    recorder = Recorder()
    with torch.inference_mode():
        graphed.capture(SIZES, texts, recorder)
        for chosen in ([0], [5, 3], range(8), [3] * 16, range(20, 30), [0]):
            windows = np.array(chosen)
            recorder.replays.clear()
            torch.testing.assert_close(graphed(texts, windows), packed(texts, windows), rtol=1e-4, atol=1e-5)
            size = graphed.tokens_of(texts.lengths[windows])
            assert size in SIZES
            assert recorder.replays == [slots_of(size)]


def test_a_pass_too_large_for_any_graph_is_computed_without(tmp_path):
    """It has more tokens, or more texts, than the largest graph."""
    graphed, packed, texts = both(tmp_path)
    recorder = Recorder()
    shortest = int(texts.lengths.argmin())
    with torch.inference_mode():
        graphed.capture(SIZES, texts, recorder)
        recorder.replays.clear()
        for windows in (np.arange(40), np.full(slots_of(512) + 1, shortest)):
            torch.testing.assert_close(graphed(texts, windows), packed(texts, windows))
            assert graphed.tokens_of(texts.lengths[windows]) == texts.lengths[windows].sum()
    assert not recorder.replays


def test_threads_take_turns_at_a_graph(tmp_path):
    """Passes at the same time, of the same graph, get their own logits."""
    graphed, packed, texts = both(tmp_path)
    passes = [np.array([first, first + 1]) for first in range(12)]

    def logits(windows: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return graphed(texts, windows)

    with torch.inference_mode():
        graphed.capture(SIZES[:1], texts, Recorder())
        alone = [packed(texts, windows) for windows in passes]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            for ours, theirs in zip(pool.map(logits, passes), alone, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


class Faulty(Recorder):
    """Captures well from some number of tokens on; below it fails, or captures something else."""

    def __init__(self, least: int, fails: bool) -> None:
        super().__init__()
        self._least = slots_of(least)
        self._fails = fails

    def __call__(self, compute: Callable[[], torch.Tensor]) -> Computed:
        """Return what Recorder returns, or else the logits of another text in one place."""
        replay, logits = super().__call__(compute)
        if len(logits) >= self._least:
            return replay, logits
        if self._fails:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")

        def off() -> None:
            replay()
            logits[3] = logits[4]

        return off, logits


@pytest.mark.parametrize(
    ("fails", "words"), [(True, "not permitted when stream is capturing"), (False, "its logits differ by")]
)
@pytest.mark.parametrize(("least", "left"), [(1024, []), (448, [448, 512])])
def test_a_graph_that_fails_or_errs_is_left_out(tmp_path, caplog, fails, words, least, left):
    """With the smaller ones, and one line in the log; all passes are computed all the same."""
    graphed, packed, texts = both(tmp_path)
    with torch.inference_mode():
        graphed.capture(SIZES, texts, Faulty(least, fails))
        assert sorted(graphed._graphs) == left
        windows = np.array([2, 7])
        torch.testing.assert_close(graphed(texts, windows), packed(texts, windows), rtol=1e-4, atol=1e-5)
    (record,) = [record for record in caplog.records if record.name == graphs.__name__]
    assert record.levelno == logging.WARNING
    assert words in record.getMessage()
    assert "\n" not in record.getMessage()
