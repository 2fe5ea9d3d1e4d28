"""One schema: a file that trains is evaluated and classified as it is, with the same text of each row."""

import csv
import json
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.evaluation.command import run
from support.fakes import empty_train_channel, make_ml_root, toy_rows
from support.serving_process import ServingProcess
from support.train_process import train_in_process

COLUMNS = {"label": "Sentiment", "text": "customer words", "title": "headline"}
ROWS = [
    {
        "id": f"{number}",
        "headline": f"Item {number}",
        "customer words": text,
        "Sentiment": label,
        "message": "none",
    }
    for number, (label, text) in enumerate(toy_rows(48))
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture of /opt/ml with the rows as CSV and two settings for reading them."""
    settings = {"num_train_epochs": "1", "text_column": "customer words", "title_column": "headline"}
    root = make_ml_root(tmp_path_factory.mktemp("schema") / "ml", rows=4, hyperparameters=settings)
    train = empty_train_channel(root)
    with (train / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)
    return root


def test_a_file_that_trains_is_evaluated_and_classified(root, tmp_path, capsys):
    """The scores of every row agree: evaluation, CSV with its header announced, JSON Lines of the same records."""
    outcome = train_in_process(root, capsys)
    assert outcome.code == 0, outcome.log
    assert load_artifact(root / "model").info["data"]["columns"] == COLUMNS
    path = root / "input" / "data" / "train" / "reviews.csv"
    arguments = ["--model", str(root / "model"), "--data", str(path), "--output", str(tmp_path / "out")]
    assert run(["evaluate", *arguments]) == 0
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        expected = [(row["predicted"], float(row["score"])) for row in csv.DictReader(file)]
    with ServingProcess(root, tmp_path / "log") as server:
        server.wait_until_ready()
        status, body = server.invoke(path.read_bytes(), "text/csv; header=present")
        assert status == 200, body
        from_csv = [(label, float(score)) for label, score, _ in csv.reader(body.decode().splitlines())]
        lines = "\n".join(map(json.dumps, ROWS)).encode()
        status, body = server.invoke(lines, "application/jsonlines")
        assert status == 200, body
        answers = map(json.loads, body.splitlines())
        from_json = [(answer["label"], answer["score"]) for answer in answers]
    assert (
        [label for label, _ in from_csv]
        == [label for label, _ in from_json]
        == [label for label, _ in expected]
    )
    for found in (from_csv, from_json):
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)
