"""What attention knows of where the tokens of a text stand: windows, rotations, and biases of distances."""

import dataclasses
import math

import torch

from bert_classifier.modeling.local_attention import BLOCKS_FROM, band

_BUCKETS, _FARTHEST = 32, 128  # of distances, as transformers computes MPNet, whatever its config.json says


@dataclasses.dataclass(frozen=True)
class Places:
    """A kind of layer, by what its attention knows; nothing in BERT's, whose embeddings hold the positions.

    Attributes:
        window: a token sees those less than so many tokens away; None: all of its text.
        frequencies: by which pairs of neighbouring values of queries and keys are rotated, (size / 2,).
        distances: what is added to the scores, (heads, 2 · positions - 1), from the farthest token before to the
            farthest behind.
    """

    window: int | None = None
    frequencies: torch.Tensor | None = None
    distances: torch.Tensor | None = None


class PlacesInRow(torch.nn.Module):
    """Computes for the texts of a pass what the layers of a kind need."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self._window, self._most = places.window, BLOCKS_FROM * (places.window or 0)
        self._frequencies, self._distances = places.frequencies, places.distances
        self._unseen = -math.inf

    def forward(
        self, positions: torch.Tensor, longest: int
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return the longest text's mask (1, heads or 1, n, n) and all tokens' rotations (tokens, 1, size / 2).

        Args:
            positions: of each token in its text, int64 (tokens,).
            longest: tokens of the longest text.
        """
        return self._mask(longest), self._rotations(positions)

    def _mask(self, longest: int) -> torch.Tensor | None:
        if self._distances is not None:
            places = torch.arange(longest)
            distances = places[None] - places[:, None] + self._distances.shape[1] // 2
            return self._distances.index_select(1, distances.flatten()).view(1, -1, longest, longest)
        if self._window is None:
            return None
        if longest <= self._window:
            return None
        seen = band(min(longest, self._most), self._window, torch.device("cpu"))
        return torch.zeros(seen.shape).masked_fill(~seen, self._unseen)

    def _rotations(self, positions: torch.Tensor) -> torch.Tensor | None:
        if self._frequencies is None:
            return None
        angles = positions.float()[:, None] * self._frequencies
        return torch.complex(angles.cos(), angles.sin())[:, None]


def biases_of_distances(table: torch.Tensor, length: int) -> torch.Tensor:
    """Return the bias of each distance, (heads, 2 · length - 1); see Places.

    Distances up to a quarter of the buckets have one each, farther ones share them logarithmically, as in T5
    (Raffel et al. 2020).

    Args:
        table: biases by bucket, (buckets, heads).
        length: how many positions there are.
    """
    distances = torch.arange(1 - length, length)
    one_way = _BUCKETS // 2
    exact, far = one_way // 2, distances.abs()
    share = torch.log(far.clamp(min=1).float() / exact) / math.log(_FARTHEST / exact)
    shared = (exact + (share * (one_way - exact)).long()).clamp(max=one_way - 1)
    buckets = torch.where(far < exact, far, shared) + one_way * (distances > 0)
    return table[buckets].T.contiguous()


def frequencies_of(base: float, size: int) -> torch.Tensor:
    """Return the frequencies of rotary positions for vectors of a size (Su et al. 2021), (size / 2,)."""
    return 1.0 / (base ** (torch.arange(0, size, 2, dtype=torch.float) / size))


def in_pairs(weight: torch.Tensor, size: int) -> torch.Tensor:
    """Return the weights or biases of queries or keys, (heads · size, …), such that neighbouring outputs are a pair.

    Checkpoints rotate the first half of a head's values with its second half. Which values are a pair changes no score,
    as long as queries and keys agree; neighbours are a complex number, which one product rotates.
    """
    by_head: torch.Tensor = weight.unflatten(0, (-1, 2, size // 2))
    return by_head.transpose(1, 2).flatten(0, 2).contiguous()
