"""Examine the data of a folder laid out as /opt/ml, as training does when it starts, and print the findings."""

import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bert_classifier.training.signals import StopSignal

MOST_CLASSES = 20
BAR = 40  # characters
WIDTH = 110
_COLUMNS = (
    "texts", "empty", "duplicates", "conflicting", "damaged", "in train", "mean", "99 %", "longest", "cut",
)  # fmt: skip


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Examine the folder; return the exit status that training would stop with, or 0."""
    if len(arguments) != 1 or not arguments[0]:
        print("Usage: doctor_data.py TEST_DIR", file=sys.stderr)
        return 2
    from bert_classifier import log
    from bert_classifier.errors import ContainerError, failure_text
    from bert_classifier.training.signals import STOPPED_EXIT_CODE, Stopped, StopSignal

    log.configure("ERROR")
    stop = StopSignal()
    stop.listen()
    folder = Path(arguments[0])
    written = folder / "output" / "data" / "data_report.json"
    status, reason = 0, ""
    try:
        written.unlink(missing_ok=True)
    except OSError as error:
        print(f"Cannot replace {written}: {error.strerror}. Make {written.parent} writable.", file=sys.stderr)
        return 3
    try:
        _examine(folder, environ, stop)
    except (Stopped, KeyboardInterrupt) as stopped:
        print(f"stopped by {str(stopped) or 'SIGINT'}", file=sys.stderr)
        return STOPPED_EXIT_CODE
    except ContainerError as error:
        status, reason = error.exit_code, failure_text(error)
    except OSError as error:
        status, reason = 3, f"Cannot examine {folder}: {error}."
    if written.exists():
        report = json.loads(written.read_text(encoding="utf-8"))
        print("\n".join(lines_of(report)))
        print(f"\ndetails: {written}")
    if reason:
        print(f"\nA training would stop: {reason}" if written.exists() else reason, file=sys.stderr)
    return status


def _examine(folder: Path, environ: Mapping[str, str], stop: "StopSignal") -> None:
    from bert_classifier.data.forecast import require_room
    from bert_classifier.data.job_files import check_files
    from bert_classifier.job.atomic_io import require_writable
    from bert_classifier.job.config import TrainConfig
    from bert_classifier.job.environment import Environment
    from bert_classifier.training.temp_folder import temp_folder

    environment = Environment.read(folder, environ)
    config = TrainConfig.from_hyperparameters(environment.hyperparameters)
    environment.output_dir.mkdir(parents=True, exist_ok=True)
    require_writable(environment.output_dir)
    check_files(config, environment)
    require_room(config, environment)
    from bert_classifier.training.prepare import prepare

    with temp_folder() as scratch:
        prepare(config, environment, stop, scratch)


def lines_of(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a data report as lines for a terminal."""
    yield from _understood(report["understood"])
    yield from _channels(report)
    yield from _classes(report["channels"])
    yield from _lengths(report)
    yield from _findings(report["findings"])


def _understood(channels: Mapping[str, Any]) -> Iterator[str]:
    from bert_classifier.data.understood import lines_of

    for name, channel in channels.items():
        yield ""
        yield f"{name}:"
        for line in lines_of(channel):
            yield textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _channels(report: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"{'':12}{'':61}tokens per text"
    yield f"{'channel':12}" + "".join(f"{name:>{max(7, len(name) + 2)}}" for name in _COLUMNS)
    for name, channel in report["channels"].items():
        tokens = channel["tokens"]
        cells = [
            *(channel[field] for field in ("texts", "empty", "duplicates", "conflicting", "encoding")),
            report["leakage"].get(name, "–"),
            f"{tokens['mean']:.0f}",
            tokens["p99"],
            tokens["max"],
            f"{100 * tokens['truncated_share']:.1f} %",
        ]
        pairs = zip(_COLUMNS, cells, strict=True)
        yield f"{name:12}" + "".join(f"{cell:>{max(7, len(column) + 2)}}" for column, cell in pairs)


def _classes(channels: Mapping[str, Any]) -> Iterator[str]:
    sizes = channels["train"]["classes"]
    by_size = sorted(sizes, key=lambda label: -sizes[label])
    yield ""
    yield f"texts per class, largest first: {' / '.join(channels)}"
    half = MOST_CLASSES // 2
    shown = by_size if len(by_size) <= MOST_CLASSES else [*by_size[:half], "", *by_size[-half:]]
    for label in shown:
        if label:
            counts = " / ".join(str(channel["classes"][label]) for channel in channels.values())
            yield f"  {textwrap.shorten(label, 40, placeholder=' …'):40} {counts}"
        else:
            yield f"  … {len(by_size) - MOST_CLASSES} more"


def _lengths(report: Mapping[str, Any]) -> Iterator[str]:
    tokens, enough = report["channels"]["train"]["tokens"], report["recommended_max_seq_length"]
    edges, counts = tokens["histogram"]["edges"], tokens["histogram"]["counts"]
    is_whole = enough >= tokens["p99"]  # else the model's own limit is below
    reason = "would be enough for 99 % of them" if is_whole else "is the model's maximum"
    yield ""
    yield f"tokens of the train texts: max_seq_length={report['max_seq_length']}; {enough} {reason}"
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        bar = "█" * round(BAR * count / max(counts))
        yield f"  {low:6}–{high - 1:<6} {count:9} {bar}".rstrip()


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield ""
    yield "findings:" if findings else "findings: none"
    for finding in findings:
        text, head = f"{finding['message']} {finding['remedy']}", f"  {finding['severity']:8} "
        yield textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * 11)
        yield from (f"{'':13}{place}" for place in finding["places"][:3])
        if len(finding["places"]) > 3:
            yield f"{'':13}…"


if __name__ == "__main__":
    outcome = main(sys.argv[1:], os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(outcome)  # without the interpreter's own ending, during which a stop signal would kill
