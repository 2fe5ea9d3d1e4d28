"""REQUEST: fields of a file that join a request, checked against botocore's model of the API."""

import json

import botocore.session
import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.findings import Severity
from launcher.aws.request_fields import joined, read, wrong_fields
from launcher.aws.s3 import Location
from launcher.checks.job import Job
from launcher.checks.request import check_request
from launcher.findings import examine
from launcher.inputs.channels import S3Channel
from launcher.settings.training import TrainSettings

MODEL = botocore.session.get_session().get_service_model("sagemaker")
OPERATION = "CreateTrainingJob"
ROLE = "arn:aws:iam::123456789012:role/a-role"
PLAN = "arn:aws:sagemaker:us-east-1:123456789012:training-plan/mine"
G5_OR_G6 = [{"InstanceType": "ml.g6.xlarge"}, {"InstanceType": "ml.g5.xlarge"}]


@pytest.fixture
def job(tmp_path):
    """Return a function that makes a job with a file of fields."""

    def make(fields, spot=True, **settings):
        path = tmp_path / "extra.json"
        path.write_text(fields if isinstance(fields, str) else json.dumps(fields), encoding="utf-8")
        channels = (S3Channel("train", Location("b", "texts/"), {}),)
        given = TrainSettings(request=str(path), **settings)
        return Job(given, spot, "a-job", "an/image:tag", Location("b", "mine/"), channels)

    return make


def failures(job):
    """Return what keeps a job from being requested."""
    findings = examine("request", lambda: check_request(job, MODEL))
    return [finding.message for finding in findings if finding.severity is Severity.ERROR]


@pytest.mark.parametrize(
    "fields",
    [
        {"ResourceConfig": {"TrainingPlanArn": PLAN}},
        {"MlflowConfig": {"MlflowResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/a"}},
        {"RemoteDebugConfig": {"EnableRemoteDebug": True}},
        {"OPERATION": {"InfraCheckConfig": {"EnableInfraCheck": True}}},
        {"ProfilerConfig": {"DisableProfiler": False, "S3OutputPath": "s3://b/profiles"}},
    ],
)
def test_fields_join_the_request(job, fields):
    """Beside those of the settings, which stay as they are; with or without the operation's name."""
    named = {OPERATION: fields["OPERATION"]} if "OPERATION" in fields else fields
    one = job(named)
    assert failures(one) == []
    request, own = one.request(ROLE), one.own_request(ROLE)
    inner = fields.get("OPERATION", fields)
    assert joined(own, inner) == request
    (name,) = inner
    assert all(request[name][field] == value for field, value in inner[name].items())
    assert {key: value for key, value in request.items() if key != name} == {
        key: value for key, value in own.items() if key != name
    }


def test_a_metric_is_added_to_the_others(job):
    """Lists go one behind the other."""
    metric = {"Name": "own", "Regex": " own=([0-9]+)"}
    one = job({"AlgorithmSpecification": {"MetricDefinitions": [metric]}})
    assert failures(one) == []
    metrics = one.request(ROLE)["AlgorithmSpecification"]["MetricDefinitions"]
    assert metrics == [*one.own_request(ROLE)["AlgorithmSpecification"]["MetricDefinitions"], metric]


