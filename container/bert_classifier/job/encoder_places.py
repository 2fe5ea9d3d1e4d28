"""Where in a folder an encoder lies, and what to say of one that holds none, or several. Standard library only."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from bert_classifier.errors import UserError
from bert_classifier.job.data_names import listed
from bert_classifier.job.encoder_types import ENCODERS
from bert_classifier.job.encoder_weights import COPY_AGAIN, INDEX, PICKLES, WEIGHTS, names_in, other_forms
from bert_classifier.job.settings import shown

_CONFIG = "config.json"
_MODULES = "modules.json"  # of a sentence encoder, whose parts may lie in folders of their own
_TRANSFORMER = "Transformer"


def transformer_modules(folder: Path) -> list[str]:
    """Return the folders of a sentence encoder's transformers, as its modules.json names them."""
    names = [path for path, kind in parts_of(folder) if kind == _TRANSFORMER]
    return [name for name in names if (folder / name / _CONFIG).is_file()]


def parts_of(folder: Path) -> list[tuple[str, str]]:
    """Return folder and kind of each part that a sentence encoder's modules.json names; none without a readable one."""
    try:
        modules = json.loads((folder / _MODULES).read_text(encoding="utf-8"))
        return [(str(module["path"]), str(module["type"]).rpartition(".")[2]) for module in modules]
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return []


def checkpoints_below(folder: Path) -> list[Path]:
    """Return the checkpoints that lie one folder deeper, or in a copy of the hub's cache."""
    return _checkpoints([*folder.glob("*/"), *folder.glob("snapshots/*/")])


def _checkpoints(places: Iterable[Path]) -> list[Path]:
    weights = (WEIGHTS, INDEX, *PICKLES)
    return [
        place
        for place in sorted(places, key=_number_last)
        if not place.name.startswith(".")
        and (place / _CONFIG).is_file()
        and any((place / name).exists() for name in weights)
    ]


def _number_last(place: Path) -> list[tuple[int, str]]:
    """Return what sorts checkpoint-20 before checkpoint-100."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(place))]


def without_config(folder: Path) -> UserError:
    """Return the error for a folder without config.json: which folders below have one, or what lies there instead."""
    names = names_in(folder)
    found = _checkpoints([*folder.glob("*/"), *folder.glob("*/*/")])
    if found:
        below = [str(place.relative_to(folder)) for place in found]
        return UserError(
            f"{folder} has no {_CONFIG} itself; encoders lie in its folders {listed(below)}.",
            f"Give the one to use, such as {found[-1]}.",
        )
    return (
        _of_modules(folder)
        or other_forms(folder, names)
        or UserError(
            f"{folder} has no {_CONFIG}: it holds {listed(names) or 'nothing'}.",
            "Put the checkpoint's files directly into this folder.",
        )
    )


def _of_modules(folder: Path) -> UserError | None:
    """Return the error for a sentence encoder whose transformer is not there, by its modules.json."""
    modules = parts_of(folder)
    if not modules:
        return None
    places = [path for path, kind in modules if kind == _TRANSFORMER]
    if places:
        return UserError(
            f"{folder / places[0]} has no {_CONFIG}, though {_MODULES} says that the sentence encoder's transformer is"
            " there.",
            COPY_AGAIN,
        )
    kinds = ", ".join(shown(kind) for _, kind in modules[:3])
    return UserError(
        f"{folder} is a sentence encoder without a transformer: its parts are {kinds}, as {_MODULES} says.",
        ENCODERS,
    )
