"""The command line of the drill."""

import argparse
from pathlib import Path


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of `python local_test/spot_drill`."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("test_dir", type=Path, help="folder laid out as /opt/ml; only its input/ is read")
    for name, type_, default, text in (
        ("--kills", _kills, 20, "interruptions that must hit training (default: 20)"),
        ("--seed", int, 0, "decides when and how to interrupt, so that a failing drill can be repeated"),
        (
            "--ranks",
            _ranks,
            (1,),
            "processes that train together (default: 1); 1,2,4: drawn for each attempt",
        ),
        ("--work-dir", Path, None, "where the attempts' folders are made and removed (default: /tmp)"),
    ):
        made.add_argument(name, type=type_, default=default, help=text)
    made.add_argument("--engine", choices=("process", "docker"), default="process", help="where attempts run")
    return made


def _kills(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def _ranks(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= 64 for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from 1 to 64, or several separated by commas: 1,2,4"
        )
    return tuple(map(int, parts))
