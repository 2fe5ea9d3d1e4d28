"""The drift report in real rounds: a job is trained and served, requests and answers are captured and compared."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.drift.command import run
from bert_classifier.serving.model.predictor import Predictor
from support.captured import Recorder, line
from support.fakes import CLASS_NAMES, make_ml_root, toy_rows, write_csv
from support.forked_jobs import train_forked
from support.patience import PATIENCE_S
from support.serving_process import ServingProcess

SCRIPT = Path(__file__).parents[2] / "local_test" / "drift.sh"
VALIDATION = toy_rows(400, 3, 11)
SETTINGS = {"num_train_epochs": "6", "abstain_below": "0.5", "max_seq_length": "32"}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return /opt/ml of a finished job with enough validation texts."""
    root = make_ml_root(tmp_path_factory.mktemp("job") / "ml", hyperparameters=SETTINGS, rows=96)
    write_csv(root / "input" / "data" / "validation" / "validation.csv", VALIDATION)
    outcome = train_forked(root)
    assert outcome.code == 0, outcome.log
    return root


@pytest.fixture(scope="module")
def server(job: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """Return the server of the job's model."""
    with ServingProcess(job, tmp_path_factory.mktemp("server") / "log") as server:
        server.wait_until_ready()
        yield server


@pytest.fixture
def recorder(server: ServingProcess, tmp_path: Path) -> Recorder:
    """Return what captures requests to the server."""
    return Recorder(server, tmp_path / "captured")


def compare(model: Path, data: Path, output: Path, *more: str) -> tuple[int, dict]:
    """Run the report; return its exit code and values."""
    arguments = ("--artifact", str(model), "--file", str(data), "--output", str(output), *more)
    code = run(arguments)
    written = output / "drift.json"
    return code, json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}


def test_training_keeps_what_its_validation_looks_like(job):
    """Counts of labels, predictions, scores and tokens are those of the served model on the validation file."""
    kept = json.loads((job / "model" / "baseline.json").read_text(encoding="utf-8"))
    artifact = load_artifact(job / "model")
    predictions = Predictor(artifact, 4096).predict([text for _, text in VALIDATION])
    scores = np.array([prediction.scores for prediction in predictions])
    measures = kept["measures"]
    assert kept["texts"] == len(VALIDATION)
    assert kept["source"] == "400 texts of the validation channel"
    assert dict(zip(measures["labels"]["names"], measures["labels"]["counts"], strict=True)) == {
        name: sum(label == name for label, _ in VALIDATION) for name in CLASS_NAMES[:3]
    }
    is_sure = scores.max(axis=1) >= 0.5
    assert measures["abstained"]["counts"] == [int(is_sure.sum()), int((~is_sure).sum())]
    assert (
        measures["predictions"]["counts"] == np.bincount(scores.argmax(axis=1)[is_sure], minlength=3).tolist()
    )
    edges = measures["scores"]["edges"]
    assert measures["scores"]["counts"] == np.histogram(scores.max(axis=1), edges)[0].tolist()
    encoded = artifact.encoder.encode_batch([text for _, text in VALIDATION])
    assert (
        measures["tokens"]["counts"]
        == np.histogram(encoded.text_lengths, measures["tokens"]["edges"])[0].tolist()
    )
    assert measures["truncated"]["counts"] == [int((~encoded.truncated).sum()), int(encoded.truncated.sum())]
    assert sum(measures["unknown_tokens"]["counts"]) == len(VALIDATION)
    text = (job / "model" / "baseline.json").read_text(encoding="utf-8")
    assert not any(words in text for _, words in VALIDATION)


def _csv(texts: list[str]) -> str:
    return "\n".join('"' + text.replace('"', '""') + '"' for text in texts)


def _npy(texts: list[str]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(texts))
    return file.getvalue()


