"""Savings, cost and reasons of a training job, from SageMaker's description."""

import pytest

from launcher.commands.job_report import Cost, lines, reason_of


@pytest.mark.parametrize(
    ("training", "billable", "spot", "savings"),
    [
        (1000, 300, True, 70),
        (1000, 1000, True, 0),
        (1000, 300, False, None),
        (0, 0, True, None),
        (10, None, True, None),
    ],
)
def test_savings_are_counted_as_the_console_counts(training, billable, spot, savings):
    """(1 − billable ÷ training) · 100; unknown before anything has run, and without spot instances."""
    found = Cost(training, billable, 1, spot).savings
    assert found == (None if savings is None else pytest.approx(savings))


def test_the_cost_counts_every_instance():
    """Billable seconds are wall-clock: each instance costs them."""
    assert Cost(7200, 3600, 2, True).price(1.5) == pytest.approx(3.0)
    assert Cost(None, None, 2, True).price(1.5) is None


def test_scores_of_the_model_stand_apart_from_the_trainings():
    """What the last step said, and what the exported model is worth, each on a line of its own."""
    values = {"train_loss": 0.25, "validation_accuracy": 0.875, "eval_accuracy": 0.875, "test_accuracy": 0.9}
    job = {
        "TrainingJobName": "a-job", "TrainingJobStatus": "Completed", "ResourceConfig": {},
        "FinalMetricDataList": [{"MetricName": name, "Value": value} for name, value in values.items()],
    }  # fmt: skip
    told = list(lines(job, None))
    assert "  train_loss=0.25 eval_accuracy=0.875" in told
    assert "  the model: validation_accuracy=0.875 test_accuracy=0.9" in told


def test_the_reason_of_an_end_is_told():
    """Nothing for a job that completed; an unknown reason by its own name."""
    assert reason_of({"TrainingJobStatus": "Completed"}) == ""
    assert "no reason given" in reason_of({"TrainingJobStatus": "Failed"})
    stopped = {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}
    assert "its time was up (MAX_RUN)" in reason_of(stopped)
    assert reason_of({"TrainingJobStatus": "Stopped", "SecondaryStatus": "Other"}) == "stopped: Other"
