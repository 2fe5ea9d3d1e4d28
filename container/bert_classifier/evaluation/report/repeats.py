"""How much the result depends on chance: the scores of several seeds, and of the folds of a cross-validation."""

from bert_classifier.evaluation.report.context import PageContext
from bert_classifier.evaluation.report.section import Section


def repeats_section(context: PageContext) -> Section | None:
    """Return the section; None for a job of one training."""
    seeds, validated = context.seeds, context.evaluation.cross_validation
    if not (seeds or validated):
        return None
    both = "Seeds and cross-validation"
    title = both if seeds and validated else "Seeds" if seeds else "Cross-validation"
    return Section("repeats", title, {"seeds": seeds, "folds": validated})