FORMS: list[tuple[str, Callable[[list[str]], bytes | str], dict[str, str]]] = [
    ("application/json", lambda texts: json.dumps({"inputs": texts}), {}),
    ("application/json", lambda texts: json.dumps({"inputs": texts[0]}), {}),
    ("application/json", lambda texts: json.dumps({"inputs": texts[0], "parameters": {"top_k": 3}}), {}),
    ("application/json", lambda texts: json.dumps({"instances": [{"text": text} for text in texts]}), {}),
    ("application/json", lambda texts: json.dumps({"inputs": texts, "parameters": {"top_k": 2}}), {}),
    ("application/jsonlines", lambda texts: "\n".join(json.dumps({"text": text}) for text in texts), {}),
    ("text/csv", _csv, {}),
    ("text/csv; header=present", lambda texts: "text\n" + _csv(texts), {}),
    ("text/csv", _csv, {"Accept": "application/json"}),
    ("text/plain", lambda texts: "\n".join(texts), {}),
    ("application/x-npy", _npy, {}),
    ("application/json", lambda texts: json.dumps(texts), {"Accept": "text/csv"}),
    ("application/json", lambda texts: json.dumps(texts), {"Accept": "application/x-npy"}),
]


def test_the_same_texts_in_every_form_are_no_drift(job, recorder, tmp_path):
    """Each text and each answer is counted once, whichever form it has; the counts are those of the baseline's kind."""
    rows, sent = toy_rows(600, 3, 21), 0
    for number in range(0, len(rows), 6):
        content_type, encode, headers = FORMS[number // 6 % len(FORMS)]
        texts = [text for _, text in rows[number : number + 6]]
        body = encode(texts)
        sent += 1 if '"inputs": "' in str(body) else len(texts)
        recorder.send(content_type, body, **headers)
    code, values = compare(job / "model", recorder.save(), tmp_path / "out")
    read = values["read"]
    assert (read["requests"], read["texts"], read["answers"]) == (100, sent, sent)
    assert (read["refused"], read["refused_requests"], read["unreadable"]) == (0, 0, {})
    assert code == 0
    assert set(values["measures"]) == {
        "predictions", "scores", "abstained", "tokens", "truncated", "unknown_tokens"
    }  # fmt: skip
    assert {of["verdict"] for of in values["measures"].values()} <= {"no drift", "small difference"}


def test_what_the_server_refuses_and_what_is_damaged_is_counted(job, recorder, tmp_path):
    """Refused requests, refused records, cut lines, foreign types: none is silently dropped, none stops the report."""
    texts = [text for _, text in toy_rows(8, 3, 22)]
    recorder.send("application/json", json.dumps({"inputs": texts}))
    recorder.send("application/json", "{")
    recorder.send("application/xml", "<a/>")
    recorder.send("application/jsonlines", '{"text": "river ocean"}\n\n{"no": 1}')
    folder = recorder.save()
    damaged = ['{"captureData": {"endpointInput": {"data": "cut off', '{"captureData": {}}']
    answered = ("application/json", b'[{"label": "Nobody", "score": 0.9}]')
    damaged += [
        line(None, answered),
        line(("text/csv", b"a text"), None),
        '{"captureData": {"endpointInput": 3}}',
    ]
    strange = json.loads(line(("text/csv", b"a"), None))
    strange["captureData"]["endpointInput"]["encoding"] = "ROT13"
    (folder / "more.jsonl").write_text(
        "\n".join([damaged[2], *damaged[:2], *damaged[3:], json.dumps(strange)])
    )
    code, values = compare(job / "model", folder, tmp_path / "out")
    read = values["read"]
    assert code in (0, 1)
    assert (read["texts"], read["answers"]) == (8 + 1 + 1, 8 + 1)
    assert (read["refused_requests"], read["refused"]) == (2, 2)
    assert sum(read["unreadable"].values()) == 7, read["unreadable"]
    assert any("class that the model does not have" in reason for reason in read["unreadable"])
    page = (tmp_path / "out" / "drift.html").read_text(encoding="utf-8")
    assert all(reason.replace('"', "&#34;").replace("'", "&#39;") in page for reason in read["unreadable"])
    assert not any(text in page for text in texts)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row for row in toy_rows(900, 3, 23) if row[0] != "Gamma"], "predictions"),
        ([(label, text + " The more the less." * 12) for label, text in toy_rows(300, 3, 24)], "truncated"),
        (
            [
                (label, " ".join(f"été {word}" for word in text.split()))
                for label, text in toy_rows(300, 3, 25)
            ],
            "tokens",
        ),
        ([(label, text + " 日本 東京") for label, text in toy_rows(300, 3, 26)], "unknown_tokens"),
    ],
    ids=["a class is gone", "long texts", "another language", "another script"],
)
def test_real_shifts_are_found(job, recorder, tmp_path, rows, expected, caplog):
    """By the measure that they concern; exit code 1, and the log says what differs, without a text."""
    for label, text in rows:
        assert label
        recorder.send("application/json", json.dumps({"inputs": text}))
    with caplog.at_level("INFO", "bert_classifier"):
        code, values = compare(job / "model", recorder.save(), tmp_path / "out")
    assert code == 1
    assert values["measures"][expected]["verdict"] == "drift", values["measures"]
    assert "Drift: " in caplog.text
    assert "Next: " in caplog.text
    assert rows[0][1] not in caplog.text


