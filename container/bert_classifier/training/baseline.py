"""The baseline of a model: what its validation texts look like, and what it answers to them.

It comes from what the last evaluation computed; nothing is predicted for it.
"""

import numpy as np

from bert_classifier.artifact.profile import LABELS, Profile
from bert_classifier.artifact.profile_values import answer_values, label_values, text_values
from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.metrics import slices_of
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.job.wording import counted
from bert_classifier.training.prepare import PreparedData


def baseline_of(
    prepared: PreparedData, evaluation: AnyResult, *, is_held_out: bool, unknown_id: int | None
) -> Profile:
    """Return the profile of the validation texts and of the model's answers to them.

    Args:
        evaluation: of the weights to export; of a cross-validation, whose models judge the training texts.
        is_held_out: whether validation was split off the training texts.
        unknown_id: of the tokenizer's unknown token; None without one.
    """
    result = evaluation.results["validation"]
    split = prepared.splits["validation"]
    is_whole = len(split.targets) == result.count  # else a cross-validation was stopped before its end
    texts = text_values(split.encoded, unknown_id) if is_whole else {}
    values = {**_labels_and_answers(evaluation), **texts}
    source = _source(evaluation, is_held_out=is_held_out)
    return Profile.of(source, result.count, prepared.labels, values, unknown_id)


def _labels_and_answers(evaluation: AnyResult) -> dict[str, np.ndarray]:
    """Return the values of the validation texts' labels and of the answers to them; several labels count each."""
    if isinstance(evaluation, MultiLabelResult):
        scores, targets = evaluation.scores("validation"), evaluation.results["validation"].targets
        parts = [
            label_values(scores[part], evaluation.thresholds) for part in [*slices_of(targets)] or [slice(0)]
        ]
        answers = {name: np.concatenate([values[name] for values in parts]) for name in parts[0]}
        return {LABELS: np.nonzero(targets)[1], **answers}
    result = evaluation.results["validation"]
    probabilities = softmax(result.logits, evaluation.temperature.value)
    return {LABELS: result.targets, **answer_values(probabilities, evaluation.abstain_below)}


def _source(evaluation: AnyResult, *, is_held_out: bool) -> str:
    """Return which texts the baseline describes, in words."""
    count, validated = evaluation.results["validation"].count, evaluation.cross_validation
    if validated:
        return (
            f"{counted(count, 'training text')}, each classified by one of {validated.folds} models of a"
            " cross-validation that had not seen it"
        )
    if is_held_out:
        return f"{counted(count, 'text')} that were held out of the training data for validation"
    return f"{counted(count, 'text')} of the validation channel"
