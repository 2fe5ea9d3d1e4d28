"""Which parts of a sentence encoder a classifier does not use. Standard library only."""

import json
from pathlib import Path
from typing import Any

from bert_classifier.job.encoder_files import pooling_file
from bert_classifier.job.encoder_places import parts_of

# The last scales a vector to length 1, which a classifier's head makes up for.
_USED = ("Transformer", "Pooling", "Normalize")
_FOLLOWED = ("mean", "cls")
_MODE = "pooling_mode"


def unused_parts(folder: Path) -> list[str]:
    """Return what to say of a sentence encoder whose vectors are made in a way that no head here follows.

    Args:
        folder: of the encoder itself; its modules.json may lie beside it or above.
    """
    if not folder.is_dir():  # a name on the model hub
        return []
    said = []
    kinds = [(path, kind) for place in (folder, folder.parent) for path, kind in parts_of(place)]
    others = [f"{kind} ({path})" for path, kind in dict.fromkeys(kinds) if kind not in _USED]
    if others and any(kind in _USED for _, kind in kinds):
        said.append(f"of the sentence encoder {folder}, its part {', '.join(others)} is not used")
    modes = _modes(folder)
    if modes and modes not in [[name] for name in _FOLLOWED]:
        said.append(
            f"the sentence encoder {folder} makes a text's vector by pooling ({', '.join(modes)}) that is not followed:"
            " the head reads what pooling says"
        )
    return said


def _modes(folder: Path) -> list[str]:
    """Return the names of an encoder's poolings; none where nothing readable says them."""
    path = pooling_file(folder)
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path else {}
        on = [name for name, is_on in settings.items() if name.startswith(f"{_MODE}_") and is_on is True]
    except (OSError, ValueError, AttributeError):
        return []
    named = [str(settings[_MODE])] if settings.get(_MODE) else []
    return named or [name.removeprefix(f"{_MODE}_").removesuffix("s").removesuffix("_token") for name in on]
