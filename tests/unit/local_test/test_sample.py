"""The bundled sample: what `make train-local` trains on when nothing is given."""

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.job.answer_form import CSV, JSON, JSON_LINES
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.serving.http.codec import decode
from bert_classifier.serving.http.csv_form import CsvForm

SAMPLE = Path(__file__).parents[3] / "local_test" / "test_dir"
SPLITS = {"train": 20, "validation": 5, "test": 5}  # fewest rows of a class


def rows_of(split: str) -> list[list[str]]:
    """Return the rows of a split as the standard library's strict reader sees them."""
    with (SAMPLE / "input" / "data" / split / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def class_names() -> list[str]:
    """Return the names in classes.txt."""
    return (SAMPLE / "input" / "data" / "class" / "classes.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("split", SPLITS)
def test_every_class_has_enough_rows(split: str) -> None:
    """Each split holds at least its number of rows of each of the 14 classes, and no other class."""
    counts = Counter(int(row[0]) for row in rows_of(split))
    assert sorted(counts) == list(range(1, len(class_names()) + 1))
    assert min(counts.values()) >= SPLITS[split]


def test_class_names_are_those_of_dbpedia() -> None:
    """There are 14 distinct names, each a single word."""
    names = class_names()
    assert len(names) == len(set(names)) == 14
    assert all(name.isalpha() for name in names)


def test_no_text_is_in_two_places() -> None:
    """No title and no abstract occurs twice, neither inside a split nor across two."""
    rows = [row for split in SPLITS for row in rows_of(split)]
    for column in (1, 2):
        twice = [text for text, times in Counter(row[column] for row in rows).items() if times > 1]
        assert twice == []


@pytest.mark.parametrize("split", SPLITS)
def test_rows_are_rfc_4180(split: str) -> None:
    """Writing the rows again, texts quoted and quotes doubled, gives the same bytes."""
    again = io.StringIO()
    rows = [[int(index), *texts] for index, *texts in rows_of(split)]
    csv.writer(again, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    assert (SAMPLE / "input" / "data" / split / f"{split}.csv").read_bytes() == again.getvalue().encode()
    assert all(len(row) == 3 for row in rows)


def test_abstracts_look_like_abstracts() -> None:
    """Every abstract is one line of 8 to 130 words without blanks at its ends, and they differ in length."""
    abstracts = [row[2] for split in SPLITS for row in rows_of(split)]
    words = [len(text.split()) for text in abstracts]
    assert all(text == text.strip() and text.isprintable() for text in abstracts)
    assert min(words) >= 8
    assert max(words) <= 130
    assert max(words) > 4 * min(words)


@pytest.mark.parametrize("split", SPLITS)
def test_rows_are_shuffled(split: str) -> None:
    """The classes are mixed, so that the first half of a file is not half of the classes."""
    labels = [row[0] for row in rows_of(split)]
    assert len(set(labels[: len(labels) // 2])) == 14


def test_configuration_is_what_sagemaker_writes() -> None:
    """The three JSON files are read without a complaint, and all hyperparameters are strings."""
    hyperparameters = json.loads((SAMPLE / "input" / "config" / "hyperparameters.json").read_text())
    assert all(isinstance(value, str) for value in hyperparameters.values())
    environment = Environment.read(SAMPLE, {})
    assert {"train", "validation", "test", "class"} <= set(environment.channels)
    assert environment.host_rank == 0
    assert TrainConfig.from_hyperparameters(environment.hyperparameters).max_seq_length == 128


def test_payloads_are_what_their_names_say() -> None:
    """Each payload is valid in its format and holds at least two texts."""
    folder = SAMPLE.parent
    lines = (folder / "payload.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) >= 2
    assert len(json.loads((folder / "payload.json").read_text(encoding="utf-8"))["inputs"]) >= 2
    assert len(list(csv.reader(io.StringIO((folder / "payload.csv").read_text(encoding="utf-8"))))) >= 2
    assert len(re.findall(r"(?m)^\S.*$", (folder / "payload.txt").read_text(encoding="utf-8"))) >= 2


@pytest.mark.parametrize(("suffix", "kind"), [("json", JSON), ("jsonl", JSON_LINES[0]), ("csv", CSV)])
def test_payloads_of_pairs_are_read_as_pairs(suffix: str, kind: str) -> None:
    """By the server's own reader for a model of pairs: each record is two texts."""
    fields = TextFields(is_paired=True)
    form = CsvForm.of("", ("no", "yes"), is_part=False, fields=fields)
    records = decode(kind, (SAMPLE.parent / f"pairs.{suffix}").read_bytes(), 100, form).records
    assert len(records) == 2
    assert all(isinstance(record, TextPair) for record in records)
