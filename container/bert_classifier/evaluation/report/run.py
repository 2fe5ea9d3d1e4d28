"""The run and its settings."""

from bert_classifier.evaluation.report import plots
from bert_classifier.evaluation.report.context import ABOUT, PageContext
from bert_classifier.evaluation.report.section import Section


def run_section(context: PageContext) -> Section | None:
    """Return the section in which alone reports of identical runs may differ, but for the head."""
    groups = {name: values for name, values in context.facts.items() if name != ABOUT and values}
    if not groups:
        return None
    title = "Tokens per second by optimizer step"
    throughput = plots.by_step(title, context.throughput) if context.throughput else ""
    return Section("run", "Run and settings", {"groups": groups, "throughput": throughput})
