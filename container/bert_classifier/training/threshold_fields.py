"""The fields of training.json that tell how a model with several labels per text answers."""

from typing import Any

from bert_classifier.artifact.contents import TASK, THRESHOLDS
from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.training.prepare import PreparedData

_UNKNOWN = 0.5  # of a model that was not evaluated


def threshold_fields(
    config: TrainConfig, prepared: PreparedData, evaluation: AnyResult | None
) -> dict[str, Any]:
    """Return the task and the threshold of each label; nothing where each text has one label."""
    if prepared.task is Task.SINGLE:
        return {}
    if isinstance(evaluation, MultiLabelResult):
        return {TASK: Task.MULTI, THRESHOLDS: evaluation.thresholds_by_label}
    threshold = _UNKNOWN if config.label_threshold is None else config.label_threshold
    return {TASK: Task.MULTI, THRESHOLDS: dict.fromkeys(prepared.labels, threshold)}