def test_texts_alone_are_classified_here_and_an_archive_serves_as_the_model(job, tmp_path):
    """A file of texts has no answers: the model gives them; a model.tar.gz does as well as a folder."""
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(job / "model", arcname=".")
    texts = tmp_path / "texts.csv"
    texts.write_text("kind,text\n" + "".join(f'{label},"{text}"\n' for label, text in toy_rows(400, 3, 27)))
    code, values = compare(archive, texts, tmp_path / "out")
    assert code == 0
    assert values["read"]["answers"] == 0
    assert values["measures"]["predictions"]["texts"] == [
        sum(values["baseline"]["measures"]["predictions"]["counts"]),
        sum(values["observed"]["measures"]["predictions"]["counts"]),
    ]
    code, _ = compare(archive, texts, tmp_path / "again", "--baseline", str(tmp_path / "out" / "drift.json"))
    assert code == 0
    few = tmp_path / "few.csv"
    few.write_text("text\nriver ocean\n")
    code, values = compare(archive, few, tmp_path / "few")
    assert (code, values["verdict"]) == (0, "too few texts to tell")


def test_the_baseline_alone_compares_answers(job, server, tmp_path):
    """baseline.json in place of the model: answers of a batch transform are compared, texts cannot be measured."""
    texts = [text for _, text in toy_rows(300, 3, 28)]
    _, answer = server.invoke(
        "\n".join(json.dumps({"text": text}) for text in texts), "application/jsonlines"
    )
    output = tmp_path / "texts.jsonl.out"
    output.write_bytes(answer)
    code, values = compare(job / "model" / "baseline.json", output, tmp_path / "out")
    assert (code, values["read"]["answers"]) == (0, 300)
    assert set(values["measures"]) == {"predictions", "scores", "abstained"}
    _, answer = server.invoke(_csv(texts), "text/csv")
    rows = tmp_path / "texts.csv.out"
    rows.write_bytes(answer)
    code, again = compare(job / "model", rows, tmp_path / "rows")
    assert (code, again["observed"]["measures"]) == (0, values["observed"]["measures"])


def test_the_command_prints_where_the_report_is_and_ends_with_its_verdict(job, tmp_path):
    """Through the script: 0 without drift, 1 with it, 2 for what cannot be used."""
    texts, others = tmp_path / "texts.csv", tmp_path / "others.csv"
    texts.write_text("text\n" + "".join(f'"{text}"\n' for _, text in toy_rows(300, 3, 29)))
    others.write_text("text\n" + "river ocean harbour\n" * 200)
    for data, expected in ((texts, 0), (others, 1), (tmp_path / "none.csv", 2)):
        command = [str(SCRIPT), str(data), str(job / "model"), str(tmp_path / "report")]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert ended.returncode == expected, ended.stderr
        assert (f"Report: {tmp_path}/report/drift.html" in ended.stdout) == (expected < 2)
