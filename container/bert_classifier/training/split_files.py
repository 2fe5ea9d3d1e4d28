"""The files of a channel's encoded texts, which the ranks of a host share through memory maps."""

from pathlib import Path

import numpy as np

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.encoding.token_file import map_ids, write_ids
from bert_classifier.training.batching import Split

_OPTIONAL = ("bounds", "seconds")  # fields of EncodedTexts


def records_file(folder: Path, channel: str) -> Path:
    """Return the file of a channel's texts."""
    return folder / f"{channel}-records.json"


def ids_file(folder: Path, channel: str) -> Path:
    """Return the file of a channel's token ids."""
    return folder / f"{channel}.ids"


def save_split(folder: Path, channel: str, split: Split) -> None:
    """Write a channel's encoded texts and targets; raise an OSError if that fails."""
    encoded = split.encoded
    write_ids(encoded.ids, ids_file(folder, channel))
    arrays = {"offsets": encoded.offsets, "truncated": encoded.truncated, "targets": split.targets}
    for field, array in {**arrays, **{name: getattr(encoded, name) for name in _OPTIONAL}}.items():
        if array is not None:
            np.save(_array_file(folder, channel, field), array, allow_pickle=False)


def map_split(folder: Path, channel: str) -> Split:
    """Return what save_split wrote, memory-mapped, so that all processes share one copy."""

    def array(field: str) -> np.ndarray:
        mapped: np.ndarray = np.load(_array_file(folder, channel, field), mmap_mode="r", allow_pickle=False)
        return mapped

    bounds, seconds = (
        array(field) if _array_file(folder, channel, field).exists() else None for field in _OPTIONAL
    )
    ids = map_ids(ids_file(folder, channel))
    encoded = EncodedTexts(ids, array("offsets"), array("truncated"), bounds, seconds)
    return Split(encoded, array("targets"))


def _array_file(folder: Path, channel: str, field: str) -> Path:
    return folder / f"{channel}-{field}.npy"
