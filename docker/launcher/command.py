"""What a command is. Each module of commands lists its own in COMMANDS; `main.MODULES` lists the modules."""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from launcher.aws.account import Account


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of the launcher.

    Attributes:
        settings: dataclass of its settings, derived from AccountSettings.
        run: runs it; returns the exit code. Results go to standard output, everything else through `say`.
        positional: the setting that may stand on the command line without its flag, if any.
    """

    name: str
    help: str
    settings: type
    run: Callable[[Any, Account], int]
    positional: str = ""


def say(text: str = "") -> None:
    """Print a message on standard error; standard output is for results."""
    print(text, file=sys.stderr, flush=True)
