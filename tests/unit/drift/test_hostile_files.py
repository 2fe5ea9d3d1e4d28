"""Files that are damaged, binary or of another kind: counted, or refused in one sentence."""

import gzip
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from bert_classifier.artifact.profile import Profile, write_profile
from bert_classifier.drift.command import observe, run
from bert_classifier.drift.model import Model
from bert_classifier.drift.observed import Tally
from bert_classifier.training.job import Job

LABELS = ["ham", "spam"]
MODEL = Model(None, LABELS, {}, None, None, None)


def captured(text: str = "some text") -> str:
    """Return a line of Data Capture."""
    sides = {
        "endpointInput": {"observedContentType": "application/json", "encoding": "JSON"},
        "endpointOutput": {"observedContentType": "application/json", "encoding": "JSON"},
    }
    sides["endpointInput"]["data"] = json.dumps({"inputs": text})
    sides["endpointOutput"]["data"] = '[{"label": "ham", "score": 0.9}]'
    return json.dumps({"captureData": sides})


def tally_of(path: Path, content: bytes | str) -> Tally:
    """Return what is counted in a file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return observe(path, MODEL).tally


@pytest.mark.parametrize("first", [captured()[100:], captured()[:100], "no JSON"])
def test_a_damaged_first_line_costs_only_itself(tmp_path, first):
    """The others are still exchanges, and no texts."""
    tally = tally_of(tmp_path / "a.jsonl", "\n".join([first, captured(), captured()]))
    assert (tally.requests, tally.texts, tally.answers, tally.unreadable.total()) == (2, 2, 2, 1)


def test_a_damaged_first_line_of_answers_costs_only_itself(tmp_path):
    """As with captured requests."""
    tally = tally_of(tmp_path / "a.jsonl", '{"la\n' + '{"label": "ham", "score": 0.9}\n' * 3 + "[" * 100_000)
    assert (tally.texts, tally.answers, tally.unreadable.total()) == (0, 3, 2)


def test_a_byte_order_mark_costs_nothing(tmp_path):
    """Editors put it there."""
    assert tally_of(tmp_path / "a.jsonl", "\ufeff" + captured()).requests == 1


def test_an_array_on_one_line_is_of_many_answers(tmp_path):
    """Not of one text."""
    answers = [{"label": "ham", "score": 0.9}] * 5
    assert tally_of(tmp_path / "a.json", json.dumps(answers)).answers == 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.jsonl",
            '{"text": "fine", "label": "ham", "score": 1}\n{"text": "poor", "label": "ham", "score": 4}',
        ),
        ("a.csv", "text,label,score\nfine,ham,1\npoor,ham,4"),
    ],
)
def test_ratings_are_no_answers(tmp_path, name, content):
    """A score beyond 1 means that the file is of texts."""
    tally = tally_of(tmp_path / name, content)
    assert (tally.texts, tally.answers) == (2, 0)


@pytest.mark.parametrize("info", [{}, {"task": "multi", "thresholds": {"ham": 0.5, "spam": 0.5}}])
@pytest.mark.parametrize("form", ["lines", "array"])
def test_texts_without_a_label_are_no_answers(tmp_path, info, form):
    """Data may have an empty list of labels beside a text; an answer has no text."""
    rows = [{"text": f"text {number}", "labels": []} for number in range(3)]
    lines = "\n".join(map(json.dumps, rows))
    content, name = (lines, "a.jsonl") if form == "lines" else (json.dumps(rows), "a.json")
    (tmp_path / name).write_text(content)
    tally = observe(tmp_path / name, Model(None, LABELS, info, None, None, None)).tally
    assert (tally.texts, tally.answers) == (3, 0)


def test_answers_beside_their_texts_stay_answers(tmp_path):
    """Where one of the first has labels with scores; a text without a label is one of them."""
    info = {"task": "multi", "thresholds": {"ham": 0.5, "spam": 0.5}}
    answers = ['{"text": "one", "labels": []}', '{"text": "two", "labels": [{"label": "ham", "score": 0.9}]}']
    (tmp_path / "a.jsonl").write_text("\n".join(answers))
    tally = observe(tmp_path / "a.jsonl", Model(None, LABELS, info, None, None, None)).tally
    assert (tally.texts, tally.answers) == (2, 2)


def report(tmp_path: Path, data: Path, *more: str) -> int:
    """Run the command with a baseline alone; return its exit code."""
    baseline = tmp_path / "baseline.json"
    write_profile(baseline, Profile.of("a test", 2, LABELS, {}))
    value = json.loads(baseline.read_text())
    value["measures"] = {"predictions": {"names": LABELS, "counts": [1, 1]}}
    baseline.write_text(json.dumps(value))
    given = ["--artifact", str(baseline), "--file", str(data), "--output", str(tmp_path / "out"), *more]
    return run(given)


DAMAGED = gzip.compress(captured().encode() * 9)
HOSTILE = {
    "nul.bin": b"\0" * 100,
    "utf16.csv": "text\nhello".encode("utf-16"),
    "bad.gz": DAMAGED[:40] + b"\xff" * 40,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_binary_or_damaged_file_is_refused_and_in_a_folder_counted(tmp_path, name, caplog):
    """Alone with exit code 2; beside others, they are still read."""
    data = tmp_path / "data"
    data.mkdir()
    (data / name).write_bytes(HOSTILE[name])
    assert report(tmp_path, data / name) == 2
    (data / "z.jsonl").write_text(captured())
    with caplog.at_level(logging.INFO):
        assert report(tmp_path, data) == 0
    assert f"the file {name} cannot be used" in caplog.text


def test_a_baseline_that_is_none_is_refused(tmp_path, caplog):
    """An object with `observed` of anything."""
    (tmp_path / "z.jsonl").write_text(captured())
    (tmp_path / "earlier.json").write_text('{"observed": 5}')
    assert report(tmp_path, tmp_path / "z.jsonl", "--baseline", str(tmp_path / "earlier.json")) == 2
    assert "is no drift.json of an earlier report" in caplog.text


def test_since_says_where_it_leaves_out_nothing(tmp_path, caplog):
    """Answers have no time."""
    (tmp_path / "a.csv").write_text("ham,0.9\nspam,0.8")
    with caplog.at_level(logging.INFO):
        report(tmp_path, tmp_path / "a.csv", "--since", "1h")
    assert "SINCE leaves out nothing of 1 file" in caplog.text


def test_a_failing_baseline_does_not_cost_the_model(caplog):
    """The model is exported without one."""
    job = SimpleNamespace(
        environment=SimpleNamespace(channels=()), tokenizer=SimpleNamespace(unk_token_id=0), prepared=None
    )
    assert Job._baseline(job, SimpleNamespace()) is None  # type: ignore[arg-type]
    assert "gets no drift baseline" in caplog.text
