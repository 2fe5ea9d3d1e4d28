"""`watch`: alarms on an endpoint, field by field; and the moves of autoscaling with another instance type."""

import re

import pytest

from bert_classifier.errors import UserError
from launcher.aws import alarms, scaling
from launcher.commands import watch
from launcher.settings.watching import WatchSettings
from support.api_model import faults
from support.aws_stand_in import Answer
from support.hosting import OWN_TAG, WITH_MODEL, described, updating

TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"


def test_errors_latency_and_abstentions_are_watched(aws, launch, served):
    """Of the whole endpoint, told to a topic; a second call changes them, OFF removes them."""
    served()
    ended = launch("watch", "--max-errors=0.01", "--max-p99=300", "--max-abstained=0.3", f"--notify={TOPIC}")
    assert ended.code == 0, ended.err
    assert ended.out.split("\n")[:2] == ["bert-classifier-5xx: OK", "bert-classifier-p99: OK"]
    errors, latency, abstained = aws.requests("PutMetricAlarm")
    where = [
        {"Name": "EndpointName", "Value": "bert-classifier"},
        {"Name": "VariantName", "Value": "AllTraffic"},
    ]
    assert latency == {
        "AlarmName": "bert-classifier-p99",
        "AlarmDescription": "1 % of requests take the model longer than 300 ms",
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "Namespace": "AWS/SageMaker",
        "MetricName": "ModelLatency",
        "ExtendedStatistic": "p99",
        "Dimensions": where,
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 300_000.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": [OWN_TAG],
    }
    assert (errors["Threshold"], errors["Statistic"], errors["Dimensions"]) == (0.01, "Average", where)
    of_container = '"@resource.aws.sagemaker.endpoint.name"="bert-classifier"'
    query = abstained["EvaluationCriteria"]["PromQLCriteria"].pop("Query")
    assert query == (
        f'sum(increase({{"bert_records_total",{of_container},"outcome"="abstained"}}[15m])) / '
        f'(sum(increase({{"bert_records_total",{of_container},"outcome"=~"classified|abstained"}}[15m])) >= 20) > 0.3'
    )
    assert abstained["EvaluationCriteria"] == {
        "PromQLCriteria": {"PendingPeriod": 300, "RecoveryPeriod": 300}
    }
    assert (abstained["EvaluationInterval"], "Namespace" in abstained) == (60, False)
    for request in (
        errors,
        latency,
        {**abstained, "EvaluationCriteria": {"PromQLCriteria": {"Query": query}}},
    ):
        assert faults("cloudwatch", "PutMetricAlarm", request) == []
    assert "removed alarms bert-classifier-5xx, bert-classifier-p99" in launch("watch", "--off").err
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {
                "MetricsConfig": {"EnableDetailedObservability": False},
                "ProductionVariants": [{"VariantName": "a"}],
            },
            "The endpoint e does not publish the metrics of its container, which count abstentions. Switch them on: "
            "make deploy ENDPOINT=e MODEL_DATA=… METRICS=container",
        ),
        (
            {"ProductionVariants": [{"VariantName": "a", "ServerlessConfig": {}}]},
            "A serverless endpoint does not publish the metrics of its container",
        ),
    ],
)
def test_abstentions_that_nobody_publishes_are_not_watched(config, expected):
    """An alarm on nothing would promise something."""
    with pytest.raises(UserError, match=expected):
        watch.requests_of(WatchSettings(endpoint="e", max_abstained=0.3), config)


def test_the_end_of_an_endpoint_is_the_end_of_alarms_and_autoscaling(aws, launch, served):
    """Alarms cost money; what may not be asked for is said, and hinders nothing."""
    served()
    assert launch("watch").code == 0
    assert launch("scale", "--max=3", "--target=100").code == 0
    ended = launch("delete-endpoint")
    assert ended.code == 0, ended.err
    assert "removed alarms bert-classifier-5xx, bert-classifier-p99" in ended.err
    assert aws.requests("DeregisterScalableTarget")
    served()
    denied = Answer.refusal("AccessDeniedException")
    with aws.answering(DescribeAlarms=denied, DescribeScalableTargets=denied) as here:
        ended = launch("delete-endpoint", here=here)
    assert ended.code == 0, ended.err
    assert "alarms of bert-classifier, if there are any, stay: You may not call DescribeAlarms" in ended.err


