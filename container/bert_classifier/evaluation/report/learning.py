"""The course of the training: losses and scores by optimizer step."""

from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import PageContext
from bert_classifier.evaluation.report.section import Section


def learning_section(context: PageContext) -> Section | None:
    """Return the section; None without a training."""
    curve = context.curve
    if not curve or not curve.evaluations:
        return None
    kept = (evaluation[2] for evaluation in curve.evaluations if evaluation[0] == curve.kept_step)
    values = {
        "plots": plots.learning_curve(curve),
        "has_norms": bool(curve.gradient_norms),
        "kept_step": curve.kept_step,
        "kept_score": next(kept, None),
        "score_name": curve.score_name,
    }
    return Section("learning", "Learning curve", values)
