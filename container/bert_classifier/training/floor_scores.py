"""The floor of a run with one label per text or any number: read back, and put together from that of folds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.evaluation.any_headline import AnyFloor
from bert_classifier.evaluation.floor import Floor, FloorScore
from bert_classifier.evaluation.multi_label.floor import LabelFloor, LabelFloorScore
from bert_classifier.job.task import Task

AnyScore = FloorScore | LabelFloorScore


def floor_from(recorded: Mapping[str, Any], targets: np.ndarray) -> AnyFloor:
    """Return the floor that was recorded for a run with such targets."""
    return LabelFloor.from_json(recorded) if Task.of(targets) is Task.MULTI else Floor.from_json(recorded)


def score_of(
    indices: np.ndarray, predicted: np.ndarray, targets: np.ndarray, num_classes: int
) -> FloorScore | LabelFloorScore:
    """Score the predictions for n texts of a channel.

    Args:
        indices: of the texts in the channel, int64 (n,), increasing.
        predicted: class indices, int64 (n,), or whether each text gets each label, bool (n, classes).
        targets: of these texts.
    """
    if Task.of(targets) is Task.MULTI:
        return LabelFloorScore.of(indices, predicted, targets)
    return FloorScore.of(indices, predicted, targets, num_classes)


def pooled_floor(
    floors: Sequence[AnyFloor], folds: Sequence[np.ndarray], targets: np.ndarray, num_classes: int
) -> AnyFloor:
    """Return the floor on the texts of all folds together, each predicted by one that has not seen it.

    Its number of training texts is that of the fold with the fewest.

    Args:
        floors: of the folds, scored on their own texts.
        folds: the texts of each fold, int64 (k,), increasing.
        targets: of all texts.
    """
    scores = [floor.channels["validation"] for floor in floors]
    parts = list(zip(scores, folds, strict=True))
    texts = np.concatenate([of_fold[score.indices] for score, of_fold in parts])
    predicted = np.concatenate([_predicted(score, targets[of_fold]) for score, of_fold in parts])
    order = np.argsort(texts)
    texts = texts[order]
    score = score_of(texts, predicted[order], targets[texts], num_classes)
    kind = LabelFloor if isinstance(score, LabelFloorScore) else Floor
    fewest, seconds = min(floor.trained_on for floor in floors), sum(floor.seconds for floor in floors)
    return kind(fewest, seconds, {"validation": score})  # type: ignore[dict-item]


def _predicted(score: AnyScore, targets: np.ndarray) -> np.ndarray:
    if isinstance(score, LabelFloorScore):
        return score.predictions(targets).predicted
    return np.array(score.predicted, dtype=np.int64)
