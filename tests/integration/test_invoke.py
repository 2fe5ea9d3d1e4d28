"""`invoke` against moto: what is sent, what is shown of the answer, and what a refusal of the container means."""

import gzip
import json

import pytest

from support.aws import BUCKET, ROLE, Aws
from support.aws_stand_in import Answer
from support.hosting import HOST, TAG

LINES = b'{"text": "one"}\n{"text": ""}\n'
ANSWERS = [{"label": "Film", "score": 0.98}, {"error": "The text is empty", "code": "empty"}]


@pytest.fixture
def endpoint(aws: Aws) -> str:
    """Return the name of an endpoint that answers ANSWERS."""
    return make(aws)


def make(aws: Aws, **more: object) -> str:
    """Make an endpoint and what moto answers for it; return its name."""
    client = aws.client("sagemaker")
    client.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": f"{HOST}:{TAG}"})
    variant = {
        "VariantName": "v",
        "ModelName": "m",
        "InstanceType": "ml.m5.xlarge",
        "InitialInstanceCount": 1,
    }
    client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant], **more)
    client.create_endpoint(EndpointName="bert-classifier", EndpointConfigName="c")
    return "bert-classifier"


def test_a_text_is_sent_and_its_answer_shown(aws, endpoint):
    """JSON with the text; a line of score and class for each record, the reason where there is none."""
    path = f"/endpoints/{endpoint}/invocations"
    with aws.answering(**{path: Answer.json([ANSWERS])}) as here:
        ended = here.launch("invoke", "Ein Text", "--top-k=all")
    assert (ended.code, ended.out) == (0, "0.9800 Film   –      The text is empty (empty)\n"), ended.err
    ((_, body),) = aws.answered
    assert json.loads(body) == {"inputs": "Ein Text", "parameters": {"top_k": None}}
    with aws.answering(
        **{path: Answer.json([[{"label": "A", "score": 0.75}, {"label": "B", "score": 0.25}]])}
    ) as here:
        assert here.launch("invoke", "x", "--top-k=2").out == "0.7500 A   0.2500 B\n"
        assert json.loads(here.launch("invoke", "x", "--raw").out) == [
            [{"label": "A", "score": 0.75}, {"label": "B", "score": 0.25}]
        ]


def test_a_pair_is_sent_as_one_record(aws, endpoint):
    """An object with both texts; a line with its labels and their scores, or that it has none."""
    path = f"/endpoints/{endpoint}/invocations"
    several = {"labels": [{"label": "A", "score": 0.9}, {"label": "B", "score": 0.6}]}
    for answer, line in ((several, "0.9000 A   0.6000 B\n"), ({"labels": []}, "–      no label\n")):
        with aws.answering(**{path: Answer.json(answer)}) as here:
            ended = here.launch("invoke", "Is it?", "--text-pair=It is.")
        assert (ended.code, ended.out) == (0, line), ended.err
    _, (_, body) = aws.answered
    assert json.loads(body) == {"inputs": {"text": "Is it?", "text_pair": "It is."}}


def test_an_inference_component_is_asked_by_its_name(aws, endpoint):
    """In the header that SageMaker takes it from; without the setting there is none."""
    header, path = "X-Amzn-SageMaker-Inference-Component", f"/endpoints/{endpoint}/invocations"
    with aws.answering(**{path: Answer.json([ANSWERS])}) as here:
        for arguments in (("--component=my-model",), ()):
            assert here.launch("invoke", "a text", *arguments).code == 0
            dry = json.loads(aws.launch("invoke", "a text", "--dry-run", *arguments).out)[0]["InvokeEndpoint"]
            assert dry["headers"].get(header) == ("my-model" if arguments else None)


def test_a_file_is_sent_as_it_is(aws, endpoint, tmp_path):
    """Its bytes, its form by its suffix, the form of the answer; exactly this reaches the endpoint."""
    file = tmp_path / "texts.csv"
    file.write_bytes(b'"ein, Text"\r\n')
    assert aws.launch("invoke", f"--file={file}", "--accept=text/csv").code == 0
    ((headers, body),) = aws.invocations()
    assert body == file.read_bytes()
    assert (headers["Content-Type"], headers["Accept"]) == ("text/csv", "text/csv")


@pytest.mark.parametrize(
    ("name", "content", "settings", "content_type", "body"),
    [
        ("train.csv", b"label,text\n7,one\n", (), "text/csv", b"label,text\n7,one\n"),
        ("train.tsv", b"label\ttext\n7\tone\n", (), "text/csv", b"label\ttext\n7\tone\n"),
        ("a.json", b'[{"text": "one"}]', (), "application/json", b'[{"text": "one"}]'),
        ("a.csv", b'"odd" row\n', (), "text/csv", b'"odd" row\n'),
        ("a.csv.gz", gzip.compress(b"label,text\n7,one\n3,\n", mtime=0), (), "application/jsonlines", LINES),
        ("a.csv", "label,text\n7,one\n3,\n".encode("utf-16"), (), "application/jsonlines", LINES),
        ("a.txt", b"__label__A one\n__label__B\n", (), "application/jsonlines", LINES),
        (
            "a.csv", "label,text\n7,ünder\n".encode("cp1252"), ("--encoding=cp1252",), "application/jsonlines",
            '{"text": "ünder"}\n'.encode(),
        ),
        (
            "a.csv", b"a,b,c\n7,one,two\n", ("--text-column=b", "--text-pair-column=c"), "application/jsonlines",
            b'{"text": "one", "text_pair": "two"}\n',
        ),
        ("a.csv", b"text,text_pair\none,two\n", (), "text/csv", b"text,text_pair\none,two\n"),
        ("a.csv", b"a,b\n7,one\n", ("--text-column=b",), "application/jsonlines", b'{"text": "one"}\n'),
        ("a.csv", b"a,b\n7,one\n", ("--content-type=text/plain",), "text/plain", b"a,b\n7,one\n"),
    ],
)  # fmt: skip
def test_any_file_that_trains_is_sent(aws, endpoint, tmp_path, name, content, settings, content_type, body):
    """As it is where the server reads it, or else as JSON Lines."""
    file = tmp_path / name
    file.write_bytes(content)
    ended = aws.launch("invoke", f"--file={file}", *settings)
    assert ended.code == 0, ended.err
    ((headers, sent),) = aws.invocations()
    assert (headers["Content-Type"], sent) == (content_type, body)
    assert ("sent as JSON Lines" in ended.err) == (content != body)


