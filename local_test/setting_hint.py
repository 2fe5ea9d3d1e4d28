"""Prints what a name that make does not take may be meant for: a setting of nearly that name, or a hyperparameter.

Usage: setting_hint.py NAME VALUE [SETTING …], the settings being those that the command takes, or patterns of make.
"""

import dataclasses
import sys
from collections.abc import Sequence

from bert_classifier.job.config import ALIASES, ServeConfig, TrainConfig
from bert_classifier.job.settings import nearest, specs

HYPERPARAMETERS = [field.name for field in dataclasses.fields(TrainConfig)]


def hint(name: str, value: str, settings: Sequence[str]) -> str:
    """Return the remedy for a name that is none of the settings; empty when it is like nothing that is known."""
    word = name.lower()
    known = {**{own: own for own in HYPERPARAMETERS}, **ALIASES} if "HP" in settings else {}
    setting = None if word in known else nearest(word, _names_of(settings))
    hyperparameter = None if setting else nearest(word, list(known))
    if setting:
        return f"did you mean {setting.upper()}?"
    return f'did you mean HP="{known[hyperparameter]}={value}"?' if hyperparameter else ""


def _names_of(settings: Sequence[str]) -> list[str]:
    """Return the settings in small letters, those of the server for a pattern of make such as SERVING_%."""
    names = [name.lower() for name in settings if not name.endswith("%")]
    prefixes = tuple(name.lower()[:-1] for name in settings if name.endswith("%"))
    return names + [name for name in specs(ServeConfig) if prefixes and name.startswith(prefixes)]


if __name__ == "__main__":
    print(hint(sys.argv[1], sys.argv[2], sys.argv[3:]))
