"""`drift ENDPOINT=` against moto: what an endpoint captured is downloaded with its model, and compared."""

import datetime
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.artifact.profile import LABELS, Profile, write_profile
from bert_classifier.artifact.profile_values import answer_values
from support.aws import BUCKET, REPOSITORY, ROLE, Aws
from support.aws_stand_in import Answer, s3_error
from support.captured import line
from support.hosting import HOST, TAG
from support.patience import PATIENCE_S

NOW = datetime.datetime.now(datetime.UTC)
FOLDER = "mine/capture/bert-classifier"
CAPTURE = {
    "EnableCapture": True,
    "CaptureStatus": "Started",
    "CurrentSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/mine/capture",
    "KmsKeyId": "",
}
MODEL = "mine/jobs/a-job/output/model.tar.gz"


def describing(**more: object) -> Answer:
    """Return SageMaker's description of the endpoint."""
    described = {"EndpointName": "bert-classifier", "EndpointStatus": "InService", "EndpointConfigName": "c"}
    return Answer.json({**described, "DataCaptureConfig": CAPTURE, **more})


def key_of(hours_ago: float, name: str = "00-00-000-a.jsonl", variant: str = "AllTraffic") -> str:
    """Return the key that SageMaker gives a captured file."""
    return f"{FOLDER}/{variant}/{NOW - datetime.timedelta(hours=hours_ago):%Y/%m/%d/%H}/{name}"


def make_model(aws: Aws) -> None:
    """Make a model and a configuration of the endpoint."""
    client = aws.client("sagemaker")
    container = {"Image": f"{HOST}:{TAG}", "ModelDataUrl": f"s3://{BUCKET}/{MODEL}"}
    client.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {
        "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 1,
    }  # fmt: skip
    client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])


def names_in(folder: Path) -> list[str]:
    """Return the paths of all files in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_was_captured_lately_is_downloaded_with_the_model(aws, tmp_path):
    """Files of the last hours of all variants, and no others; nothing is changed; a second run downloads none again."""
    make_model(aws)
    aws.put(MODEL, "an archive")
    wanted = [key_of(0), key_of(3), key_of(20, variant="Canary")]
    for key in (
        *wanted,
        key_of(40),
        f"{FOLDER}/AllTraffic/notes.txt",
        f"{FOLDER}2/AllTraffic/2026/11/28/00/x.jsonl",
    ):
        aws.put(key, "captured\n")
    with aws.answering(DescribeEndpoint=describing()) as here:
        ended = here.launch("drift", f"--output={tmp_path}")
        assert ended.code == 0, ended.err
        assert names_in(tmp_path) == sorted(
            [*(f"captured/{key.removeprefix('mine/capture/')}" for key in wanted), "model.tar.gz"]
        )
        aws.start_recording()
        assert here.launch("drift", f"--output={tmp_path}").code == 0
        fetched = [
            sent["url"] for sent in aws.recorded() if sent["method"] == "GET" and ".jsonl" in sent["url"]
        ]
        assert fetched == []
        shown = here.launch("drift", f"--output={tmp_path / 'dry'}", "--dry-run", "--since=3d")
        assert (shown.code, "would download 4 files" in shown.err) == (0, True)
        requests = [one["GetObject"]["Key"] for one in json.loads(shown.out)]
        assert set(requests) == {*wanted, key_of(40), MODEL}
        assert not (tmp_path / "dry").exists()
    assert not [name for name in aws.operations() if not name.startswith("Describe")]


def test_the_newest_files_come_first_where_there_are_too_many(aws, tmp_path):
    """MAX_MB bounds what is downloaded, and what is left out is said; a given model is not downloaded."""
    for hours in (1, 2, 3):
        aws.put(key_of(hours), "x" * 600_000)
    with aws.answering(
        DescribeEndpoint=describing(DataCaptureConfig={**CAPTURE, "CaptureStatus": "Stopped"})
    ) as here:
        ended = here.launch("drift", f"--output={tmp_path}", "--max-mb=1", "--artifact=my/model")
    assert ended.code == 0, ended.err
    assert names_in(tmp_path) == [f"captured/{key_of(1).removeprefix('mine/capture/')}"]
    assert "2 older files are left out" in ended.err
    assert "no longer captures its requests" in ended.err


def test_the_oldest_are_left_out_where_a_variant_has_too_many_files(aws, launch, tmp_path, monkeypatch):
    """The number of files is bounded too, and those left out are counted."""
    monkeypatch.setattr("launcher.aws.captured.MOST_FILES", 2)
    for hours in (1, 2, 3, 4, 5):
        aws.put(key_of(hours), "captured\n")
    with aws.answering(DescribeEndpoint=describing()) as here:
        ended = launch("drift", f"--output={tmp_path}", "--artifact=my/model", here=here)
    assert ended.code == 0, ended.err
    assert names_in(tmp_path) == sorted(
        f"captured/{key_of(hours).removeprefix('mine/capture/')}" for hours in (1, 2)
    )
    assert "3 older files are left out" in ended.err


@pytest.mark.parametrize(
    ("answer", "code", "expected"),
    [
        (Answer.refusal("ValidationException"), 2, "There is no endpoint bert-classifier in us-east-1."),
        (
            describing(DataCaptureConfig={}),
            2,
            "make deploy ENDPOINT=bert-classifier MODEL_DATA=… CAPTURE=100 (or JOB",
        ),
        (describing(), 2, "has captured nothing in the last 24h"),
        (Answer.refusal("ThrottlingException", "Rate exceeded"), 3, "AWS did not answer DescribeEndpoint"),
        (Answer.refusal("ExpiredTokenException"), 2, "credentials have expired"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(aws, tmp_path, answer, code, expected):
    """No endpoint, no capture, nothing captured, throttled, expired: cause, remedy, exit code; nothing is written."""
    with aws.answering(DescribeEndpoint=answer) as here:
        ended = here.launch("drift", f"--output={tmp_path / 'out'}", AWS_MAX_ATTEMPTS="1")
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert expected in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out").exists()


def test_a_bucket_that_may_not_be_read_is_one_sentence(aws, tmp_path):
    """S3's refusal of the list, and of an object."""
    denied = s3_error("AccessDenied", 403, "Access Denied")
    for replies in (
        {f"GET /{BUCKET}": denied},
        {f"GET /{BUCKET}/mine": denied, f"HEAD /{BUCKET}/mine": denied},
    ):
        aws.put(key_of(1), "captured\n")
        with aws.answering(DescribeEndpoint=describing(), **replies) as here:
            ended = here.launch("drift", f"--output={tmp_path}", "--artifact=my/model")
        assert ended.code == 2, ended.err
        assert "You may not call" in ended.err or "403" in ended.err


