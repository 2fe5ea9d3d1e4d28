"""The headline and the commonest mistake of a result, whatever the task."""

from collections.abc import Sequence

from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.floor import Floor
from bert_classifier.evaluation.headline import Headline, headline, most_frequent_mistake
from bert_classifier.evaluation.multi_label.floor import LabelFloor
from bert_classifier.evaluation.multi_label.headline import (
    MultiLabelHeadline,
    most_frequent_label_mistake,
    multi_label_headline,
)
from bert_classifier.evaluation.multi_label.result import MultiLabelResult

AnyHeadline = Headline | MultiLabelHeadline
AnyFloor = Floor | LabelFloor


def any_headline(
    evaluation: AnyResult,
    *,
    labels: Sequence[str] = (),
    positive: int | None = None,
    is_held_out: bool = False,
    folds: int = 0,
    seeds: int = 1,
    floor: AnyFloor | None = None,
) -> AnyHeadline:
    """Return the headline of the channel that reports are about; arguments as those of `headline`."""
    if isinstance(evaluation, MultiLabelResult):
        of_labels = floor if isinstance(floor, LabelFloor) else None
        return multi_label_headline(
            evaluation, is_held_out=is_held_out, folds=folds, seeds=seeds, floor=of_labels
        )
    return headline(
        evaluation,
        labels=labels,
        positive=positive,
        is_held_out=is_held_out,
        folds=folds,
        seeds=seeds,
        floor=floor if isinstance(floor, Floor) else None,
    )


def commonest_mistake(evaluation: AnyResult, labels: Sequence[str]) -> str:
    """Return the mistake that the model makes most often; "" if no two are alike."""
    if isinstance(evaluation, MultiLabelResult):
        return most_frequent_label_mistake(evaluation.predictions(evaluation.channel), labels)
    return most_frequent_mistake(evaluation.results[evaluation.channel], labels)
