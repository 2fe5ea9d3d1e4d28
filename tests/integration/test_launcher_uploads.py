"""Uploads against S3's own refusals, foreign buckets and files that change meanwhile: nothing is started with them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.aws import ACCOUNT, BUCKET, REGION, ROLE, Aws, Ended
from support.aws_stand_in import s3_error
from support.fakes import toy_rows
from support.hosting import ARTIFACT, GPU_TAG, TAG, prepare

DEFAULT_BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
STRANGER = "999999999999"


@pytest.fixture
def aws(aws: Aws) -> Aws:
    """Return the account, with what every command needs."""
    prepare(aws)
    aws.put_image("bert-classifier", GPU_TAG)
    aws.client("s3").create_bucket(Bucket=DEFAULT_BUCKET)
    return aws


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a CSV of labelled texts."""
    path = tmp_path / "train.csv"
    path.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def train(data: Path) -> Callable[..., Ended]:
    """Return a function that starts a job, and does not wait for it."""
    always = (f"--role={ROLE}", f"--image-tag={GPU_TAG}", f"--train={data}", "--no-wait")
    return lambda here, *arguments: here.launch("train", *always, *arguments)


@pytest.mark.parametrize(
    ("answer", "code", "expected"),
    [
        (s3_error("AccessDenied", 403, "Access Denied"), 2, "You may not call PutObject: Access Denied. Ask"),
        (s3_error("ExpiredToken", 400), 2, "UserError: The AWS credentials have expired. Log in again"),
        (s3_error("SlowDown", 503, "Slower"), 3, "PlatformError: AWS did not answer PutObject: Slower. Try"),
    ],
    ids=["denied", "expired", "busy"],
)
def test_a_refused_upload_is_reported_and_nothing_is_started(aws, train, answer, code, expected):
    """By S3 itself, through the transfer library: one sentence and its remedy, no traceback."""
    with aws.answering(**{f"PUT /{BUCKET}/mine/data/": answer}) as here:
        ended = train(here, f"--s3-prefix=s3://{BUCKET}/mine")
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert expected in ended.err
    assert "Traceback" not in ended.err
    assert aws.requests("CreateTrainingJob") == []


def expected_owners(aws: Aws, bucket: str) -> set[str | None]:
    """Return the owners that the requests to a bucket expected; None for one that expected none."""
    sent = [request for request in aws.recorded() if f"/{bucket}" in request["url"].split("?")[0]]
    headers = [{name.lower(): value for name, value in dict(request["headers"]).items()} for request in sent]
    return {one.get("x-amz-expected-bucket-owner") for one in headers}


@pytest.mark.slow
def test_every_request_to_the_default_bucket_expects_your_own_account(aws, train, data):
    """Listing, head, upload of train, deploy and batch-transform, and whatever the SDK itself may send."""
    aws.client("s3").put_object(Bucket=DEFAULT_BUCKET, Key="m/model.tar.gz", Body=b"x")
    model = (f"--role={ROLE}", f"--image-tag={TAG}", f"--model-data=s3://{DEFAULT_BUCKET}/m/model.tar.gz")
    texts = data.with_name("texts.txt")
    texts.write_text("a text\n", encoding="utf-8")
    aws.start_recording()
    for ended in (
        train(aws),
        aws.launch("deploy", *model, "--no-wait"),
        aws.launch("batch-transform", *model, f"--input={texts}", "--no-wait"),
    ):
        assert ended.code == 0, ended.err
    assert expected_owners(aws, DEFAULT_BUCKET) == {ACCOUNT}


def test_a_default_bucket_of_somebody_else_is_refused(aws, train):
    """Everybody can work its name out, and make it first."""
    with aws.answering({DEFAULT_BUCKET: STRANGER}) as here:
        ended = train(here)
    assert ended.code == 2
    assert (
        f"{DEFAULT_BUCKET} does not belong to account {ACCOUNT}: its owner would get your data" in ended.err
    )
    assert "Use your own bucket: S3_PREFIX" in ended.err
    assert aws.requests("CreateTrainingJob") == []
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=DEFAULT_BUCKET)


@pytest.mark.slow
def test_a_named_bucket_must_belong_to_the_account_that_is_named(aws, train):
    """BUCKET_OWNER counts for every request."""
    prefix = f"--s3-prefix=s3://{BUCKET}/mine"
    with aws.answering({BUCKET: STRANGER}) as here:
        refused = train(here, prefix, f"--bucket-owner={ACCOUNT}")
        assert refused.code == 2
        assert f"{BUCKET} does not belong to account {ACCOUNT}" in refused.err
        aws.start_recording()
        assert train(here, prefix, f"--bucket-owner={STRANGER}").code == 0
    assert expected_owners(aws, BUCKET) == {STRANGER}


@pytest.mark.parametrize("megabytes", [0, 20])
def test_a_file_that_changes_before_its_upload_starts_nothing_and_makes_no_object(
    aws, train, data, megabytes
):
    """What is uploaded is what the folder is named after, in one piece or in parts; never other bytes of that size."""
    content = data.read_bytes() + b"Alpha,a text of fifty bytes and give or take one or two\n" * (
        megabytes * 20_000
    )
    data.write_bytes(content)

    def edit(_: object) -> None:
        data.write_bytes(content.replace(b"Alpha", b"Gamma"))

    with aws.answering(**{f"GET /{BUCKET}?list-type=2&prefix=mine%2Fdata": edit}) as here:
        ended = train(here, f"--s3-prefix=s3://{BUCKET}/mine")
    assert ended.code == 2, ended.err
    assert f"{data} changed during the upload, so nothing was started. Try again" in ended.err
    assert [key for key in aws.stored() if f"s3://{BUCKET}/{key}" != ARTIFACT] == []
    assert aws.requests("CreateTrainingJob") == []


@pytest.mark.slow
def test_a_job_reads_the_folder_that_was_uploaded(aws, train, data):
    """A file that changes once it has been sent is not digested anew for the request."""

    def edit(_: object) -> None:
        data.write_text("Beta,another\n", encoding="utf-8")

    with aws.answering(**{f"PUT /{BUCKET}/mine/data/": edit}) as here:
        assert train(here, f"--s3-prefix=s3://{BUCKET}/mine").code == 0
    (request,) = aws.requests("CreateTrainingJob")[:1]
    uri = request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert [f"s3://{BUCKET}/{key}" for key in aws.stored() if key.endswith(".csv")] == [f"{uri}train.csv"]
