"""Encode many texts chunk by chunk into a memory-mapped file of token ids."""

import collections
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from bert_classifier.data.text_store import cannot_store
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder

# Per call of the tokenizer: tenths of a second on one slow core, and enough work for several.
_CHUNK_CHARS = 200_000
_CHUNK_TEXTS = 4096
_AHEAD = 2  # chunks in work beside the one whose tokens are written: the tokenizer always has another to go on with


def encode_to_file(
    encoder: TextEncoder, texts: Sequence[str], path: Path, on_chunk: Callable[[int], None]
) -> EncodedTexts:
    """Encode n texts as encoder.encode_batch does, with their ids in a file instead of memory.

    Args:
        path: the file for the ids; replaced if it exists.
        on_chunk: called with the number of texts done after every chunk, while other threads tokenise the next ones;
            may raise to stop.
    Raises:
        PlatformError: when the ids cannot be written.
    """
    parts: list[_Part] = []
    done = 0
    try:
        with path.open("wb") as file:
            for encoded in _encoded_ahead(encoder, _chunks(encoder, texts)):
                file.write(encoded.ids.data)
                parts.append(_Part.of(encoded))
                done += len(encoded)
                on_chunk(done)
        return _joined(parts, path)
    except OSError as error:
        raise cannot_store("The tokens of the texts", path.parent, error) from error


class _Part(NamedTuple):
    """What is kept in memory of a chunk.

    Attributes:
        lengths: tokens per window, int32.
        truncated: whether texts are truncated.
        counts: windows per text, or None.
        seconds: see EncodedTexts.
    """

    lengths: np.ndarray
    truncated: np.ndarray
    counts: np.ndarray | None
    seconds: np.ndarray | None

    @classmethod
    def of(cls, encoded: EncodedTexts) -> Self:
        counts = None if encoded.bounds is None else np.diff(encoded.bounds).astype(np.int32)
        return cls(encoded.lengths.astype(np.int32), encoded.truncated, counts, encoded.seconds)


def _encoded_ahead(encoder: TextEncoder, chunks: Iterable[Sequence[str]]) -> Iterator[EncodedTexts]:
    """Encode chunks in their order, the next one while this one is used: Python's part has one core, the rest all."""
    pending: collections.deque[Future[EncodedTexts]] = collections.deque()
    for chunk in chunks:
        pending.append(_encoding(encoder, chunk))
        if len(pending) > _AHEAD:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _encoding(encoder: TextEncoder, texts: Sequence[str]) -> Future[EncodedTexts]:
    """Encode in another thread, so that signals are handled: a giant text may take a minute."""
    outcome: Future[EncodedTexts] = Future()

    def encode() -> None:
        try:
            outcome.set_result(encoder.encode_batch(texts))
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            outcome.set_exception(error)

    threading.Thread(target=encode, name="tokenise", daemon=True).start()
    return outcome


def map_ids(path: Path) -> np.ndarray:
    """Return the ids in a file, read-only, int32 (tokens,)."""
    if not path.stat().st_size:  # an empty file cannot be mapped
        return np.zeros(0, dtype=np.int32)
    return np.memmap(path, dtype=np.int32, mode="r")


def write_ids(ids: np.ndarray, path: Path) -> None:
    """Write ids, int32 (tokens,), for map_ids, unless they are mapped from this file already."""
    if getattr(ids, "filename", None) != path.resolve():
        with path.open("wb") as file:
            file.write(np.ascontiguousarray(ids, dtype=np.int32).data)


def share_of_id(ids: np.ndarray, wanted: int) -> float:
    """Return the fraction of one id among ids, int32 (tokens,), without a temporary array of that size."""
    step = 2**20
    found = sum(int(np.count_nonzero(ids[at : at + step] == wanted)) for at in range(0, len(ids), step))
    return found / max(1, len(ids))


def _chunks(encoder: TextEncoder, texts: Iterable[str]) -> Iterator[list[str]]:
    """Divide texts into chunks by the characters that will be tokenised."""
    chunk: list[str] = []
    chars = 0
    for text in texts:
        chunk.append(text)
        chars += min(len(text), encoder.chars_looked_at)
        if chars >= _CHUNK_CHARS or len(chunk) >= _CHUNK_TEXTS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


def _joined(parts: Sequence[_Part], path: Path) -> EncodedTexts:
    """Return the chunks as one, with bounds if any chunk has some."""
    truncated = np.concatenate([np.zeros(0, dtype=bool), *(part.truncated for part in parts)])
    offsets = _sums([part.lengths for part in parts])
    bounds = None
    if any(part.counts is not None for part in parts):
        ones = [np.ones(len(part.truncated), dtype=np.int32) for part in parts]
        bounds = _sums(
            [one if part.counts is None else part.counts for part, one in zip(parts, ones, strict=True)]
        )
    seconds = [part.seconds for part in parts if part.seconds is not None]  # of all chunks or of none
    return EncodedTexts(
        map_ids(path), offsets, truncated, bounds, np.concatenate(seconds) if seconds else None
    )


def _sums(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return 0 and the sums of all values up to each, int64 (n + 1,), of int32 (n,) in parts."""
    sums = np.zeros(1 + sum(map(len, parts)), dtype=np.int64)
    np.cumsum(np.concatenate([np.zeros(0, dtype=np.int32), *parts]), dtype=np.int64, out=sums[1:])
    return sums
