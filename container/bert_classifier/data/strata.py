"""One class per text to sample by, where a text may have several labels or none."""

import numpy as np

from bert_classifier.job.task import Task


def strata_of(targets: np.ndarray) -> np.ndarray:
    """Return one class index for each text, int64 (n,): its class; of several labels the rarest, so that none is lost.

    A text without labels belongs to one class more. Of labels that are equally rare, the first one counts.

    Args:
        targets: class indices, int64 (n,), or for each class 1 or 0, uint8 (n, classes).
    """
    if Task.of(targets) is Task.SINGLE:
        return targets
    counts = targets.sum(axis=0, dtype=np.int64)
    rarest = np.where(targets == 1, counts, len(targets) + 1).argmin(axis=1)
    strata: np.ndarray = np.where(targets.any(axis=1), rarest, targets.shape[1])
    return strata
