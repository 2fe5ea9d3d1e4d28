"""Former names of hyperparameters beside today's, and hyperparameters that are ignored."""

import logging

import pytest

from bert_classifier.job.config import TrainConfig
from bert_classifier.job.former_names import IGNORED, override


def test_newer_hyperparameters_replace_former_names():
    """A job that names gradient_shards can be given num_gradient_groups, and the other way round."""
    newer = override({"gradient_shards": "2", "seed": "1"}, {"num_gradient_groups": "4"})
    assert newer == {"num_gradient_groups": "4", "seed": "1"}
    assert override(newer, {"gradient_shards": "8"}) == {"gradient_shards": "8", "seed": "1"}
    # With gradaccumulation, the former `batch` is what one forward pass takes.
    former = {"batch": "8", "gradaccumulation": "2"}
    assert override(former, {"per_device_batch_size": "4"}) == {
        "gradaccumulation": "2",
        "per_device_batch_size": "4",
    }
    assert TrainConfig.from_hyperparameters(newer).num_gradient_groups == 4


def test_whole_job_of_the_older_sample(caplog):
    """A job of the older sample runs unchanged: its batch is a device's; one line for its names, one per ignored."""
    old = {"epochs": "10", "batch": "8", "lr": "1e-5", "maxseqlen": "300", "gradaccumulation": "4"}
    old |= {"finetune": "0", "earlystoppingpatience": "3", "checkpointfreq": "1", "log-level": "INFO"}
    old |= {"trainfile": "train.csv", "valfile": "val.csv", "classfile": "classes.txt"}
    with caplog.at_level(logging.WARNING):
        config = TrainConfig.from_hyperparameters(old)
    assert config == TrainConfig(
        num_train_epochs=10,
        per_device_batch_size=8,
        gradient_accumulation_steps=4,
        learning_rate=1e-5,
        max_seq_length=300,
        early_stopping_patience=3,
        train_file="train.csv",
        validation_file="val.csv",
    )
    assert config.resolve_global_batch_size(2) == 64
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "checkpointfreq=1 is ignored",
        "log-level=INFO is ignored",
        "older names of hyperparameters are accepted",
    ]
    assert all(name in caplog.text for name in old)


@pytest.mark.parametrize("value", ["true", '"true"', True], ids=["str", "json", "unencoded"])
@pytest.mark.parametrize(("name", "why"), IGNORED.items())
def test_settings_without_effect_are_ignored_aloud(name, why, value, caplog):
    """A setting that has no effect changes nothing, and one line of the log says so and why."""
    with caplog.at_level(logging.WARNING):
        assert TrainConfig.from_hyperparameters({name: value}) == TrainConfig()
    assert [record.getMessage() for record in caplog.records] == [f"{name}=true is ignored: {why}"]


def test_a_setting_that_is_gone_is_recorded_as_it_was_by_default():
    """Fingerprints of runs before and after are equal, and training.json keeps its keys."""
    assert TrainConfig.from_hyperparameters({"compile": "true"}).recorded() == TrainConfig().recorded()
    assert TrainConfig().recorded()["compile"] == "false"
