"""Savings, cost and reasons of a training job, from SageMaker's description."""

import pytest

from launcher.aws.training_job import lines, reason_of


def cost_line(hourly: float | None, **described: object) -> str:
    """Return what the report says of seconds and dollars."""
    job = {
        "TrainingJobName": "a-job",
        "TrainingJobStatus": "Completed",
        "ResourceConfig": {"InstanceCount": 2},
    }
    return list(lines({**job, **described}, hourly))[2].strip()


@pytest.mark.parametrize(
    ("training", "billable", "spot", "expected"),
    [
        (1000, 300, True, "300 s billed per instance, for 1000 s of training; spot saves 70 %; for the cost"),
        (
            1000,
            1000,
            True,
            "1000 s billed per instance, for 1000 s of training; spot saves 0 %; for the cost",
        ),
        (
            1000,
            300,
            False,
            "300 s billed per instance, for 1000 s of training; for the cost give HOURLY_PRICE",
        ),
        (0, 0, True, "0 s billed per instance, for 0 s of training; for the cost give HOURLY_PRICE"),
        (10, None, True, "nothing billed so far"),
    ],
)
def test_savings_are_counted_as_the_console_counts(training, billable, spot, expected):
    """(1 − billable ÷ training) · 100; unknown before anything has run, and without spot instances."""
    described = {"TrainingTimeInSeconds": training, "EnableManagedSpotTraining": spot}
    described |= {} if billable is None else {"BillableTimeInSeconds": billable}
    assert cost_line(None, **described).startswith(expected)


def test_the_cost_counts_every_instance():
    """Billable seconds are wall-clock: each instance costs them."""
    assert cost_line(3.0, TrainingTimeInSeconds=7200, BillableTimeInSeconds=3600).endswith("about $3.00")


def test_scores_of_the_model_stand_apart_from_the_trainings():
    """What the last step said, and what the exported model is worth, each on a line of its own."""
    values = {"train_loss": 0.25, "validation_accuracy": 0.875, "eval_accuracy": 0.875, "test_accuracy": 0.9}
    job = {
        "TrainingJobName": "a-job", "TrainingJobStatus": "Completed", "ResourceConfig": {},
        "FinalMetricDataList": [{"MetricName": name, "Value": value} for name, value in values.items()],
    }  # fmt: skip
    expected = list(lines(job, None))
    assert "  train_loss=0.25 eval_accuracy=0.875" in expected
    assert "  the model: validation_accuracy=0.875 test_accuracy=0.9" in expected


def test_the_reason_of_an_end_is_reported():
    """Nothing for a job that completed; an unknown reason by its own name."""
    assert reason_of({"TrainingJobStatus": "Completed"}) == ""
    assert "no reason given" in reason_of({"TrainingJobStatus": "Failed"})
    stopped = {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}
    assert "its time was up (MAX_RUN)" in reason_of(stopped)
    assert reason_of({"TrainingJobStatus": "Stopped", "SecondaryStatus": "Other"}) == "stopped: Other"
