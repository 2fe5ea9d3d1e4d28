"""The result of an evaluation, whatever the task: of one label per text, or of any number."""

from collections.abc import Mapping, Sequence

from bert_classifier.evaluation.evaluation_of import AnyEvaluation
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.result import MultiLabelResult, assess_labels
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.evaluation.result import assess as assess_classes

AnyResult = EvaluationResult | MultiLabelResult


def assess(
    results: Mapping[str, AnyEvaluation],
    labels: Sequence[str] = (),
    *,
    abstain_below: float = 0.0,
    target_accuracy: float = 0.0,
    label_threshold: float | None = None,
    target_precision: float = 0.0,
    is_hurried: bool = False,
) -> AnyResult:
    """Fit temperature and thresholds on the validation channel.

    Args:
        labels: class names in the order of the logits; needed with several labels per text only.
        abstain_below, target_accuracy: with one label per text, as in result.assess.
        label_threshold, target_precision, is_hurried: with any number, as in assess_labels.
    """
    if isinstance(results["validation"], MultiLabelEvaluation):
        of_labels = {name: of for name, of in results.items() if isinstance(of, MultiLabelEvaluation)}
        return assess_labels(
            of_labels, labels, label_threshold=label_threshold, target_precision=target_precision,
            is_hurried=is_hurried,
        )  # fmt: skip
    of_classes = {name: of for name, of in results.items() if isinstance(of, Evaluation)}
    return assess_classes(of_classes, abstain_below=abstain_below, target_accuracy=target_accuracy)
