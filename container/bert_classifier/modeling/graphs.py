"""The padding-free forward pass as CUDA graphs: one launch per pass in place of some 170, for a few numbers of tokens.

Padding texts fill a micro-batch up to one of these numbers. No text attends to another, and the logits of the padding
are dropped, so the others' logits stay as they are. Not yet run on a GPU: each graph is checked before it is used.
"""

import bisect
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.job.wording import first_line
from bert_classifier.modeling.packed import TOLERANCE, PackedForward
from bert_classifier.modeling.proof import distance_of
from bert_classifier.modeling.token_types import TYPE_IDS
from bert_classifier.modeling.transfer import stage

logger = logging.getLogger(__name__)

_LEAST_TOKENS, _MOST_TOKENS = 256, 16_384
_SIZES_PER_OCTAVE = 4  # so padding is less than a quarter of the tokens
_TOKENS_PER_TEXT = 16  # a graph has one slot for a text per 16 tokens; shorter texts need a larger graph

# Captures a computation: (compute) → (replay, the logits that each replay writes)
Capture = Callable[[Callable[[], torch.Tensor]], tuple[Callable[[], None], torch.Tensor]]


def sizes_up_to(most: int) -> list[int]:
    """Return the numbers of tokens for which graphs are captured, in increasing order; the last is at least `most`."""
    sizes = [_LEAST_TOKENS]
    while sizes[-1] < most:
        step = 2 ** (sizes[-1].bit_length() - 1) // _SIZES_PER_OCTAVE
        sizes.append(sizes[-1] + step)
    return sizes


