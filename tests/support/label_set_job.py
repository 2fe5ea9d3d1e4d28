"""A job whose texts have any number of labels each, or none: a picture of /opt/ml with lists or with joined cells."""

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path

from support.fakes import make_ml_root, toy_rows

LabelledText = tuple[str, list[str]]


def label_set_rows(count: int, seed: int) -> list[LabelledText]:
    """Return texts made of those of their labels, up to two of three; every fifth or so has none."""
    parts = toy_rows(2 * count, 3, seed)
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        chosen = parts[2 * number : 2 * number + draw.choice((0, 1, 1, 1, 2))]
        text = " ".join(text for _, text in chosen) or f"Of the {number} one and the {seed}."
        rows.append((text, sorted({label for label, _ in chosen})))
    return rows


def make_label_set_root(folder: Path, form: str = "lists", rows: int = 120, **hyperparameters: str) -> Path:
    """Make a job in `folder` and return it.

    Args:
        form: "lists": JSON Lines with lists; "cells": CSV with labels joined by |, and label_separator.
        rows: of the train channel; validation and test have half as many.
    """
    if form == "cells":
        hyperparameters["label_separator"] = "|"
    root = make_ml_root(folder, hyperparameters=hyperparameters, rows=rows)
    for seed, (channel, count) in enumerate(
        {"train": rows, "validation": rows // 2, "test": rows // 2}.items()
    ):
        data = root / "input" / "data" / channel
        (data / f"{channel}.csv").unlink()
        _write(data, form, label_set_rows(count, seed))
    return root


def _write(folder: Path, form: str, rows: Sequence[LabelledText]) -> None:
    if form == "lists":
        lines = (json.dumps({"text": text, "labels": labels}) + "\n" for text, labels in rows)
        (folder / "texts.jsonl").write_text("".join(lines), encoding="utf-8")
        return
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "labels"])
        writer.writerows([text, "|".join(labels)] for text, labels in rows)
