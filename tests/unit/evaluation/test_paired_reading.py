"""One file for two models that were trained on data of other columns, or count their classes differently."""

import json
from pathlib import Path

import pytest

from bert_classifier.evaluation.command import run
from support.toy_artifact import make_artifact, reordered

TITLED = {
    "hyperparameters": {"title_column": "head"},
    "data": {"columns": {"label": "label", "text": "text", "title": "head"}},
}
NOTES = {
    "hyperparameters": {"text_column": "note"},
    "data": {"columns": {"label": "label", "text": "note"}},
}
ROWS = "".join(
    f"{('Alpha', 'Beta', 'Gamma')[n % 3]},head {n},w{n} w{n * n} a,w{99 - n} note w{n * 7}\n"
    for n in range(30)
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model that was trained with a class file."""
    return make_artifact(tmp_path_factory.mktemp("plain") / "model", classes_from="class file")


def compared(folder: Path, first: Path, second: Path, data: Path) -> list[dict[str, float]]:
    """Return the scores of both, in the order given."""
    arguments = ["--model", str(first), "--other", str(second), "--data", str(data), "--output", str(folder)]
    assert run(["compare", *arguments, "--names", "a", "b"]) == 0
    written = json.loads((folder / "comparison.json").read_text())
    return [{k: v for k, v in written[side].items() if k != "model"} for side in ("first", "second")]


def evaluated(folder: Path, model: Path, data: Path) -> float:
    """Return the accuracy of a model alone."""
    assert run(["evaluate", "--model", str(model), "--data", str(data), "--output", str(folder)]) == 0
    written = json.loads((folder / "evaluation.json").read_text())
    return float(written["multiclass_classification_metrics"]["accuracy"]["value"])


@pytest.mark.parametrize("info", [TITLED, NOTES])
def test_each_model_reads_the_texts_of_its_training(plain, tmp_path, caplog, info):
    """The scores are those of evaluate, and change places with the models."""
    other = reordered(plain, tmp_path / "other", [0, 1, 2], **info)
    data = tmp_path / "d.csv"
    data.write_text(f"label,head,text,note\n{ROWS}")
    ours, theirs = compared(tmp_path / "1", plain, other, data)
    assert "30 of 30 differ" in caplog.text
    assert compared(tmp_path / "2", other, plain, data) == [theirs, ours]
    assert ours["nll"] != theirs["nll"]
    assert [s["accuracy"] for s in (ours, theirs)] == pytest.approx(
        [evaluated(tmp_path / model.parent.name, model, data) for model in (plain, other)]
    )


def test_other_rows_are_refused(plain, tmp_path, caplog):
    """A row that has no text for one of the models is left out of its reading alone."""
    other = reordered(plain, tmp_path / "other", [0, 1, 2], **NOTES)
    data = tmp_path / "d.csv"
    data.write_text(f"label,head,text,note\n{ROWS}Alpha,x,,only a note\nBeta,x,only a text,\n")
    arguments = ["--model", str(plain), "--other", str(other), "--data", str(data)]
    assert run(["compare", *arguments, "--output", str(tmp_path / "out")]) == 2
    assert "row 31 is d.csv line 33 for the first and d.csv line 32 for the second" in caplog.text
    data.write_text(f"label,head,text,note\n{ROWS}Alpha,x,,only a note\n")
    assert run(["compare", *arguments, "--output", str(tmp_path / "out")]) == 2
    assert "different rows of d.csv, each as it was trained: 30 and 31" in caplog.text


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Return a file that counts its classes."""
    rows = "".join(f"{(1, 1, 1, 2, 2, 3)[n % 6]},w{n} w{n * n}\n" for n in range(30))
    (tmp_path / "numbers.csv").write_text(f"label,text\n{rows}")
    return tmp_path / "numbers.csv"


@pytest.mark.parametrize("turn", [1, -1])
def test_numbers_that_mean_other_classes_are_refused(plain, numbers, tmp_path, caplog, turn):
    """Both were trained with a class file, of which one is reversed: whose numbers these are nobody knows."""
    models = [plain, reordered(plain, tmp_path / "reversed", [2, 1, 0])][::turn]
    arguments = ["--model", str(models[0]), "--other", str(models[1]), "--data", str(numbers)]
    assert run(["compare", *arguments, "--output", str(tmp_path / "out")]) == 2
    first, second = ("Alpha", "Gamma")[::turn]
    assert f"numbers.csv line 2: its label is '{first}' as the first model" in caplog.text
    assert f"'{second}' as the second was (20 of 30 rows differ)" in caplog.text
    assert not (tmp_path / "out" / "comparison.json").exists()


def test_numbers_are_those_of_the_only_model_that_has_some(plain, numbers, tmp_path):
    """The other one knows its classes by name alone, and their order means nothing."""
    other = reordered(plain, tmp_path / "other", [2, 0, 1], classes_from="training labels")
    ours, theirs = compared(tmp_path / "1", plain, other, numbers)
    turned = compared(tmp_path / "2", other, plain, numbers)
    assert turned == [pytest.approx(theirs), pytest.approx(ours)]
    assert theirs == pytest.approx(ours)
    assert ours["accuracy"] == theirs["accuracy"] == pytest.approx(evaluated(tmp_path / "e", plain, numbers))


def test_names_need_no_order(plain, tmp_path):
    """The same model with its classes reversed has the same scores."""
    other = reordered(plain, tmp_path / "reversed", [2, 1, 0])
    data = tmp_path / "d.csv"
    data.write_text(f"label,head,text,note\n{ROWS}")
    ours, theirs = compared(tmp_path / "1", plain, other, data)
    assert theirs == pytest.approx(ours)
