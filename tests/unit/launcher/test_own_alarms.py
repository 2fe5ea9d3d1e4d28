"""Alarms of others, and of endpoints whose names collide: neither changed nor removed. Tuned ones stay tuned."""

from typing import Any

import pytest

from launcher.commands import watch
from launcher.settings.watching import WatchSettings
from support.aws import Aws
from support.hosting import OWN_TAG, WITH_MODEL, updating

TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"
THEIRS = {
    "Namespace": "Custom", "MetricName": "X", "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1,
    "Threshold": 7.0, "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


def there(aws: Aws) -> dict[str, dict[str, Any]]:
    """Return all alarms, by name."""
    found = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"]: alarm for alarm in found}


def test_an_alarm_of_others_is_neither_changed_nor_removed(aws, launch, served):
    """The tag decides, not the name: `watch` refuses it, and the end of endpoint and alarms leaves it alone."""
    served()
    client = aws.client("cloudwatch")
    client.put_metric_alarm(AlarmName="bert-classifier-p99", **THEIRS)
    ended = launch("watch")
    assert ended.code == 2
    expected = "There is an alarm bert-classifier-p99 already, which the launcher has not made: it has no tag"
    assert expected in ended.err
    assert list(there(aws)) == ["bert-classifier-p99"]
    assert "there are no alarms of make watch" in launch("watch", "--off").err
    client.put_metric_alarm(AlarmName="bert-classifier-5xx", **THEIRS, Tags=[OWN_TAG])
    ended = launch("delete-endpoint")
    assert (ended.code, "removed alarms bert-classifier-5xx\n" in ended.err) == (0, True), ended.err
    assert [alarm["Threshold"] for alarm in there(aws).values()] == [7.0]


def test_a_roll_out_refuses_an_alarm_of_others(aws, launch, served):
    """Before model and configuration are made."""
    served("--instance-count=2")
    aws.client("cloudwatch").put_metric_alarm(AlarmName="bert-classifier-rollout-p99", **THEIRS)
    ended = launch("deploy", *WITH_MODEL, "--rollout=canary")
    assert (ended.code, "bert-classifier-rollout-p99 already, which the launcher" in ended.err) == (2, True)
    assert len(aws.client("sagemaker").list_models()["Models"]) == 1
    assert there(aws)["bert-classifier-rollout-p99"]["Threshold"] == 7.0


def test_the_first_instance_is_not_started_by_an_alarm_of_others(aws, launch, served):
    """Nothing is registered, and the alarm stays."""
    served("--mode=async", "--s3-prefix=s3://a-bucket/mine")
    aws.client("cloudwatch").put_metric_alarm(AlarmName="bert-classifier-from-zero", **THEIRS)
    ended = launch("scale", "--min=0", "--max=2")
    assert (ended.code, "bert-classifier-from-zero already, which the launcher" in ended.err) == (2, True)
    assert not aws.requests("RegisterScalableTarget")
    assert there(aws)["bert-classifier-from-zero"]["Threshold"] == 7.0


def test_alarms_of_another_endpoint_by_the_same_names_are_its_own(aws, launch, served):
    """Those of x-rollout are named as those of the roll-outs of x."""
    served("--endpoint=x", "--instance-count=2")
    served("--endpoint=x-rollout")
    assert launch("watch", "--endpoint=x-rollout").code == 0
    ended = launch("deploy", *WITH_MODEL, "--endpoint=x", "--rollout=canary")
    assert (ended.code, "x-rollout-5xx already, which watches the endpoint x-rollout." in ended.err) == (
        2,
        True,
    )
    ended = launch("delete-endpoint", "x")
    assert (ended.code, "removed alarms" in ended.err) == (0, False), ended.err
    assert sorted(there(aws)) == ["x-rollout-5xx", "x-rollout-p99"]
    assert launch("watch", "--endpoint=x-rollout", "--off").code == 0
    served("--endpoint=x", "--instance-count=2")
    with aws.answering(UpdateEndpoint=updating(aws)) as here:
        assert launch("deploy", *WITH_MODEL, "--endpoint=x", "--rollout=canary", here=here).code == 0
    ended = launch("watch", "--endpoint=x-rollout")
    assert (ended.code, "x-rollout-5xx already, which watches the endpoint x." in ended.err) == (2, True)


def test_what_is_not_given_stays_as_it_was_tuned(aws, launch, served):
    """Thresholds and topics of a former call, and minutes tuned by hand; without settings, nothing changes."""
    served()
    assert launch("watch", "--max-errors=0.01", f"--notify={TOPIC}").code == 0
    tuned = {**aws.requests("PutMetricAlarm")[0], "EvaluationPeriods": 5}
    aws.client("cloudwatch").put_metric_alarm(**tuned)
    before = len(aws.requests("PutMetricAlarm"))
    ended = launch("watch")
    assert (ended.code, ended.out.split("\n")[0]) == (0, "bert-classifier-5xx: OK"), ended.err
    assert len(aws.requests("PutMetricAlarm")) == before
    assert launch("watch", "--max-p99=300").code == 0
    errors, latency = there(aws)["bert-classifier-5xx"], there(aws)["bert-classifier-p99"]
    assert (errors["Threshold"], errors["EvaluationPeriods"], latency["Threshold"]) == (0.01, 5, 300_000)
    assert errors["AlarmActions"] == latency["AlarmActions"] == errors["OKActions"] == [TOPIC]
    assert launch("watch", f"--notify={TOPIC}-2").code == 0
    errors, latency = there(aws)["bert-classifier-5xx"], there(aws)["bert-classifier-p99"]
    assert (errors["Threshold"], latency["Threshold"]) == (0.01, 300_000)
    assert errors["AlarmActions"] == latency["OKActions"] == [f"{TOPIC}-2"]


def test_the_share_of_abstentions_stays_too():
    """It is read from the query; moto does not keep it."""
    config = {"ProductionVariants": [{"VariantName": "a"}]}
    first = watch.requests_of(WatchSettings(endpoint="e", max_abstained=0.3), config)
    now = {request["AlarmName"]: request for request in first}
    told = WatchSettings(endpoint="e", notify=(TOPIC,), given=frozenset({"notify"}))
    again = watch.requests_of(told, config, now)
    assert again == [{**one, "AlarmActions": [TOPIC], "OKActions": [TOPIC]} for one in first]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--off", "--max-p99=100"), "MAX_P99 would do nothing: OFF=true removes the alarms"),
        (("--max-errors=1",), "'1' is not a number of at least 0 and below 1"),
        (("--max-abstained=1.0",), "'1.0' is not a number of at least 0 and below 1"),
        (
            (f"--notify={TOPIC},arn:aws:sns:eu-west-1:123456789012:on-call", "--dry-run"),
            "NOTIFY has a topic in eu-west-1, and CloudWatch's alarms in us-east-1 tell topics in us-east-1 alone",
        ),
        (("--notify=on-call",), "'on-call' is not ARNs of SNS topics"),
    ],
)
def test_what_would_do_nothing_or_reach_nobody_is_refused(aws, launch, served, arguments, expected):
    """Before any alarm changes."""
    served()
    assert launch("watch").code == 0
    before = there(aws)
    ended = launch("watch", *arguments)
    assert (ended.code, expected in ended.err) == (2, True), ended.err
    assert there(aws) == before
