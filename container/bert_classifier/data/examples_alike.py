"""What the texts of a job have in common: one label each or several, one text or two; said, and required."""

import logging
from collections.abc import Sequence

import numpy as np

from bert_classifier.data.examples import Examples
from bert_classifier.errors import UserError
from bert_classifier.job.task import Task

logger = logging.getLogger(__name__)


def log_task(train: Examples, setting: str) -> None:
    """Say before training that texts have several labels, or are pairs, and why.

    Args:
        setting: task, as it was given.
    """
    if train.task is Task.MULTI:
        per_text = train.targets.sum(axis=1, dtype=np.int64)
        why = "as task=multi says" if setting == "multi" else "since the data give several to some text"
        logger.info(
            "each text may have any number of labels, %s: %.2f on average, at most %d; %d of %d texts have none",
            why, per_text.mean(), per_text.max(), np.count_nonzero(per_text == 0), len(per_text),
        )  # fmt: skip
    if train.is_paired:
        logger.info("each text is a pair: the model reads both together")


def labels_per_text(parts: Sequence[Examples]) -> list[int] | None:
    """Return how many texts of all parts together have 0, 1, 2, … labels; None where each text has one."""
    if parts[0].task is Task.SINGLE:
        return None
    of_texts = np.concatenate([part.targets.sum(axis=1, dtype=np.int64) for part in parts])
    counts: list[int] = np.bincount(of_texts).tolist()
    return counts


def require_alike(examples: Examples, channel: str, train: Examples) -> None:
    """Refuse a channel whose texts are pairs where those of train are not, or the reverse.

    Raises:
        UserError: naming the channel.
    """
    if examples.is_paired is train.is_paired:
        return
    has, needs = (
        ("pairs of texts", "single texts") if examples.is_paired else ("single texts", "pairs of texts")
    )
    raise UserError(
        f"The {channel} channel has {has}, and train has {needs}.",
        "Give both the same columns, or set text_column, and text_pair_column for pairs.",
    )
