"""The data doctor: apply the rules, report and log the findings, refuse data that would waste the run."""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bert_classifier.data.doctor import class_rules, label_rules, pair_rules, set_rules, text_rules
from bert_classifier.data.doctor.context import DataContext
from bert_classifier.data.doctor.report import DataReport, Finding
from bert_classifier.data.doctor.stats import ChannelStats
from bert_classifier.encoding.length import length_for
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.findings import Severity
from bert_classifier.job.json_files import write_json
from bert_classifier.job.wording import counted

logger = logging.getLogger(__name__)

_RULES = (
    text_rules.empty, text_rules.contents, text_rules.language, label_rules.header_rows, label_rules.placeholders,
    label_rules.several_in_one, label_rules.spellings, label_rules.written_forms, class_rules.missing_classes,
    class_rules.class_sizes, set_rules.labels_per_text, set_rules.single_sets, set_rules.told_by_lists,
    set_rules.joined_sets, set_rules.constant_labels, set_rules.co_occurrence, text_rules.leakage,
    pair_rules.swapped_leakage, text_rules.conflicts, text_rules.duplicates, pair_rules.swapped_pairs,
    pair_rules.empty_sides, pair_rules.equal_sides, text_rules.encoding, text_rules.truncation, class_rules.sizes,
)  # fmt: skip
REPORT_FILE = "data_report.json"
_LONGEST = 8192  # maximum of max_seq_length


def examine(
    config: TrainConfig,
    stats: Mapping[str, ChannelStats],
    labels: Sequence[str],
    *,
    longest: int | None,
    is_held_out: bool,
    understood: Mapping[str, Any] = MappingProxyType({}),
) -> DataReport:
    """Apply all rules to the data of a job.

    Args:
        stats: of train and, if there are any, validation and test.
        labels: class names in the order of their indices.
        longest: the model's maximum number of tokens; None if unlimited.
        is_held_out: whether validation was split off train.
        understood: what was understood of each channel's files.
    """
    lengths, most = stats["train"].lengths, min(longest or _LONGEST, _LONGEST)
    recommended = min(length_for(lengths), most)
    context = DataContext(stats, labels, config, recommended, is_held_out)
    return DataReport(
        understood=dict(understood),
        channels={name: stats.report(labels, config.largest_seq_length) for name, stats in stats.items()},
        leakage={name: len(indices) for name, (indices, _) in context.leaks.items()},
        max_seq_length=config.largest_seq_length,
        recommended_max_seq_length=recommended,
        recommended_whole_share=float((lengths <= recommended).mean()),
        longest_max_seq_length=most,
        findings=_findings(context),
    )


def _findings(context: DataContext) -> list[Finding]:
    found = [finding for rule in _RULES for finding in rule(context)]
    return sorted(found, key=lambda finding: finding.severity.rank)


def write_report(environment: Environment, report: DataReport) -> None:
    """Write data_report.json; a failure does not stop the job."""
    path, found = environment.output_dir / REPORT_FILE, counted(len(report.findings), "finding")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, report.as_json())
    except OSError as error:
        logger.warning("data: %s, but %s cannot be written: %s", found, path, error)
    else:
        logger.info("data: %s, in %s", found, path)


def log_findings(report: DataReport) -> None:
    """Log one line per warning, with the first locations but without any text.

    Raises:
        UserError: for the first error among the findings.
    """
    for finding in report.findings:
        if finding.severity is Severity.WARNING:
            logger.warning("data: %s %s", _with_places(finding), finding.remedy)
    for finding in report.findings:
        if finding.severity is Severity.ERROR:
            raise UserError(_with_places(finding), finding.remedy)


def _with_places(finding: Finding) -> str:
    if not finding.places:
        return finding.message
    more = "; …" if len(finding.places) > 3 else ""
    return f"{finding.message.rstrip('.')} ({'; '.join(finding.places[:3])}{more})."
