"""`make doctor-data`: the data of a folder examined and shown on a terminal, without a training."""

import json
import re

import pytest

import doctor_data
from bert_classifier.data import forecast
from support.fakes import toy_rows, write_csv
from support.without_privileges import without_privileges


def test_report_is_printed_and_written(ml_root, capsys):
    """Channels, classes, lengths and findings stand on the terminal, and all of it in data_report.json."""
    assert doctor_data.main([str(ml_root)], {}) == 0
    printed = capsys.readouterr().out
    report = json.loads((ml_root / "output" / "data" / "data_report.json").read_text())
    assert printed.startswith(
        "\ntrain:\n  train.csv is CSV with ',' and no header, in UTF-8: the label is column 1, the text column 3 or,"
    )
    assert "\n  48 texts of 3 classes: 'Alpha' 16, 'Beta' 16, 'Gamma' 16\n\nvalidation:\n" in printed
    assert report["understood"]["train"]["groups"][0]["files"] == [
        {"file": "train.csv", "rows": 48, "left_out": {}}
    ]
    assert re.search(r"(?m)^train +48 +0 +\d+ +0 +0 +– ", printed)
    assert re.search(r"(?m)^  Alpha +16 / 8 / 8$", printed)
    assert report["findings"]
    for finding in report["findings"]:
        assert finding["message"] in " ".join(printed.split())
    assert "number of" not in printed
    assert max(map(len, printed.splitlines())) < 120
    assert not (ml_root / "model").exists()


def test_hopeless_data_end_with_2(ml_root, capsys):
    """What would stop a training is named after the report."""
    train = ml_root / "input" / "data" / "train" / "train.csv"
    (ml_root / "input" / "data" / "validation" / "validation.csv").write_bytes(train.read_bytes())
    assert doctor_data.main([str(ml_root)], {}) == 2
    captured = capsys.readouterr()
    assert "  error    48 of 48 validation texts (100.0 %) also occur in train" in captured.out
    assert captured.err.startswith("\nA training would stop: UserError: 48 of 48 validation texts")


def test_data_that_cannot_be_read_end_with_2(ml_root, capsys):
    """A row that cannot be used is named; a report of an earlier run does not stay."""
    assert doctor_data.main([str(ml_root)], {}) == 0
    (ml_root / "input" / "data" / "train" / "train.csv").write_text("1,a,b\n1,two\n")
    capsys.readouterr()
    assert doctor_data.main([str(ml_root)], {}) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("UserError: 1 row of the data cannot be used: train.csv line 2")
    assert captured.out == ""
    assert not (ml_root / "output" / "data" / "data_report.json").exists()


def test_a_report_that_cannot_be_replaced_ends_with_3(ml_root, capsys):
    """In one line, and without the findings of an earlier run."""
    assert doctor_data.main([str(ml_root)], {}) == 0
    folder = ml_root / "output" / "data"
    folder.chmod(0o555)
    capsys.readouterr()
    with without_privileges():
        assert doctor_data.main([str(ml_root)], {}) == 3
    captured = capsys.readouterr()
    expected = f"Cannot replace {folder}/data_report.json: Permission denied. Make {folder} writable.\n"
    assert (captured.out, captured.err) == ("", expected)


@pytest.mark.parametrize("arguments", [[], ["one", "two"]])
def test_wrong_use_is_reported(arguments, capsys):
    """One folder, and no other argument."""
    assert doctor_data.main(arguments, {}) == 2
    assert capsys.readouterr().err == "Usage: doctor_data.py TEST_DIR\n"


def test_many_classes_are_shortened(ml_root, capsys):
    """Of more than twenty classes the largest and the smallest are shown."""
    names = [f"Class {number}" for number in range(40)]
    data = ml_root / "input" / "data"
    (data / "class" / "classes.txt").write_text("\n".join(names))
    for channel in ("train", "validation", "test"):
        (data / channel / f"{channel}.csv").write_text(
            "".join(f"{1 + n % 40},{channel} text {n}\n" for n in range(440))
        )
    assert doctor_data.main([str(ml_root)], {}) == 0
    printed = capsys.readouterr().out
    assert "  … 20 more\n" in printed
    assert len(re.findall(r"(?m)^  Class \d+ +11 / 11 / 11$", printed)) == 20


def test_no_validation_channel(tmp_path, ml_root, capsys):
    """Without a validation channel the part that would be split off is shown."""
    for channel in ("validation", "test"):
        (ml_root / "input" / "data" / channel / f"{channel}.csv").unlink()
        (ml_root / "input" / "data" / channel).rmdir()
    (ml_root / "input" / "config" / "inputdataconfig.json").write_text("{}")
    write_csv(ml_root / "input" / "data" / "train" / "train.csv", toy_rows(300))
    assert doctor_data.main([str(ml_root)], {}) == 0
    printed = capsys.readouterr().out
    assert re.search(r"(?m)^validation +30 ", printed)
    assert "\n  300 texts of 3 classes: " in printed
    assert "validation:" not in printed


def test_data_that_cannot_fit_are_refused(ml_root, monkeypatch, capsys):
    """As a training would, before reading; here on a machine of a megabyte."""
    monkeypatch.setattr(forecast, "memory_limit", lambda: 1e6)
    assert doctor_data.main([str(ml_root)], {}) == 3
    assert "The job may use 1.0 MB of memory" in capsys.readouterr().err