def test_a_choice_of_instances_takes_the_place_of_the_type(job):
    """The API takes either; a count in the choice takes the place of INSTANCE_COUNT too, and each type is checked."""
    one = job({"ResourceConfig": {"InstancePreferences": G5_OR_G6}}, spot=False)
    assert failures(one) == []
    resources = one.request(ROLE)["ResourceConfig"]
    assert resources == {"InstanceCount": 1, "VolumeSizeInGB": 30, "InstancePreferences": G5_OR_G6}
    counted = [{**one, "InstanceCount": 2} for one in G5_OR_G6]
    resources = job({"ResourceConfig": {"InstancePreferences": counted}}, spot=False).request(ROLE)[
        "ResourceConfig"
    ]
    assert resources == {"VolumeSizeInGB": 30, "InstancePreferences": counted}
    graviton = job(
        {"ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.trn1.2xlarge"}]}}, spot=False
    )
    assert "Neuron cores" in failures(graviton)[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"RemoteDebugConfg": {}}, "there is no field RemoteDebugConfg, did you mean RemoteDebugConfig?"),
        (
            {"ResourceConfig": {"KeepAlivePeriodInSecond": 60}},
            "there is no field ResourceConfig.KeepAlivePeriodInSecond, did you mean KeepAlivePeriodInSeconds?",
        ),
        (
            {"ResourceConfig": {"KeepAlivePeriodInSeconds": "60"}},
            'ResourceConfig.KeepAlivePeriodInSeconds is "60", not a whole number',
        ),
        (
            {"ResourceConfig": {"KeepAlivePeriodInSeconds": True}},
            "ResourceConfig.KeepAlivePeriodInSeconds is true, not a whole number",
        ),
        (
            {"ResourceConfig": {"KeepAlivePeriodInSeconds": 90000}},
            "ResourceConfig.KeepAlivePeriodInSeconds is 90000, not 0 to 21600",
        ),
        (
            {"ResourceConfig": {"TrainingPlanArn": "mine"}},
            "ResourceConfig.TrainingPlanArn has 4 characters, not 50 to 2048",
        ),
        ({"ResourceConfig": {"TrainingPlanArn": "x" * 60}}, "which does not match arn:aws"),
        ({"RemoteDebugConfig": True}, "RemoteDebugConfig is true, not an object"),
        ({"RemoteDebugConfig": None}, "RemoteDebugConfig is null, not an object"),
        (
            {"ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.g5.xlarg"}]}},
            'ResourceConfig.InstancePreferences[0].InstanceType is "ml.g5.xlarg", did you mean ml.g5.xlarge?',
        ),
        ({"MlflowConfig": {}}, "MlflowConfig.MlflowResourceArn is missing"),
        (
            {"ResourceConfig": {"InstanceCount": 2}},
            "ResourceConfig.InstanceCount belongs to INSTANCE_COUNT, which gives '1'",
        ),
        ({"VpcConfig": {"Subnets": ["s"], "SecurityGroupIds": ["g"]}}, "VpcConfig belongs to SUBNETS and"),
        (
            {"EnableManagedSpotTraining": False},
            "belongs to the command: train-spot or train, which gives 'true'",
        ),
        ({"ResourceConfig": {"KeepAlivePeriodInSeconds": 60}}, "no spot instances with warm pools"),
        (
            {"ResourceConfig": {"InstancePreferences": G5_OR_G6}},
            "no spot instances with a choice of instances",
        ),
        ("{", "cannot read"),
        ("[]", "is not an object whose names are requests"),
        ('{"MlflowConfig": {}, "MlflowConfig": {}}', "MlflowConfig stands there twice"),
    ],
)
def test_what_cannot_join_is_refused_in_one_sentence(job, fields, expected):
    """Unknown names, wrong types and values, fields of settings, files that are no JSON."""
    (message,) = failures(job(fields))
    assert expected in message


def test_a_warm_pool_is_billed_after_the_job(job):
    """The user hears it before, and how to end it."""
    one = job({"ResourceConfig": {"KeepAlivePeriodInSeconds": 600}}, spot=False)
    findings = examine("request", lambda: check_request(one, MODEL))
    (doubt,) = [finding for finding in findings if finding.severity is Severity.WARNING]
    assert "stay up to 600 s after it as a warm pool, and are billed" in doubt.message
    assert "make clean-up PREFIX=a-job CONFIRM=yes" in doubt.remedy
    assert failures(one) == []


def test_a_field_that_says_what_the_setting_says_is_no_contradiction(job):
    """What DRY_RUN has printed can be given again."""
    one = job({})
    again = job({OPERATION: one.own_request(ROLE)}, role=ROLE)
    assert failures(again) == []


def test_each_of_several_requests_has_its_fields(tmp_path):
    """For commands that send more than one, the file says which field is for which."""
    path = tmp_path / "extra.json"
    path.write_text('{"CreateModel": {"Tags": []}}', encoding="utf-8")
    assert read(str(path), ["CreateModel", "CreateEndpoint"]) == {"CreateModel": {"Tags": []}}
    assert read("", ["CreateModel"]) == {}
    path.write_text('{"Tags": []}', encoding="utf-8")
    with pytest.raises(UserError, match="Name what the fields belong to: CreateModel or CreateEndpoint"):
        read(str(path), ["CreateModel", "CreateEndpoint"])


@pytest.mark.parametrize(
    ("key", "is_accepted"),
    [("team", True), ("größe", True), ("a b", True), ("x:y/z+@=._-", True), ("a*b", False), ("a\tb", False)],
)
def test_the_api_s_own_pattern_of_tags_holds(key, is_accepted):
    """Letters of every language, digits, blanks and few signs."""
    found = list(
        wrong_fields(
            MODEL, "AddTags", {"ResourceArn": PLAN, "Tags": [{"Key": key, "Value": "v"}]}, {"Tags": "TAGS"}
        )
    )
    assert (found == []) == is_accepted
    assert all("Tags[0].Key" in wrong and "(from TAGS)" in wrong for wrong in found)
