"""`batch-transform` against moto: the requests field by field, what is uploaded, what is refused before."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.aws import BUCKET, ROLE, Aws, Ended
from support.aws_stand_in import Answer
from support.hosting import ARTIFACT, HOST, OWN_TAG, TAG, WITH_MODEL, left, only, prepare


@pytest.fixture
def transform(aws: Aws) -> Callable[..., Ended]:
    """Return a function that runs a batch transform with an artifact and an image that are there."""
    prepare(aws)
    always = (*WITH_MODEL, f"--s3-prefix=s3://{BUCKET}/mine")
    return lambda *arguments, here=aws, **environ: here.launch(
        "batch-transform", *always, *arguments, **environ
    )


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Return a CSV of texts."""
    path = tmp_path / "texts.csv"
    path.write_text('"a text"\n"another, with a comma"\n', encoding="utf-8")
    return path


def test_the_requests_are_exactly_these(transform, aws, texts):
    """Lines in, lines out, in the form of the texts; the answers' folder alone on standard output; the model goes."""
    ended = transform(f"--input={texts}", "--job-name=a-transform")
    assert (ended.code, ended.out) == (0, f"s3://{BUCKET}/mine/transform/output/a-transform/\n"), ended.err
    (uploaded,) = [key for key in aws.stored() if key.endswith("texts.csv")]
    assert only(aws.requests("CreateTransformJob")) == {
        "TransformJobName": "a-transform",
        "ModelName": "a-transform",
        "MaxConcurrentTransforms": 1,
        "MaxPayloadInMB": 6,
        "BatchStrategy": "MultiRecord",
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": 3600, "InvocationsMaxRetries": 3},
        "TransformInput": {
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": f"s3://{BUCKET}/{uploaded.removesuffix('texts.csv')}",
                }
            },
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://{BUCKET}/mine/transform/output/a-transform/",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        "Tags": [OWN_TAG],
    }
    assert only(aws.requests("CreateModel")) == {
        "ModelName": "a-transform",
        "PrimaryContainer": {"Image": f"{HOST}:{TAG}", "ModelDataUrl": ARTIFACT, "Environment": {}},
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": False,
        "Tags": [OWN_TAG],
    }
    assert only(aws.requests("DeleteModel")) == {"ModelName": "a-transform"}


def test_instances_with_gpus_are_refused_for_their_driver(transform, aws, texts):
    """SageMaker documents 535 at most; before anything is uploaded or made, with what works instead."""
    ended = transform(f"--input={texts}", "--instance-type=ml.g5.xlarge", "--image-tag=gpu-0123456789ab")
    assert ended.code == 2
    assert "batch transform has at most driver 535, but the image's CUDA 13.0 needs 580" in ended.err
    assert "INSTANCE_TYPE=ml.m5.xlarge" in ended.err
    assert aws.requests("CreateModel") == []


