"""Prints what a name that make does not take may be meant for: a setting of nearly that name, or a hyperparameter.

Usage: setting_hint.py NAME VALUE [SETTING …], the settings being those that the command takes.
"""

import dataclasses
import sys
from collections.abc import Sequence

from bert_classifier.config import ALIASES, TrainConfig
from bert_classifier.fields import nearest

HYPERPARAMETERS = [field.name for field in dataclasses.fields(TrainConfig)]


def hint(name: str, value: str, settings: Sequence[str]) -> str:
    """Return the remedy for a name that is none of the settings; empty when it is like nothing that is known."""
    word = name.lower()
    known = {**{own: own for own in HYPERPARAMETERS}, **ALIASES} if "HP" in settings else {}
    setting = None if word in known else nearest(word, [other.lower() for other in settings])
    hyperparameter = None if setting else nearest(word, list(known))
    if setting:
        return f"did you mean {setting.upper()}?"
    return f'did you mean HP="{known[hyperparameter]}={value}"?' if hyperparameter else ""


if __name__ == "__main__":
    print(hint(sys.argv[1], sys.argv[2], sys.argv[3:]))
