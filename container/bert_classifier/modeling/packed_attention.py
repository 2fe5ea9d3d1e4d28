"""Attention among the tokens of each text, for texts that lie side by side in one row without padding.

Registered with transformers' attention interface, so that the encoder's own code calls it. Vectors are
(tokens, heads, size) in the kernels; keys and values may have fewer heads than queries, each shared by several.
"""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import torch
from transformers import AttentionInterface

from bert_classifier.modeling.local_attention import BLOCKS_FROM, attend_within, band

# (query, key, value, texts, scale=, window=) → output
Kernel = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class TextLayout:
    """Where texts lie in one row of tokens.

    Attributes:
        begins: first token of each text, and the end of the last, int32 (b + 1,), on the model's device.
        longest: tokens of the longest text, or more.
        is_last_layer_full: whether the last layer computes all tokens even where the head reads first ones only.
        asks_firsts: whether queries are those of each text's first token, not of all; then without a window.
    """

    begins: torch.Tensor
    longest: int
    is_last_layer_full: bool = False
    asks_firsts: bool = False

    def lengths(self) -> list[int]:
        """Return the tokens of each text; waits for a GPU."""
        return [end - begin for begin, end in itertools.pairwise(self.begins.tolist())]

    def firsts(self, tokens: int) -> torch.Tensor:
        """Return where each text's first token is among so many, (b,); of an empty text behind them, the last one."""
        return self.begins[:-1].clamp(max=tokens - 1)


_texts: ContextVar[TextLayout | None] = ContextVar("texts", default=None)


def texts_in_row() -> TextLayout | None:
    """Return the texts that this thread's forward pass computes side by side; None in a padded pass."""
    return _texts.get()


@contextlib.contextmanager
def side_by_side(texts: TextLayout) -> Iterator[None]:
    """Tell attention and heads that tokens lie like this."""
    token = _texts.set(texts)
    try:
        yield
    finally:
        _texts.reset(token)


def register(kernel: Kernel) -> str:
    """Return the name in transformers' table, which all models of a process share, under which a kernel attends."""
    name = f"packed_{kernel.__name__}"
    AttentionInterface.register(name, functools.partial(_attend, kernel))
    return name


def _attend(
    kernel: Kernel,
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    keys_and_values: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend within texts, for transformers' attention interface: vectors are (1, heads, tokens, size).

    Args:
        keys_and_values: (module, size) → keys and values of all tokens, where the queries are of first tokens only.
    """
    texts = texts_in_row()
    if keys_and_values is not None and texts is not None:
        texts = dataclasses.replace(texts, asks_firsts=True)
        key, value = keys_and_values(module, query.shape[-1])
    # squeeze, not [0], whose backward pass fills a tensor of zeros: three kernels more per vector.
    vectors = [vector.squeeze(0).transpose(0, 1) for vector in (query, key, value)]
    return kernel(*vectors, texts, scale=scaling, window=sliding_window)[None], None


def attend_text_by_text(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    texts: TextLayout,
    *,
    scale: float | None,
    window: int | None = None,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute the same as attend_in_one_kernel on any device, with one call per text, which is cheap on a CPU.

    Args:
        window: a token sees those less than so many tokens away; None: all of its text.
        bias: added to the scores, (1, heads, longest, longest).
    """
    lengths = texts.lengths()
    mask = bias if window is None else band(min(max(lengths), BLOCKS_FROM * window), window, query.device)
    asking = 1 if texts.asks_firsts else lengths
    split = (
        vectors.transpose(0, 1)[None].split(parts, dim=2)
        for vectors, parts in ((query, asking), (key, lengths), (value, lengths))
    )
    attended = [attend_within(q, k, v, scale, window, mask) for q, k, v in zip(*split, strict=True)]
    return torch.cat(attended, dim=2)[0].transpose(0, 1)


def attend_in_one_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    texts: TextLayout,
    *,
    scale: float | None,
    window: int | None = None,
) -> torch.Tensor:
    """Compute the attention of all texts on a GPU, by the operator that torch.nn.attention.varlen.varlen_attn calls.

    Its wrapper is in Python, forward and backward: a fifth of the host's time of a training step, and a kernel per
    layer for a random state that is not used.
    """
    beside = None if window is None else window - 1
    asking = texts.begins
    if texts.asks_firsts:
        asking = torch.arange(len(query) + 1, dtype=asking.dtype, device=asking.device)
    attended: torch.Tensor = torch.ops.aten._flash_attention_forward(
        query, key, value, asking, texts.begins, texts.longest, texts.longest,
        dropout_p=0.0, is_causal=False, return_debug_mask=False, scale=scale,
        window_size_left=beside, window_size_right=beside,
    )[0]  # fmt: skip
    return attended