@pytest.mark.parametrize("value", ["yesterday", "0h", "9999d"])
def test_a_span_that_is_none_is_refused(aws, value):
    """With what SINCE accepts."""
    ended = aws.launch("drift", f"--since={value}")
    assert ended.code == 2
    assert "24h, 7d or 2w" in ended.err


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_make_drift_compares_what_an_endpoint_captured(aws, tmp_path, share):
    """From the endpoint's name to the page: equal shares of classes, or others; make itself ends with 2 for a drift."""
    draw = np.random.default_rng(0)
    even = 0.5 + 0.4 * (draw.random((500, 1)) - 0.5) * [1, -1]
    values = {**answer_values(even, 0), LABELS: even.argmax(axis=1)}
    baseline = tmp_path / "baseline.json"
    write_profile(baseline, Profile.of("500 simulated texts", 500, ["Alpha", "Beta"], values))
    scores = draw.choice(even.max(axis=1), 300)
    answers = [
        {"label": "Alpha" if first < share else "Beta", "score": float(score)}
        for first, score in zip(draw.random(300), scores, strict=True)
    ]
    captured = [
        line(
            ("application/json", b'"a text"'),
            ("application/json", json.dumps([answer]).encode()),
            f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        )
        for answer in answers
    ]
    aws.put(key_of(0), "\n".join(captured))
    of_another = tmp_path / "out" / "captured" / "another" / "AllTraffic" / f"{NOW:%Y/%m/%d/%H}" / "a.jsonl"
    of_another.parent.mkdir(parents=True)
    of_another.write_text(captured[0], encoding="utf-8")
    with aws.answering(DescribeEndpoint=describing()) as here:
        settings = ("ENDPOINT=bert-classifier", f"ARTIFACT={baseline}", f"OUTPUT={tmp_path}/out")
        command = ["make", "drift", "ENGINE=process", *settings]
        shown = subprocess.run(
            [*command, "DRY_RUN=true"],
            cwd=REPOSITORY,
            env=here.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (shown.returncode, "GetObject" in shown.stdout) == (0, True), shown.stderr
        assert not (tmp_path / "out" / "drift.html").exists()
        ended = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=here.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert f"Report: {tmp_path}/out/drift.html" in ended.stdout, ended.stderr
    assert ended.returncode == (2 if share > 0.5 else 0), ended.stdout + ended.stderr
    values = json.loads((tmp_path / "out" / "drift.json").read_text(encoding="utf-8"))
    assert values["measures"]["predictions"]["verdict"] == ("drift" if share > 0.5 else "no drift")
    assert values["measures"]["scores"]["verdict"] == "no drift"
    assert values["read"]["requests"] == 300
