"""On a job's PYTHONPATH: the program gets signal SIGNAL_NUMBER once what it logs, or opens, contains SIGNAL_AT."""

import logging
import os
import sys
from typing import Any

_AT = os.environ.get("SIGNAL_AT", "")
_record_of_old = logging.getLogRecordFactory()
_sent: list[int] = []


def _send() -> None:
    if not _sent:
        _sent.append(1)
        os.kill(os.getpid(), int(os.environ["SIGNAL_NUMBER"]))


def _record(*arguments: Any, **named: Any) -> logging.LogRecord:
    made = _record_of_old(*arguments, **named)
    if _AT in made.getMessage():
        _send()
    return made


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _AT in str(arguments[0]):
        _send()


# Only in `train` itself: its ranks get the signal from it.
if _AT and "RANK" not in os.environ:
    logging.setLogRecordFactory(_record)
    sys.addaudithook(_audit)
