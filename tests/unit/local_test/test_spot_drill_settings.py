"""What the drill sets in the attempts' hyperparameters, and what it refuses."""

import pytest

from spot_drill.settings import DrillError, settings_of_attempt


@pytest.mark.parametrize("job", [{}, {"reproducible": "auto"}, {"reproducible": "true"}])
def test_attempts_are_reproducible(job):
    """The drill compares bits, which a job on GPUs does not promise unless it is told to."""
    settings = settings_of_attempt({"epochs": "2", **job}, 1, [1])
    assert settings["reproducible"] == "true"
    assert settings["epochs"] == "2"
    assert "processes_per_host" not in settings


def test_a_job_that_is_not_to_be_reproducible_is_refused():
    """Its model has other bits in every run, and the drill must not try another job than it was given."""
    with pytest.raises(DrillError, match=r"reproducible=false does not promise: leave reproducible out\."):
        settings_of_attempt({"reproducible": "false"}, 1, [1])


def test_all_attempts_have_the_groups_of_the_most_processes():
    """Under the former name too, and even where the job sets another number."""
    settings = settings_of_attempt({"gradient_shards": "9"}, 2, [1, 2, 4])
    assert settings["processes_per_host"] == "2"
    assert {name: settings.get(name) for name in ("gradient_shards", "num_gradient_groups")} == {
        "gradient_shards": None, "num_gradient_groups": "4",
    }  # fmt: skip


@pytest.mark.parametrize(
    "job",
    [{"per_device_batch_size": "8"}, {"batch": "8", "gradaccumulation": "2"}, {"per_device_batch_size": 8}],
)
def test_a_batch_per_device_is_refused_with_several_numbers_of_processes(job):
    """Each number of processes would train another model, and the drill would say that the models differ."""
    with pytest.raises(DrillError, match=r"per_device_batch_size .*HP=global_batch_size="):
        settings_of_attempt(job, 1, [1, 2])
    settings_of_attempt(job, 2, [2, 2])
    settings_of_attempt({"global_batch_size": "8"}, 1, [1, 2])


def test_wrong_settings_are_left_to_the_run():
    """The undisturbed run fails, and the drill shows why."""
    assert (
        settings_of_attempt({"per_device_batch_size": "many"}, 1, [1, 2])["per_device_batch_size"] == "many"
    )
