"""What a command is. A module of commands lists its own in COMMANDS; `main.MODULES` lists the modules."""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from launcher.aws.account import Account


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of the launcher.

    Attributes:
        settings: dataclass of what it can be told, made of fields with a `Spec`, derived from AccountSettings.
        run: does it; returns the exit status. Results go to standard output, everything else through `say`.
        positional: the setting that may stand on the command line without its flag, if there is one.
    """

    name: str
    help: str
    settings: type
    run: Callable[[Any, Account], int]
    positional: str = ""


def say(text: str = "") -> None:
    """Tell the person at the terminal something; standard output stays free for results."""
    print(text, file=sys.stderr, flush=True)
