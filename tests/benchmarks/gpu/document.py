"""The record as JSON and as a page of Markdown. Standard library only."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.goals import Figure
from benchmarks.gpu.parts import in_digits

Record = dict[str, Any]  # date, machine, options, remarks, goals, parts


def write(folder: Path, record: Record) -> None:
    """Write gpu_record.json and gpu_record.md."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (folder / "gpu_record.json").write_text(text + "\n", encoding="utf-8")
    (folder / "gpu_record.md").write_text(page(record), encoding="utf-8")


def page(record: Record) -> str:
    """Return the record as Markdown: what it was measured on, goals, remarks, a table per part."""
    lines = [f"# Record on one GPU, {record['date']}", "", *_machine(record["machine"])]
    lines += [f"- {remark}" for remark in record["remarks"]]
    lines += ["", "| goal | measured | |", "|---|---|---|"]
    lines += [f"| {g['goal']} | {in_digits(g['measured'])} | {g['outcome']} |" for g in record["goals"]]
    for part in record["parts"]:
        lines += ["", f"## {part['name']}: {part['outcome']} in {part['seconds']:.0f} s", ""]
        for figures in _alike(part["figures"]):
            lines += [*_table(figures), ""]
    return "\n".join(lines).rstrip() + "\n"


def _machine(machine: Figure) -> Iterator[str]:
    yield from (f"- {name}: {value}" for name, value in machine.items())


def _alike(figures: Sequence[Figure]) -> Iterator[list[Figure]]:
    """Yield the figures in groups with the same names, which become one table."""
    groups: dict[tuple[str, ...], list[Figure]] = {}
    for figure in figures:
        groups.setdefault(tuple(figure), []).append(figure)
    yield from groups.values()


def _table(figures: Sequence[Figure]) -> Iterator[str]:
    yield "| " + " | ".join(name.replace("_", " ") for name in figures[0]) + " |"
    yield "|---" * len(figures[0]) + "|"
    for figure in figures:
        yield "| " + " | ".join(map(in_digits, figure.values())) + " |"
