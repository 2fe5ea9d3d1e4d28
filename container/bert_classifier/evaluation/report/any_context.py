"""The context of a report, whatever the task."""

import dataclasses

from bert_classifier.evaluation.any_headline import AnyFloor
from bert_classifier.evaluation.floor import Floor
from bert_classifier.evaluation.multi_label.floor import LabelFloor
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.report.context import PageContext, ReportContext
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext

AnyContext = ReportContext | MultiLabelContext


def context_for(page: PageContext, positive: int | None = None, floor: AnyFloor | None = None) -> AnyContext:
    """Return what is reported of a model, with the parts that its task has.

    Args:
        positive: index of the positive class; None without one, and with several labels per text.
        floor: logistic regression on the frozen encoder, if known.
    """
    fields = {field.name: getattr(page, field.name) for field in dataclasses.fields(page)}
    if isinstance(page.evaluation, MultiLabelResult):
        return MultiLabelContext(**fields, floor=floor if isinstance(floor, LabelFloor) else None)
    return ReportContext(**fields, positive=positive, floor=floor if isinstance(floor, Floor) else None)
