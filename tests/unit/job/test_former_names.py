"""Former names of hyperparameters beside today's."""

from bert_classifier.job.config import TrainConfig, override


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
