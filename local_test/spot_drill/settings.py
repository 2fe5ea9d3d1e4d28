"""The hyperparameters of a drill's attempts: the job's own, and what the drill needs."""

from collections.abc import Mapping, Sequence

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.former_names import override


class DrillError(Exception):
    """A run failed, or it cannot be interrupted as often as asked."""


def settings_of_attempt(
    values: Mapping[str, object], ranks: int, all_ranks: Sequence[int]
) -> dict[str, object]:
    """Return the hyperparameters of an attempt.

    Args:
        values: the job's.
        ranks: processes of this attempt.
        all_ranks: those of any attempt; the bits do not depend on which.
    Raises:
        DrillError: when the job asks for gradients that differ from run to run, or when its batch depends on the
            number of processes, so that attempts would be other runs.
    """
    if str(values.get("reproducible")).lower() == "false":
        raise DrillError(
            "The drill compares the models' bits, which reproducible=false does not promise: leave reproducible out."
        )
    own: dict[str, object] = {
        "checkpoint_interval_seconds": "1", "logging_steps": "1", "reproducible": "true",
    }  # fmt: skip
    if max(all_ranks) > 1:
        own |= {"processes_per_host": str(ranks), "num_gradient_groups": str(max(all_ranks))}
    settings = override(values, own)
    if len(set(all_ranks)) > 1 and _sets_batch_per_device(settings):
        raise DrillError(
            "per_device_batch_size gives every number of processes another batch, and so another model: with several"
            " RANKS, set the batch of all processes together (HP=global_batch_size=…)."
        )
    return settings


def _sets_batch_per_device(settings: Mapping[str, object]) -> bool:
    try:
        return TrainConfig.from_hyperparameters(settings).per_device_batch_size is not None
    except UserError:
        return False  # the undisturbed run will say what is wrong