def test_every_option_reaches_the_requests(transform, aws):
    """Texts in S3, another place for answers, size and strategy of requests, keys, tags; the server takes as much."""
    aws.put("texts/part-1.jsonl", '"a text"\n')
    ended = transform(
        f"--input=s3://{BUCKET}/texts/", f"--output=s3://{BUCKET}/answers", "--instance-type=ml.c5.xlarge",
        "--instance-count=2", "--strategy=SingleRecord", "--max-payload=50", "--max-concurrent=2",
        "--output-kms-key=key-2", "--volume-kms-key=key-1", "--tags=team=nlp", "--accept=text/csv", "--no-wait",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    request = only(aws.requests("CreateTransformJob"))
    assert ended.out.strip() == request["TransformJobName"]
    assert request["TransformInput"]["ContentType"] == "application/jsonlines"
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/texts/"
    assert request["TransformOutput"] == {
        "S3OutputPath": f"s3://{BUCKET}/answers/", "Accept": "text/csv", "AssembleWith": "Line", "KmsKeyId": "key-2",
    }  # fmt: skip
    assert request["TransformResources"] == {
        "InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeKmsKeyId": "key-1",
    }  # fmt: skip
    assert (request["BatchStrategy"], request["MaxPayloadInMB"], request["MaxConcurrentTransforms"]) == (
        "SingleRecord",
        50,
        2,
    )
    assert request["Tags"] == [{"Key": "team", "Value": "nlp"}, OWN_TAG]
    container = only(aws.requests("CreateModel"))["PrimaryContainer"]
    assert container["Environment"] == {"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50"}
    assert left(aws)[2] == 1  # the job needs it still


def test_a_prefix_takes_its_folder_and_no_other_that_begins_so(transform, aws):
    """`in` means in/, not in-old/ as well."""
    aws.put("in/part-1.txt", "a text\n")
    aws.put("in-old/part-1.csv", "another\n")
    ended = transform(f"--input=s3://{BUCKET}/in", "--no-wait")
    assert ended.code == 0, ended.err
    request = only(aws.requests("CreateTransformJob"))
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/in/"
    assert request["TransformInput"]["ContentType"] == "text/plain"


def test_answers_do_not_go_among_the_texts_or_over_others_unseen(transform, aws):
    """A second run would read the first one's answers; files that are there already are reported."""
    aws.put("in/part-1.txt", "a text\n")
    aws.put("answers/part-1.txt.out", "{}\n")
    among = transform(f"--input=s3://{BUCKET}/in", f"--output=s3://{BUCKET}/in/out")
    assert among.code == 2
    assert "is in the folder of the texts" in among.err
    ended = transform(f"--input=s3://{BUCKET}/in", f"--output=s3://{BUCKET}/answers", "--no-wait")
    assert ended.code == 0, ended.err
    assert "it already holds 1 object(s)" in ended.err


def test_a_dry_run_prints_both_requests_and_sends_none(transform, aws, texts):
    """Nothing is uploaded either."""
    ended = transform(f"--input={texts}", "--dry-run")
    assert ended.code == 0, ended.err
    assert [name for request in json.loads(ended.out) for name in request] == [
        "CreateModel",
        "CreateTransformJob",
    ]
    assert left(aws) == (0, 0, 0)
    assert [key for key in aws.stored() if "transform" in key] == []


def test_a_job_that_fails_or_is_refused_leaves_no_model(transform, aws, texts):
    """SageMaker's reason and the predictions so far are reported; then the model is removed."""
    failed = {"TransformJobStatus": "Failed", "FailureReason": "ClientError: See job logs."}
    with aws.answering(DescribeTransformJob=Answer.json(failed)) as here:
        ended = transform(f"--input={texts}", here=here)
    assert ended.code == 2
    assert "is Failed: ClientError: See job logs. Its log: /aws/sagemaker/TransformJobs" in ended.err
    refusal = Answer.refusal("ResourceLimitExceeded", "The limit is 0.")
    with aws.answering(CreateTransformJob=refusal) as here:
        ended = transform(f"--input={texts}", here=here)
    assert "“ml.m5.xlarge for transform job usage”" in ended.err
    assert left(aws) == (0, 0, 0)


def test_a_lost_answer_leaves_the_model_to_the_job(transform, aws, texts):
    """The library's second request finds the job of its first one, which needs the model."""
    lost = Answer.json({"__type": "InternalFailure", "message": "no"}, 500)
    with aws.answering(CreateTransformJob=[lost, Answer.refusal("ResourceInUse", "There is one.")]) as here:
        ended = transform(f"--input={texts}", "--job-name=a-job", here=here)
    assert ended.code == 2
    assert "accepted the request, so the model a-job stays: aws sagemaker describe-transform-job" in ended.err
    assert left(aws)[2] == 1


def test_all_problems_are_reported_at_once_and_nothing_is_sent(transform, aws, tmp_path):
    """A text over two lines, which SageMaker would cut; more than it holds; a machine that it has not."""
    (tmp_path / "texts.csv").write_text('fine\n"a text\nover two lines"\n', encoding="utf-8")
    ended = transform(
        f"--input={tmp_path}", "--max-payload=60", "--max-concurrent=2", "--instance-type=ml.m9.xlarge",
        "--content-type=text/csv",
    )  # fmt: skip
    assert ended.code == 2
    for expected in (
        "texts.csv line 2 has a text with a line break, at which SageMaker splits it",
        "MAX_CONCURRENT=2 × MAX_PAYLOAD=60 is above 100",
        "SageMaker has no 'ml.m9.xlarge' for batch transform",
    ):
        assert expected in ended.err
    assert "CreateModel" not in aws.operations()
    assert "The media type of README.md is unknown" in transform("--input=README.md").err
    assert "No texts are given. Give INPUT=texts.csv" in transform().err


def stored(aws: Aws) -> dict[str, bytes]:
    """Return the texts that were uploaded, by name."""
    keys = [key for key in aws.stored() if "/transform/input/" in key]
    client = aws.client("s3")
    return {key.rpartition("/")[2]: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def test_training_data_are_classified_as_they_are(transform, aws, tmp_path):
    """The rows byte for byte, their columns and what to answer in variables, each prediction beside its row."""
    path = tmp_path / "train.csv"
    path.write_bytes(b'label,text\r\n7,"one, two"\r\n\r\n3,three')
    ended = transform(
        f"--input={path}", "--inference-output=predicted_label,probabilities", "--join", "--no-wait"
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert stored(aws) == {"train.csv": b'7,"one, two"\r\n\r\n3,three'}
    request = only(aws.requests("CreateTransformJob"))
    assert request["DataProcessing"] == {"JoinSource": "Input"}
    assert (request["TransformInput"]["ContentType"], request["TransformOutput"]["Accept"]) == (
        "text/csv",
        "text/csv",
    )
    assert only(aws.requests("CreateModel"))["PrimaryContainer"]["Environment"] == {
        "SERVING_CSV_COLUMNS": "label,text",
        "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probabilities",
    }
    assert "train.csv: CSV; text: text; label: label, ignored; sent without its header row" in ended.err
    assert "columns of the output: label,text,predicted_label,probability_…" in ended.err


def test_what_the_server_does_not_read_is_sent_as_json_lines(transform, aws, tmp_path):
    """What was written anew is removed from this machine; joined to the file it cannot be."""
    path = tmp_path / "reviews.csv.gz"
    path.write_bytes(gzip.compress("review;stars\nünder;5\n;4\n".encode()))
    (scratch := tmp_path / "scratch").mkdir()
    ended = transform(f"--input={path}", "--no-wait", TMPDIR=str(scratch))
    assert ended.code == 0, ended.err
    assert stored(aws) == {"reviews.jsonl": '{"text": "ünder"}\n{"text": ""}\n'.encode()}
    request = only(aws.requests("CreateTransformJob"))
    assert request["TransformInput"]["ContentType"] == "application/jsonlines"
    assert only(aws.requests("CreateModel"))["PrimaryContainer"]["Environment"] == {}
    assert "reviews.csv.gz: gzipped CSV with ';' between cells; text: review; label: stars" in ended.err
    assert "1 row of 2 without a text, each answered with an error: line 3: the text is empty" in ended.err
    assert list(scratch.iterdir()) == []
    refused = transform(f"--input={path}", "--join")
    assert refused.code == 2
    assert "join: predictions cannot be joined to files that are sent as JSON Lines" in refused.err


def test_columns_of_csv_in_s3_are_handed_over(transform, aws):
    """Nothing is rewritten there; without them the plan says that rows are taken as texts."""
    aws.put("in/part-1.csv", "7,one\n")
    ended = transform(f"--input=s3://{BUCKET}/in", "--columns=label,text", "--dry-run")
    assert ended.code == 0, ended.err
    assert '"SERVING_CSV_COLUMNS": "label,text"' in ended.out
    alone = transform(f"--input=s3://{BUCKET}/in", "--dry-run")
    assert "SERVING_CSV_COLUMNS" not in alone.out
    assert "CSV in S3 is taken as texts alone" in alone.err
    assert "COLUMNS=label,text" in alone.err
