"""What the operator's settings make of answers where requests do not say, as in batch transform: the real server."""

import contextlib
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.patience import PATIENCE_S
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

CLASSES = 3
CSV, LINES, NPY = "text/csv", "application/jsonlines", "application/x-npy"
pytestmark = pytest.mark.slow
Serve = Callable[..., contextlib.AbstractContextManager[ServingProcess]]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Return a function that serves a model with settings."""
    folder = tmp_path_factory.mktemp("settings")
    make_artifact(folder / "model", classes=CLASSES)

    @contextlib.contextmanager
    def started(**settings: str) -> Iterator[ServingProcess]:
        with ServingProcess(folder, folder / "log", None, **settings) as process:
            process.wait_until_ready()
            yield process

    return started


def rows_of(body: bytes) -> list[list[str]]:
    """Return the rows of an answer of CSV."""
    return list(csv.reader(body.decode().splitlines()))


def test_batch_transform_has_all_classes_of_files_that_train(serve):
    """The columns come by a setting, since only the first request of a file sees a header, which has no answer."""
    settings = {
        "sagemaker_batch": "true",
        "serving_csv_columns": "label,text",
        "sagemaker_inference_output": "predicted_label,probabilities",
    }
    with serve(**settings) as server:
        status, first = server.invoke('Label,Text\nAlpha,"a, quoted"\n', CSV, Accept=CSV)
        assert (status, len(rows_of(first))) == (200, 1)
        status, second = server.invoke('Beta,"a, quoted"\nAlpha,\nAlpha,b', CSV, Accept=CSV)
        rows = rows_of(second)
        assert (status, [len(row) for row in rows]) == (200, [CLASSES + 1] * 3)
        assert rows[0] == rows_of(first)[0]
        assert rows[1] == [""] * (CLASSES + 1)  # a row without a text keeps its place
        status, body = server.invoke('{"text": "a, quoted", "label": "x"}', LINES, Accept=LINES)
        assert status == 200
        assert [f"{value}" for value in flat(json.loads(body))] == rows[0]
        status, body = server.invoke("Alpha,a", CSV, Accept="text/csv; header=present")
        assert status >= 400, body  # every request would have a header


def flat(answer: dict[str, object]) -> list[object]:
    """Return label and probabilities in a row."""
    probabilities = answer["probabilities"]
    assert isinstance(probabilities, list)
    return [answer["predicted_label"], *probabilities]


def test_settings_hold_where_a_request_does_not_say(serve):
    """The request's own words come first, then its Accept, then the setting."""
    with serve(
        serving_top_k="all", sagemaker_default_invocations_accept="text/csv; header=present"
    ) as server:
        _, body = server.invoke('["a", "b"]')
        assert [len(row) for row in rows_of(body)] == [2 * CLASSES + 1] * 3
        assert rows_of(body)[0][-1] == "error"
        _, any_type = server.invoke('["a", "b"]', Accept="*/*")
        assert any_type == body
        _, body = server.invoke('["a", "b"]', Accept="application/json")
        assert [len(classes) for classes in json.loads(body)] == [CLASSES] * 2
        _, body = server.invoke('["a"]', Accept=f"{LINES}; top_k=2")
        assert len(json.loads(body)) == 2
        _, body = server.invoke(
            '{"inputs": ["a"], "parameters": {"top_k": 1}}', Accept="application/json; top_k=2"
        )
        assert len(json.loads(body)[0]) == 1


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("SERVING_TOP_K", "some", "SERVING_TOP_K"),
        ("SERVING_CSV_COLUMNS", "a,b", "text"),
        ("SAGEMAKER_INFERENCE_OUTPUT", "predicted_label,raw_score", "SAGEMAKER_INFERENCE_OUTPUT"),
        ("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/html", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"),
    ],
)
def test_a_setting_that_cannot_be_honoured_stops_the_start(tmp_path: Path, name: str, value: str, word: str):
    """With the sentence of a mistake of one's own, not with answers that nobody expects."""
    make_artifact(tmp_path / "model", classes=CLASSES)
    with ServingProcess(tmp_path, tmp_path / "log", None, **{name: value}) as process:
        assert process.exit_code(PATIENCE_S) != 0
    assert word in process.log
    assert "Traceback" not in process.log
