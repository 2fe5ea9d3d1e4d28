"""What holds for the evaluations of all channels, however many labels a text has."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.job.wording import counted

logger = logging.getLogger(__name__)
T = TypeVar("T", Evaluation, MultiLabelEvaluation)


def reported_channel(results: Mapping[str, object]) -> str:
    """Return the channel that reports are about: test if there is one, else validation, else the first."""
    return next((name for name in ("test", "validation") if name in results), next(iter(results)))


def finite(channel: str, result: T) -> T:
    """Return an evaluation without NaN and infinity among its logits, since they would invalidate every mean."""
    is_finite = np.isfinite(result.logits)
    if is_finite.all():
        return result
    spoilt = int((~is_finite).any(axis=1).sum())
    logger.warning("the model's logits are not finite for %s of %s", counted(spoilt, "text"), channel)
    return dataclasses.replace(result, logits=np.nan_to_num(result.logits, nan=0.0, posinf=1e4, neginf=-1e4))