def smallest_fit(sizes: Sequence[int], tokens: int, texts: int, longest: int) -> int | None:
    """Return the smallest of some sizes, in increasing order, with room for these texts and its padding; else None.

    Args:
        longest: maximum number of tokens in a text, padding texts included.
    """
    for size in sizes[bisect.bisect_left(sizes, tokens) :]:
        if texts + -(-(size - tokens) // longest) <= slots_of(size):
            return size
    return None


def slots_of(size: int) -> int:
    """Return how many texts, padding included, a graph of this size computes."""
    return size // _TOKENS_PER_TEXT


def fill_up(arrays: Mapping[str, Any], size: int, longest: int, pad_id: int) -> np.ndarray:
    """Return the inputs of a graph, int64: ids, positions, token types if there are any, begins and the last's end.

    That is (2 · size + slots + 1,), or with token types (3 · size + slots + 1,).

    Args:
        arrays: of texts that smallest_fit has found room for, from PackedForward.arrays.
        longest: tokens of a padding text; the last ones may have fewer, or none.
    """
    ids, positions, ends = arrays["input_ids"][0], arrays["position_ids"][0], arrays["begins"]
    rest = np.arange(size - len(ids))
    padding = np.arange(1, slots_of(size) - len(ends) + 2) * longest
    return np.concatenate(
        [
            *(ids, np.full(len(rest), pad_id)),
            *(positions, positions[0] + rest % longest),
            *((arrays[TYPE_IDS][0], np.zeros(len(rest), dtype=np.int64)) if TYPE_IDS in arrays else ()),
            *(ends, np.minimum(len(ids) + padding, size)),
        ]
    )


class _Graph:
    """A captured pass over `size` tokens, with the memory of its inputs, from fill_up, and of its logits."""

    def __init__(
        self, forward: PackedForward, size: int, longest: int, inputs: torch.Tensor, capture: Capture
    ) -> None:
        def compute() -> torch.Tensor:
            slots = slots_of(size) + 1
            rows = inputs[:-slots].view(-1, 1, size)  # ids, positions and, for pairs, token types
            names = ("input_ids", "position_ids", TYPE_IDS)
            values = dict(zip(names, rows.unbind(), strict=False))
            return forward.compute({**values, "begins": inputs[-slots:].int(), "longest": longest})

        self._inputs = inputs
        self._replay, self._logits = capture(compute)

    def __call__(self, inputs: torch.Tensor, texts: int) -> torch.Tensor:
        """Return the logits of the first texts, (texts, classes)."""
        self._inputs.copy_(inputs)
        self._replay()
        return self._logits[:texts].clone()


class GraphedForward(PackedForward):
    """A PackedForward for inference that replays a graph where one fits, and else computes without.

    Several threads may use it if they have the same stream, whose order keeps their passes apart.

    Args:
        packed: from PackedForward.for_threads.
        longest: maximum number of tokens in a window.
    """

    def __init__(self, packed: PackedForward, longest: int) -> None:
        super().__init__(packed.model, packed.pad_id, packed.device, packed.precision, packed._kernel)  # type: ignore[arg-type]
        self._longest = longest
        self._graphs: dict[int, _Graph] = {}
        self._lock = threading.Lock()

    def __call__(self, encoded: EncodedTexts, windows: np.ndarray) -> torch.Tensor:
        """Return the logits of b windows, (b, classes)."""
        size = self._size_for(encoded.lengths[windows])
        return super().__call__(encoded, windows) if size is None else self._replay(size, encoded, windows)

    def tokens_of(self, lengths: np.ndarray) -> int:
        """Return the tokens that one pass over windows of these lengths computes, padding included."""
        return self._size_for(lengths) or super().tokens_of(lengths)

    def _size_for(self, lengths: np.ndarray) -> int | None:
        return smallest_fit(list(self._graphs), int(lengths.sum()), len(lengths), self._longest)

    def _replay(self, size: int, encoded: EncodedTexts, windows: np.ndarray) -> torch.Tensor:
        inputs = self._filled(size, encoded, windows)
        with self._lock:
            return self._graphs[size](inputs, len(windows))

    def _filled(self, size: int, encoded: EncodedTexts, windows: np.ndarray) -> torch.Tensor:
        """Return a graph's inputs for these windows, on the device."""
        filled = fill_up(self.arrays(encoded, windows), size, self._longest, self.pad_id)
        inputs: torch.Tensor = stage({"inputs": filled}, self.device).to(self.device)["inputs"]
        return inputs

    def capture(self, sizes: Sequence[int], sample: EncodedTexts, capture: Capture) -> None:
        """Capture and check a graph per size, the largest first; at one that fails, warn and leave the rest out."""
        for size in sorted(sizes, reverse=True):
            try:
                problem = self._capture(size, sample, capture)
            except (RuntimeError, TypeError, ValueError, AttributeError) as error:
                problem = first_line(error)
            if problem:
                self._graphs.pop(size, None)
                logger.warning("no CUDA graph for %d tokens or fewer: %s", size, problem)
                break
        self._graphs = dict(sorted(self._graphs.items()))

    def _capture(self, size: int, sample: EncodedTexts, capture: Capture) -> str:
        """Capture a graph; return what is wrong with it, "" for nothing.

        A text's logits may differ from those without a graph by a fraction of all texts' mean norm.
        """
        windows = self._full(size, sample)
        inputs = self._filled(size, sample, windows)
        self._graphs[size] = _Graph(self, size, self._longest, inputs, capture)
        ours, theirs = self._replay(size, sample, windows), super().__call__(sample, windows)
        difference = distance_of(ours, theirs)
        is_right = difference <= TOLERANCE[next(self.model.parameters()).dtype]
        return "" if is_right else f"its logits differ by {difference:.2g}"

    def _full(self, size: int, sample: EncodedTexts) -> np.ndarray:
        """Return as many texts of a sample, again and again, as a graph has room for."""
        windows = np.resize(np.arange(len(sample)), slots_of(size))
        tokens = np.cumsum(sample.lengths[windows]).tolist()
        fits = [smallest_fit([size], total, 1 + n, self._longest) for n, total in enumerate(tokens)]
        return windows[: 1 + max(n for n, found in enumerate(fits) if found)]


def with_graphs(
    packed: PackedForward, longest: int, most_tokens: int, sample: EncodedTexts
) -> GraphedForward:
    """Return the pass with CUDA graphs for up to `most_tokens` tokens, as far as they work on its GPU.

    Args:
        packed: from PackedForward.for_threads, on a GPU.
        longest: maximum number of tokens in a window.
        sample: texts on which each graph is compared with the pass without graphs.
    """
    began = time.monotonic()
    graphed = GraphedForward(packed, longest)
    stream, pool = torch.cuda.Stream(packed.device), torch.cuda.graph_pool_handle()

    def capture(compute: Callable[[], torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
        # All graphs use the same memory in turn: their logits are copied before the next one is replayed.
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            compute()  # kernels are loaded and chosen now, which a capture does not allow
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            logits = compute()
        return graph.replay, logits

    with torch.cuda.device(packed.device), torch.inference_mode():
        graphed.capture(sizes_up_to(min(most_tokens, _MOST_TOKENS)), sample, capture)
    logger.info("CUDA graphs: %d, in %.1f s", len(graphed._graphs), time.monotonic() - began)
    return graphed
