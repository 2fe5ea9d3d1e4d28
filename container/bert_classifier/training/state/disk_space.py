"""Check, before a run starts, that the disk has room for its checkpoints and its model."""

import itertools
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bert_classifier.errors import PlatformError
from bert_classifier.training.state.store import KEEP

_MOST_NAMED = 5


def require_checkpoint_space(
    folder: Path,
    checkpoint_bytes: int,
    kept: Sequence[int] = (),
    others: int = 0,
    damaged: Mapping[str, int] = MappingProxyType({}),
    *,
    reserve: int = 0,
) -> None:
    """Refuse to start a run whose checkpoints will not fit.

    Args:
        checkpoint_bytes: size of one checkpoint.
        kept: sizes of this run's existing checkpoints, which new ones will replace.
        others: bytes of other runs' checkpoints, which stay.
        damaged: bytes of each damaged checkpoint that stays, by name.
        reserve: checkpoints of this size to leave room for, beside this run's: those of the job's other trainings.
    Raises:
        PlatformError: with the space needed and the space free.
    """
    existing = sum(min(size, checkpoint_bytes) for size in kept[:KEEP])
    number = KEEP + 1 + reserve
    needed, free = number * checkpoint_bytes, shutil.disk_usage(folder).free
    if free < needed - existing:
        # One decimal, since "3 MB free, 3 MB needed" would be puzzling.
        staying = {
            "other runs' checkpoints": others,
            f"damaged ones ({_some(damaged)})": sum(damaged.values()),
        }
        removable = [f"the {size / 1e6:,.1f} MB of {name}" for name, size in staying.items() if size]
        or_else = f", or remove {' and '.join(removable)} there" if removable else ""
        raise PlatformError(
            f"{folder} has {free / 1e6:,.1f} MB free, {number} checkpoints need {needed / 1e6:,.1f} MB"
            f" ({existing / 1e6:,.1f} MB of them are there).",
            f"Give the job a larger volume (volume_size){or_else}.",
        )


def _some(names: Collection[str]) -> str:
    return ", ".join([*itertools.islice(names, _MOST_NAMED), *(["…"] if len(names) > _MOST_NAMED else [])])


def require_model_space(folder: Path, model_bytes: int) -> None:
    """Refuse to start a run whose model will not fit: it is assembled in a temporary folder, then copied.

    Raises:
        PlatformError: with the space needed and the space free.
    """
    temporary = Path(tempfile.gettempdir())
    is_same_disk = temporary.stat().st_dev == folder.stat().st_dev
    for place, needed in {temporary: model_bytes, folder: model_bytes * (2 if is_same_disk else 1)}.items():
        free = shutil.disk_usage(place).free
        if free < needed:
            raise PlatformError(
                f"{place} has {free / 1e6:,.1f} MB free, the model needs {needed / 1e6:,.1f} MB.",
                "Give the job a larger volume (volume_size).",
            )
