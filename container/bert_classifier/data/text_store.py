"""Many texts in a temporary file instead of memory: written one by one, then mapped and read like a list.

A text in memory costs a hundred bytes beside its characters; here it costs eight, and the rest can be read again.
"""

import array
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self, SupportsIndex, overload

import numpy as np

from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import PlatformError

_BUFFER = 2**20  # bytes
_AT_ONCE = 4096  # offsets converted to Python's integers at once
_ERRORS = "surrogatepass"  # half of a surrogate pair is kept, so that its text can be refused by its place


def cannot_store(what: str, folder: object, error: OSError) -> PlatformError:
    """Return the error for temporary data that cannot be written to a folder."""
    return PlatformError(
        f"{what} cannot be written to {folder}: {error.strerror or error}.",
        "Give the job a larger volume (volume_size), or set TMPDIR to a folder on a larger disk.",
    )


class Texts(Sequence[str]):
    """n texts in a memory-mapped file, UTF-8, some of m that it holds.

    Args:
        data: the bytes of all m texts, one after another.
        offsets: int64 (m + 1,); text i is data[offsets[i]:offsets[i + 1]].
        indices: which of the m texts, and in which order, int (n,); None: all.

    Attributes:
        is_paired: whether they are TextPairs.
    """

    def __init__(
        self,
        data: mmap.mmap | bytes,
        offsets: np.ndarray,
        indices: np.ndarray | None = None,
        *,
        is_paired: bool = False,
    ) -> None:
        self._data = data
        self._offsets = offsets
        self._indices = indices
        self.is_paired = is_paired

    @staticmethod
    def of(texts: Iterable[str]) -> "Texts":
        """Return a copy of texts; raises as TextWriter does."""
        writer = TextWriter()
        for text in texts:
            writer.append(text)
        return writer.finish()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what `save` wrote, mapped from there."""
        with path.open("rb") as file:
            is_empty = not path.stat().st_size  # it cannot be mapped
            data = b"" if is_empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        offsets = np.load(_offsets_file(path), mmap_mode="r", allow_pickle=False)
        return cls(data, offsets, is_paired=_pairs_file(path).exists())

    def save(self, path: Path) -> None:
        """Write the texts into a file, and their offsets beside it, for other processes of this host.

        Raises:
            PlatformError: when they cannot be written.
        """
        try:
            with path.open("wb", buffering=_BUFFER) as file:
                file.writelines(self.encoded())
            np.save(_offsets_file(path), np.concatenate([[0], self.sizes]).cumsum(dtype=np.int64))
            _pairs_file(path).unlink(missing_ok=True)
            if self.is_paired:
                _pairs_file(path).touch()
        except OSError as error:
            raise cannot_store("The texts", path.parent, error) from error

    def __len__(self) -> int:
        return len(self._offsets) - 1 if self._indices is None else len(self._indices)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> "Texts": ...

    def __getitem__(self, index: SupportsIndex | slice) -> "str | Texts":
        if isinstance(index, slice):
            return self._part(index)
        at = range(len(self))[index]  # raises IndexError, and counts negative ones from the end
        at = at if self._indices is None else int(self._indices[at])
        return self._read(self._data[self._offsets[at] : self._offsets[at + 1]])

    def __iter__(self) -> Iterator[str]:
        return map(self._read, self.encoded())

    def _read(self, raw: bytes) -> str:
        text = raw.decode("utf-8", _ERRORS)
        return TextPair.parse(text) if self.is_paired else text

    def encoded(self) -> Iterator[bytes]:
        """Yield each text in UTF-8."""
        for at in range(0, len(self), _AT_ONCE):
            starts, ends = self._bounds(slice(at, at + _AT_ONCE))
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
                yield self._data[start:end]

    @property
    def sizes(self) -> np.ndarray:
        """Bytes of each text in UTF-8, int64 (n,)."""
        starts, ends = self._bounds(slice(None))
        sizes: np.ndarray = ends - starts
        return sizes

    def take(self, indices: np.ndarray) -> "Texts":
        """Return the texts with these indices, int (k,), in this order, without copying them."""
        chosen = indices if self._indices is None else self._indices[indices]
        is_small = len(self._offsets) <= np.iinfo(np.int32).max
        return self._with(self._offsets, chosen.astype(np.int32) if is_small else chosen)

    def _part(self, part: slice) -> "Texts":
        if self._indices is not None:
            return self._with(self._offsets, self._indices[part])
        start, stop, step = part.indices(len(self))
        if step == 1:
            return self._with(self._offsets[start : max(start, stop) + 1])
        return self.take(np.arange(start, stop, step))

    def _with(self, offsets: np.ndarray, indices: np.ndarray | None = None) -> "Texts":
        return Texts(self._data, offsets, indices, is_paired=self.is_paired)

    def _bounds(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        if self._indices is None:
            return self._offsets[:-1][part], self._offsets[1:][part]
        indices = self._indices[part]
        return self._offsets[indices], self._offsets[indices + 1]


class TextWriter:
    """Writes texts into a temporary file without a name, which goes when the last user of the texts goes.

    Args:
        folder: where the file is; None: TMPDIR or the system's folder for temporary files.
    Raises:
        PlatformError: when the file cannot be made; later when it cannot be written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._offsets = array.array("q", [0])
        self._is_paired: bool | None = None  # not known before the first text
        self._buffer = bytearray()
        try:
            self._folder = Path(folder or tempfile.gettempdir())
            with tempfile.TemporaryFile(buffering=0, dir=self._folder) as file:
                self._file = os.dup(file.fileno())
        except OSError as error:
            raise cannot_store("The texts", folder or "a folder for temporary files", error) from error
        # An abandoned writer closes its file in silence: a reader stops at the first row that it cannot use.
        self._close = weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def append(self, text: str) -> None:
        """Add a text; raise a ValueError where some are TextPairs and some are not."""
        is_pair = isinstance(text, TextPair)
        if self._is_paired is not is_pair:
            if self._is_paired is not None:
                raise ValueError("text pairs and single texts cannot stand in one file")
            self._is_paired = is_pair
        raw = text.encode("utf-8", _ERRORS)
        self._buffer += raw
        self._offsets.append(self._offsets[-1] + len(raw))
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def finish(self) -> Texts:
        """Return the texts; no more can be added."""
        self._flush()
        # An empty file cannot be mapped.
        data = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) if self._offsets[-1] else b""
        self._close()
        offsets = np.frombuffer(self._offsets, dtype=np.int64)
        return Texts(data, offsets, is_paired=bool(self._is_paired))

    def _flush(self) -> None:
        rest = memoryview(self._buffer)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise cannot_store("The texts", self._folder, error) from error
        self._buffer = bytearray()


def _pairs_file(path: Path) -> Path:
    return path.with_name(f"{path.name}-pairs")


def _offsets_file(path: Path) -> Path:
    return path.with_name(f"{path.name}-offsets.npy")
