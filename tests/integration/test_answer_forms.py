"""Every form of a body × every form of an answer × whatever an answer may hold: three records in, three answers out."""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from support.fakes import CLASS_NAMES
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

JSON, LINES, CSV, PLAIN, NPY = (
    "application/json", "application/jsonlines", "text/csv", "text/plain", "application/x-npy",
)  # fmt: skip
CLASSES = 4
TEXTS = ["apple river", "", "a wheel"]  # the second cannot be classified
FIELDS = ("predicted_label", "probability", "probabilities", "labels", "error")
# What parameters of a request ask for, and how an Accept header says it; None where it cannot.
WANTED: dict[str, tuple[dict[str, Any], str | None]] = {
    "the best": ({}, ""),
    "two": ({"top_k": 2}, "; top_k=2"),
    "all": ({"top_k": None}, "; top_k=all"),
    "all in order": ({"return_all_scores": True}, None),
    **{name: ({"output": name}, f"; output={name}") for name in FIELDS},
    "fields": ({"output": ",".join(FIELDS)}, f'; output="{",".join(FIELDS)}"'),
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """Serve a model of four classes."""
    folder = tmp_path_factory.mktemp("forms")
    make_artifact(folder / "model", classes=CLASSES)
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        yield process


def body_of(form: str, parameters: dict[str, Any]) -> bytes:
    """Return TEXTS in a form, with parameters where it has a place for them."""
    if form == JSON:
        return json.dumps({"inputs": TEXTS, "parameters": parameters}).encode()
    if form == LINES:
        return "\n".join(json.dumps({"text": text, "parameters": parameters}) for text in TEXTS).encode()
    if form == NPY:
        buffer = io.BytesIO()
        np.save(buffer, np.array(TEXTS))
        return buffer.getvalue()
    return "\n".join(TEXTS).encode()


def requests() -> Iterator[tuple[str, str, str, str]]:
    """Yield what is wanted, the form of the body, that of the answer, and where it says what is wanted."""
    for name, (form, answer_form) in itertools.product(
        WANTED, itertools.product((JSON, LINES, CSV, PLAIN, NPY), (JSON, LINES, CSV, NPY))
    ):
        if form in (JSON, LINES):
            yield name, form, answer_form, "body"
        if WANTED[name][1] is not None:
            yield name, form, answer_form, "Accept"


def check_objects(name: str, answers: list[Any]) -> None:
    """Check the answers of JSON or JSON Lines: three, the second an error."""
    assert len(answers) == len(TEXTS)
    assert answers[1].keys() == {"error", "code"}
    for answer in (answers[0], answers[2]):
        if name == "the best":
            assert answer.keys() == {"label", "score"}
        elif name in ("two", "all", "all in order"):
            scores = [entry["score"] for entry in answer]
            assert len(scores) == (2 if name == "two" else CLASSES)
            if name == "all in order":
                assert tuple(entry["label"] for entry in answer) == CLASS_NAMES[:CLASSES]
            else:
                assert scores == sorted(scores, reverse=True)
        else:
            assert list(answer) == ([name] if name in FIELDS else list(FIELDS))
            check_fields(answer)


def check_fields(answer: dict[str, Any]) -> None:
    """Check the fields that SageMaker's own containers name, those that there are."""
    probabilities, labels = answer.get("probabilities"), answer.get("labels")
    assert answer.get("error") is None
    assert labels in (None, list(CLASS_NAMES[:CLASSES]))
    if probabilities is not None:
        assert sum(probabilities) == pytest.approx(1, abs=1e-4)
        assert len(probabilities) == CLASSES
    if labels and probabilities:
        best = max(range(CLASSES), key=probabilities.__getitem__)
        assert (answer["predicted_label"], answer["probability"]) == (labels[best], probabilities[best])


def cells_of(name: str) -> int:
    """Return how many cells a row of CSV has."""
    sizes = {"predicted_label": 1, "probability": 1, "probabilities": CLASSES, "labels": CLASSES, "error": 1}
    lists = {"the best": 3, "two": 5, "all": 2 * CLASSES + 1, "all in order": 2 * CLASSES + 1}
    return {**sizes, **lists, "fields": sum(sizes.values())}[name]


def check_rows(name: str, rows: list[list[str]]) -> None:
    """Check the rows of CSV: three, of as many cells each, the second empty but for its error."""
    assert [len(row) for row in rows] == [cells_of(name)] * len(TEXTS)
    has_error = name in ("the best", "two", "all", "all in order", "error", "fields")
    assert [bool(cell) for cell in rows[1]] == [False] * (cells_of(name) - has_error) + [True] * has_error
    for row in (rows[0], rows[2]):
        assert all(row[: cells_of(name) - has_error])
        assert not has_error or row[-1] == ""


@pytest.mark.parametrize(("name", "form", "answer_form", "place"), [*requests()])
def test_three_records_have_three_answers(server, name, form, answer_form, place):
    """In order, each with as much as was asked for, in the body or in Accept."""
    parameters, words = WANTED[name]
    accept = answer_form + (words or "") * (place == "Accept")
    status, body = server.invoke(body_of(form, parameters if place == "body" else {}), form, Accept=accept)
    if answer_form == NPY and name not in ("the best", "all", "all in order"):
        assert status in (400, 406), body  # an array has room for all probabilities, and for nothing else
        return
    assert status == 200, body
    if answer_form == CSV:
        check_rows(name, list(csv.reader(body.decode().split("\n"))))
    elif answer_form == NPY:
        array = np.load(io.BytesIO(body))
        assert (array.shape, np.isnan(array).all(axis=1).tolist()) == ((3, CLASSES), [False, True, False])
        assert array[[0, 2]].sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    else:
        text = body.decode()
        check_objects(
            name, json.loads(text) if answer_form == JSON else [json.loads(line) for line in text.split("\n")]
        )
