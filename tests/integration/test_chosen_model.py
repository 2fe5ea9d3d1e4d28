"""`deploy` of what the Model Registry and a tuning job hold, against moto: approved, with its image, or refused."""

import json
from collections.abc import Callable

import pytest

from support.aws import ROLE, Aws, Ended
from support.aws_stand_in import Answer
from support.hosting import ARTIFACT, HOST, TAG, left, only, updating
from support.registry import JOB
from support.tuning import searching, trial


@pytest.fixture
def deploy(register: Callable[..., Ended], aws: Aws) -> Callable[..., Ended]:
    """Return a function that deploys, once a version is registered; tags of the image stay as they are."""
    assert register().code == 0
    return lambda *arguments, here=aws: here.launch(
        "deploy", f"--role={ROLE}", *arguments, LAUNCHER_IMAGE_TAG="cpu-of-now"
    )


def test_what_is_approved_is_deployed_with_its_image(deploy, aws):
    """By the group's name: its newest approved version, not the newest; the image is the registered one."""
    ended = deploy("--model-package=bert-classifier")
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert (
        "No version of bert-classifier is approved. See them: make status MODEL_PACKAGE=bert-class"
        in ended.err
    )
    assert aws.launch("approve", "bert-classifier:1", "--note=ticket 12").code == 0
    ended = deploy("--model-package=bert-classifier")
    assert (ended.code, ended.out) == (0, "bert-classifier\n"), ended.err
    assert "OK    model  bert-classifier:1, Approved (ticket 12)" in ended.err
    container = only(aws.requests("CreateModel"))["PrimaryContainer"]
    assert container == {"Image": f"{HOST}:{TAG}", "ModelDataUrl": ARTIFACT, "Environment": {}}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--model-package=bert-classifier:1"],
            "bert-classifier:1 is not approved, but PendingManualApproval. Approve it: make approve MODEL_PACKAGE=",
        ),
        (
            ["--model-package=bert-classifier:1", "--job=a-job"],
            "Two models are given. Give MODEL_PACKAGE alone.",
        ),
        (
            [f"--model-data={ARTIFACT}", "--approved-only=true"],
            "APPROVED_ONLY=true: a model is served only once it is registered and approved. Give MODEL_PACKAGE=…",
        ),
        (
            ["--model-package=bert-classifier:1", "--approved-only=false", "--image-tag=x"],
            "IMAGE_TAG would do nothing: bert-classifier:1 names its image",
        ),
        (["--job=best"], "JOB=best of which tuning job? Name it: TUNING_JOB=…."),
        (["--tuning-job=a-search", "--job=other"], "other is no trial of a-search. Give TUNING_JOB, or JOB."),
    ],
)
def test_what_may_not_be_deployed_is_refused(register, launch, aws, arguments, expected):
    """Before anything is created; in this process, since the first test refuses in one of its own."""
    assert register().code == 0
    ended = launch("deploy", f"--role={ROLE}", *arguments, LAUNCHER_IMAGE_TAG="cpu-of-now")
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert expected in ended.err
    assert left(aws) == (0, 0, 0)


def test_a_version_without_environment_ends_that_of_the_endpoint(deploy, aws):
    """It was registered so; ENVIRONMENT says otherwise."""
    package = ("--model-package=bert-classifier:1", "--approved-only=false")
    assert deploy(*package, "--environment=SERVING_THREADS=2").code == 0
    for given, expected in (([], {}), (["--environment=A=b"], {"A": "b"})):
        with aws.answering(UpdateEndpoint=updating(aws)) as here:
            ended = deploy(*package, *given, here=here)
        assert ended.code == 0, ended.err
        assert aws.requests("CreateModel")[-1]["PrimaryContainer"]["Environment"] == expected


@pytest.mark.slow
def test_a_version_nobody_has_approved_is_deployed_where_that_is_wished(deploy, aws):
    """To try it: APPROVED_ONLY=false."""
    ended = deploy("--model-package=bert-classifier:1", "--approved-only=false")
    assert ended.code == 0, ended.err
    assert "bert-classifier:1, PendingManualApproval" in ended.err
    assert left(aws) == (1, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("job", [[], ["--job=best"], ["--job=a-search-001-0a1b2c3d"]])
def test_the_best_of_a_search_is_deployed(aws, job):
    """Or another trial by its name; the score is told, and that a search under way may find a better one."""
    aws.put_image("bert-classifier", TAG)
    aws.put_artifact()
    best = trial(2, 0.9133333)
    answers = {
        "DescribeHyperParameterTuningJob": searching("InProgress", best),
        "DescribeTrainingJob": lambda asked: Answer.json(
            {**JOB, "TrainingJobName": asked["TrainingJobName"]}
        ),
    }
    with aws.answering(**answers) as here:
        ended = here.launch("deploy", f"--role={ROLE}", f"--image-tag={TAG}", "--tuning-job=a-search", *job)
    assert ended.code == 0, ended.err
    asked = json.loads(next(body for name, body in aws.answered if name == "DescribeTrainingJob"))
    number = "001" if job == ["--job=a-search-001-0a1b2c3d"] else "002"
    assert asked["TrainingJobName"] == f"a-search-{number}-0a1b2c3d"
    if number == "002":
        assert "a-search-002-0a1b2c3d, the best of a-search: validation_macro_f1=0.9133" in ended.err
        assert "a-search is InProgress: a later trial may be better" in ended.err
    assert only(aws.requests("CreateModel"))["PrimaryContainer"]["ModelDataUrl"] == ARTIFACT