def test_another_instance_type_takes_its_autoscaling_along(aws, launch, served):
    """SageMaker refuses the change meanwhile: it ends before, and is registered again after, by the new CPUs."""
    served()
    assert launch("scale", "--max=4", "--metric=cpu", "--target=50").code == 0
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        ended = launch("deploy", *WITH_MODEL, "--instance-type=ml.m5.2xlarge", here=here)
    assert ended.code == 0, ended.err
    assert "it ends for the new instance type, and comes back when that serves" in " ".join(ended.err.split())
    assert "autoscaling is registered again: 1 to 4 instances" in ended.err
    values = [policy[scaling._TRACKING]["TargetValue"] for policy in aws.requests("PutScalingPolicy")]
    assert values == [50.0 * 4, 50.0 * 8]
    ended = launch("deploy", *WITH_MODEL, "--instance-type=ml.m5.xlarge", "--no-wait")
    assert (ended.code, "Leave WAIT=false out, so that deploy can bring it back." in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("InService", "autoscaling is registered again: 1 to 4 instances"),
        ("Updating", "no autoscaling until you run, once it is InService: make scale ENDPOINT=bert-classifier MIN=1"
                     " MAX=4 METRIC=invocations TARGET=100 SCALE_OUT_COOLDOWN=60 SCALE_IN_COOLDOWN=300"),
    ],
)  # fmt: skip
def test_an_update_that_fails_or_goes_on_says_what_becomes_of_autoscaling(
    aws, launch, served, status, expected
):
    """Restored where the endpoint serves; else the command that does it."""
    former = served()
    assert launch("scale", "--max=4", "--target=100").code == 0
    answers = [
        described("InService", former, EndpointArn="arn"),
        described(status, former, FailureReason="no"),
    ]
    with aws.answering(
        UpdateEndpoint=Answer.refusal("ResourceLimitExceeded"), DescribeEndpoint=answers
    ) as here:
        ended = launch("deploy", *WITH_MODEL, "--instance-type=ml.c5.xlarge", here=here)
    assert (ended.code, expected in ended.err) == (2, True), ended.err


def test_the_command_for_equal_limits_is_one_that_scale_takes(aws, launch, served):
    """Somebody has made the limits equal by hand: then `scale` refuses a metric, a target and cooldowns."""
    former = served()
    assert launch("scale", "--max=4", "--target=100").code == 0
    equal = scaling.Scaling("bert-classifier", "AllTraffic").key | {"MinCapacity": 2, "MaxCapacity": 2}
    aws.client("application-autoscaling").register_scalable_target(**equal)
    answers = [described(status, former, EndpointArn="arn") for status in ("InService", "Updating")]
    with aws.answering(
        UpdateEndpoint=Answer.refusal("ResourceLimitExceeded"), DescribeEndpoint=answers
    ) as here:
        ended = launch("deploy", *WITH_MODEL, "--instance-type=ml.c5.xlarge", here=here)
    told = re.search(r"once it is InService: make scale ENDPOINT=(\S+) (.*)\n", ended.err)
    assert told, ended.err
    flags = [
        f"--{name.lower().replace('_', '-')}={value}" for name, value in re.findall(r"(\S+)=(\S+)", told[2])
    ]
    ended = launch("scale", told[1], *flags)
    assert (flags, ended.code) == (["--min=2", "--max=2"], 0), ended.err


def test_all_names_are_those_that_are_made():
    """What `delete-endpoint` and `clean-up` remove is what the commands make."""
    made = [
        *alarms.names_of("e").values(),
        *alarms.rollout_names("e").values(),
        scaling.Scaling("e", "v").from_zero_name,
    ]
    assert sorted(made) == sorted(alarms.all_names("e"))
