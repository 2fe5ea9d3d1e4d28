"""Batch transform of the image under the SDK's Transformer, in local mode: any file that trains, a row for a row."""

import csv
import json
import tarfile
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from support.fakes import toy_rows
from support.free_port import free_port

ROWS = 240
FILLER = " river stone" * 400  # so that ROWS of them are several requests of a megabyte


@pytest.fixture
def archive(trained: Path, tmp_path: Path) -> Path:
    """Return the trained model as SageMaker packs it."""
    path = tmp_path / "model.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(trained / "model", ".")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of each form."""
    for name in ("csv", "lines"):
        (tmp_path / "files" / name).mkdir(parents=True)
    return tmp_path / "files"


def write_files(folder: Path) -> None:
    """Write the same texts as training data without a header, and as JSON Lines; the script has pandas do it too."""
    rows = [(label, text + FILLER) for label, text in toy_rows(ROWS)]
    with (folder / "csv" / "train.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    lines = [json.dumps({"text": text, "label": label}) for label, text in rows]
    (folder / "lines" / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")


def probabilities_of(path: Path, classes: int) -> list[list[float]]:
    """Return the probabilities of each row of an output file of CSV: label, one cell per class, an empty error."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {1 + classes + 1}
    assert {row[-1] for row in rows} == {""}
    return [[float(cell) for cell in row[1:-1]] for row in rows]


def test_files_that_train_are_transformed_row_by_row(trained, tagged, archive, folder, run_host_script):
    """Several requests per file, of which only the first sees a header; all classes of every row, in each form."""
    write_files(folder)
    assert (folder / "csv" / "train.csv").stat().st_size > 2**20
    labels = load_artifact(trained / "model").labels
    run_host_script("sdk_batch_transform.py", tagged, archive, folder, free_port())
    found = probabilities_of(folder / "csv" / "train.csv.out", len(labels))
    assert len(found) == ROWS
    assert all(sum(row) == pytest.approx(1, abs=1e-4) for row in found)
    assert len({tuple(row) for row in found}) > ROWS // 2  # the order shows
    assert_alike(probabilities_of(folder / "csv" / "pandas.csv.out", len(labels)), found)
    lines = (folder / "lines" / "rows.jsonl.out").read_text(encoding="utf-8").splitlines()
    listed = [{entry["label"]: entry["score"] for entry in json.loads(line)} for line in lines]
    assert_alike([[scores[label] for label in labels] for scores in listed], found)


def assert_alike(found: list[list[float]], wanted: list[list[float]]) -> None:
    """Hold that rows have the same probabilities, but for rounding."""
    assert len(found) == len(wanted)
    for row, wanted_row in zip(found, wanted, strict=True):
        assert row == pytest.approx(wanted_row, abs=1e-4)
