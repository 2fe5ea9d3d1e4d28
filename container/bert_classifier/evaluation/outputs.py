"""The files that an evaluation leaves in a folder: evaluation.json, tables, report.html."""

from pathlib import Path

from bert_classifier.evaluation import tables
from bert_classifier.evaluation.model_quality import model_quality
from bert_classifier.evaluation.subject import Subject
from bert_classifier.manifest import write_json


def write_outputs(folder: Path, subject: Subject) -> None:
    """Write everything about the reported channel: what programs read first, what people read last.

    Raises:
        OSError: when the folder does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels, result = subject.labels, subject.result
    told = model_quality(subject.channel, labels, result, subject.scores, subject.positive)
    write_json(folder / "evaluation.json", told)
    tables.write_confusion(folder / "confusion_matrix.csv", labels, result)
    tables.write_per_class(folder / "per_class.csv", labels, result)
    for name, words, suspects in (
        ("errors.csv", ("true", "predicted"), subject.mistakes),
        ("label_errors.csv", ("label", "suggested"), subject.label_errors),
    ):
        tables.write_suspects(folder / name, words, labels, suspects, subject.rows)
    from bert_classifier.evaluation.report import render  # it loads matplotlib

    (folder / "report.html").write_text(render(subject), encoding="utf-8")
