"""What became of a promised accuracy on other texts than those that it was made on."""

from bert_classifier.evaluation.headline import interval_text, percent
from bert_classifier.evaluation.metrics import wilson_interval
from bert_classifier.job.wording import counted


def promise_kept(target: float, right: int, answered: int, count: int) -> str:
    """Return whether the labels of texts are right as often as target_accuracy promised.

    Args:
        target: the accuracy that was to hold for texts like those of validation.
        right: of the labels.
        answered: texts that got a label.
        count: all texts.
    """
    promised = f"target_accuracy={target:g} is promised for the texts that get a label"
    if not answered:
        return f"{promised}: here, none of {counted(count, 'text')} does."
    share, interval = percent(right, answered), interval_text(right, answered)
    found = f"{answered:,} of {counted(count, 'text')} here, {share} of them right (95 % interval {interval})"
    return f"{promised}: {found}. {_verdict(target, right, answered)}"


def _verdict(target: float, right: int, answered: int) -> str:
    low, high = wilson_interval(right, answered)
    if low >= target:
        return "The promise holds here."
    if high < target:
        return "The promise does not hold here: these texts or their labels differ from those of validation."
    if right >= target * answered:
        return "The promise is kept on these texts, which are too few to show more."
    return "That is below the promise, by no more than chance explains."
