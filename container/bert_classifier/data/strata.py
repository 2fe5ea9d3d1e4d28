"""One class per text to sample by, where a text may have several labels or none."""

import numpy as np

from bert_classifier.job.task import Task

_TEXTS = 8192  # at a time


def strata_of(targets: np.ndarray) -> np.ndarray:
    """Return one class index for each text, int64 (n,): its class; of several labels the rarest, so that none is lost.

    A text without labels belongs to one class more. Of labels that are equally rare, the first one counts.

    Args:
        targets: class indices, int64 (n,), or for each class 1 or 0, uint8 (n, classes).
    """
    if Task.of(targets) is Task.SINGLE:
        return targets
    counts = targets.sum(axis=0, dtype=np.int64)
    strata = np.full(len(targets), targets.shape[1], dtype=np.int64)
    # The rarest label of a text is its first one in this order. In parts, since integers (n, classes) take gigabytes.
    rarest_first = np.argsort(counts, kind="stable")
    for start in range(0, len(targets), _TEXTS):
        part = targets[start : start + _TEXTS][:, rarest_first] == 1
        chosen = rarest_first[part.argmax(axis=1)]
        strata[start : start + _TEXTS] = np.where(part.any(axis=1), chosen, targets.shape[1])
    return strata