def test_the_classes_of_a_files_texts_are_asked_for_beside_the_form(aws, endpoint, tmp_path):
    """Whose body has no place for it."""
    file = tmp_path / "a.txt"
    file.write_text("one\n")
    assert aws.launch("invoke", f"--file={file}", "--top-k=3").code == 0
    ((headers, _),) = aws.invocations()
    assert headers["Accept"] == "application/json; top_k=3"


def test_a_dry_run_shows_the_request(aws, endpoint):
    """Address, headers and body; nothing is sent."""
    ended = aws.launch("invoke", "a text", "--dry-run")
    assert ended.code == 0, ended.err
    ((operation, request),) = json.loads(ended.out)[0].items()
    assert operation == "InvokeEndpoint"
    assert request["url"].endswith(f"/endpoints/{endpoint}/invocations")
    assert request["headers"]["Content-Type"] == "application/json"
    assert json.loads(request["body"]) == {"inputs": "a text"}
    assert aws.invocations() == []


def failing(status: int, message: object) -> Answer:
    """Return what SageMaker answers when the container has failed."""
    body = {"Message": "Received error", "OriginalStatusCode": status, "OriginalMessage": json.dumps(message)}
    expected = json.dumps({**body, "LogStreamArn": "arn"}).encode()
    return Answer(424, "application/json", expected, {"x-amzn-errortype": "ModelError"})


@pytest.mark.parametrize(
    ("status", "message", "code", "expected"),
    [
        (415, {"error": "It is compressed", "code": "type"}, 2, "answered 415: It is compressed (type)."),
        (503, {"error": "Not ready", "code": "ready"}, 3, "answered 503: Not ready (ready). Its log: arn"),
        (500, "no object", 3, 'answered 500: "no object".'),
    ],
)
def test_the_containers_refusal_is_reported_in_its_own_words(aws, endpoint, status, message, code, expected):
    """One sentence; what is wrong with the request is yours, the rest the platform's."""
    with aws.answering(**{f"/endpoints/{endpoint}/invocations": failing(status, message)}) as here:
        ended = here.launch("invoke", "a text")
    assert ended.code == code
    assert expected in ended.err
    assert "Traceback" not in ended.err


def test_an_asynchronous_endpoint_is_asked_through_s3(aws):
    """The request is uploaded beside the folder of answers, and the answer read from where it will lie."""
    output = {"S3OutputPath": f"s3://{BUCKET}/mine/async/bert-classifier/output/"}
    endpoint = make(aws, AsyncInferenceConfig={"OutputConfig": output})
    described = {
        "EndpointName": endpoint, "EndpointStatus": "InService", "EndpointConfigName": "c",
        "AsyncInferenceConfig": {"OutputConfig": output},
    }  # fmt: skip
    place = f"s3://{BUCKET}/mine/async/bert-classifier/output/answer.out"
    path = f"/endpoints/{endpoint}/async-invocations"
    accepted = Answer(202, "application/json", b"{}", {"X-Amzn-SageMaker-OutputLocation": place})
    aws.put("mine/async/bert-classifier/output/answer.out", json.dumps(ANSWERS[:1]))
    with aws.answering(DescribeEndpoint=Answer.json(described), **{path: accepted}) as here:
        refused = here.launch("invoke", "a text", "--component=my-model")
        assert (
            "COMPONENT would do nothing: SageMaker asks no inference component asynchronously" in refused.err
        )
        ended = here.launch("invoke", "a text", "--invocation-timeout=60")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("0.9800 Film\n")
    (uploaded,) = [key for key in aws.stored() if "/async/bert-classifier/input/" in key]
    stored = aws.client("s3").get_object(Bucket=BUCKET, Key=uploaded)["Body"].read()
    assert json.loads(stored) == {"inputs": "a text"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a text", "--endpoint=other"), "There is no endpoint other in us-east-1. Create it: make deploy."),
        ((), 'There is nothing to classify. Give TEXT="…" or FILE=texts.csv.'),
        (("--file=README.md",), "The media type of README.md is unknown."),
        (
            ("--file=Makefile", "--content-type=text/plain", "--top-k=3", "--accept=text/csv; top_k=2"),
            "ACCEPT says which classes",
        ),
        (("a text", "--encoding=cp1252"), "ENCODING would do nothing: it is for FILE"),
        (("--text-pair=two",), "TEXT_PAIR is given without the first text."),
        (("--file=README.md", "--text-pair=two"), "TEXT_PAIR"),
        (("--file=none.csv",), "Cannot read none.csv: No such file or directory. Correct FILE."),
    ],
)
def test_what_cannot_be_asked_is_reported(aws, endpoint, arguments, expected):
    """Cause and remedy."""
    ended = aws.launch("invoke", *arguments)
    assert ended.code == 2
    assert expected in ended.err
