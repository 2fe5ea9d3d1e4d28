"""Encode many texts chunk by chunk into a memory-mapped file of token ids."""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.errors import PlatformError

# Per call of the tokenizer: tenths of a second on one slow core, and enough work for several.
_CHUNK_CHARS = 200_000
_CHUNK_TEXTS = 4096


def encode_to_file(
    encoder: TextEncoder, texts: Sequence[str], path: Path, on_chunk: Callable[[int], None]
) -> EncodedTexts:
    """Encode n texts as encoder.encode_batch does, with their ids in a file instead of memory.

    Args:
        path: the file for the ids; replaced if it exists.
        on_chunk: called with the number of texts done after every chunk; may raise to stop.
    Raises:
        PlatformError: when the ids cannot be written.
    """
    parts: list[EncodedTexts] = []
    done = 0
    try:
        with path.open("wb") as file:
            for chunk in _chunks(encoder, texts):
                part = _encode_interruptibly(encoder, chunk)
                file.write(part.ids.data)
                parts.append(dataclasses.replace(part, ids=np.zeros(0, dtype=np.int32)))
                done += len(chunk)
                on_chunk(done)
        return _joined(parts, path)
    except OSError as error:
        raise PlatformError(
            f"The tokens of the texts cannot be written to {path.parent}: {error.strerror or error}.",
            "Give the job a larger volume (volume_size), or set TMPDIR to a folder on a larger disk.",
        ) from error


def _encode_interruptibly(encoder: TextEncoder, texts: Sequence[str]) -> EncodedTexts:
    """Encode in another thread, so that signals are handled: a giant text may take a minute."""
    outcome: Future[EncodedTexts] = Future()

    def encode() -> None:
        try:
            outcome.set_result(encoder.encode_batch(texts))
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            outcome.set_exception(error)

    threading.Thread(target=encode, name="tokenise", daemon=True).start()
    return outcome.result()


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


def _chunks(encoder: TextEncoder, texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide texts into chunks by the characters that will be tokenised."""
    begin = chars = 0
    for index, text in enumerate(texts):
        chars += min(len(text), encoder.chars_looked_at)
        if chars >= _CHUNK_CHARS or index - begin + 1 >= _CHUNK_TEXTS:
            yield texts[begin : index + 1]
            begin, chars = index + 1, 0
    if begin < len(texts):
        yield texts[begin:]


def _joined(parts: Sequence[EncodedTexts], path: Path) -> EncodedTexts:
    """Return the chunks as one, with bounds if any chunk has some."""
    lengths = [part.lengths for part in parts]
    offsets = np.concatenate([[0], *lengths]).cumsum(dtype=np.int64)
    truncated = np.concatenate([np.zeros(0, dtype=bool), *(part.truncated for part in parts)])
    bounds = None
    if any(part.bounds is not None for part in parts):
        counts = [part.windows_of(np.arange(len(part)))[1] for part in parts]
        bounds = np.concatenate([[0], *counts]).cumsum(dtype=np.int64)
    return EncodedTexts(map_ids(path), offsets, truncated, bounds)
