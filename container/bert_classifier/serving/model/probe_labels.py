"""Whether probe texts get other labels in another precision, and whether rounding alone may explain it."""

import math

import torch

from bert_classifier.artifact.contents import Artifact
from bert_classifier.job.task import Task

_CLEAR_LEAD = math.log(1.25)  # in logits: odds of 5 to 4 are no tie in any format


def other_labels(
    artifact: Artifact, wanted: torch.Tensor, found: torch.Tensor, rounding: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which texts get other labels, and for which of them rounding alone may explain it.

    What it explains depends only on float32's logits and the format, so that a completely wrong result cannot excuse
    itself: the median lead sets the scale. A label leads over the second one, or over its threshold where a text may
    have several labels, each of which must then be explained.

    Args:
        artifact: what logits mean.
        wanted: float32's logits (texts, classes), as are those found.
        rounding: share of a lead that rounding moves.
    Returns:
        two bool (texts,).
    """
    if artifact.task == Task.MULTI:
        leads = wanted - logit_thresholds(artifact)
        changed = (leads >= 0) != (found >= logit_thresholds(artifact))
        ties = leads.abs() <= _most_lead_of_a_tie(leads[leads.isfinite()].abs(), rounding)
        differ = changed.any(dim=1)
        return differ, differ & (ties | ~changed).all(dim=1)
    best, second = wanted.topk(2, dim=1).values.T
    chosen = found.argmax(dim=1, keepdim=True)
    differ = wanted.argmax(dim=1) != chosen[:, 0]
    lead = best - wanted.gather(1, chosen)[:, 0]
    return differ, differ & (lead <= _most_lead_of_a_tie(best - second, rounding))


def logit_thresholds(artifact: Artifact) -> torch.Tensor:
    """Return the logits from which each label is answered, float64 (classes,); infinite for one that never is."""
    return torch.logit(torch.from_numpy(artifact.thresholds).clamp(max=1)) * artifact.temperature


def _most_lead_of_a_tie(leads: torch.Tensor, rounding: float) -> float:
    return min(rounding * float(leads.median()), _CLEAR_LEAD) if len(leads) else 0.0
