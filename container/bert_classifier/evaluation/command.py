"""The commands `evaluate` and `compare`: their arguments, what they do, their exit codes."""

import argparse
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bert_classifier import log
from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.contents import Artifact
from bert_classifier.data.examples import Examples, Records
from bert_classifier.data.examples_alike import labels_per_text
from bert_classifier.data.understood import channel_understood, lines_of
from bert_classifier.errors import ContainerError, PlatformError, UserError, exit_code_of, failure_text
from bert_classifier.evaluation.any_headline import any_headline, commonest_mistake
from bert_classifier.evaluation.artifact_facts import about_both, artifact_facts
from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.evaluate import evaluate_artifact
from bert_classifier.evaluation.explain import explained
from bert_classifier.evaluation.headline import percent
from bert_classifier.evaluation.labelled_file import read_labelled
from bert_classifier.evaluation.multi_label.promises import precision_kept
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.evaluation.multi_label.tables import write_label_predictions
from bert_classifier.evaluation.outputs import write_outputs
from bert_classifier.evaluation.paired_reading import read_for_both
from bert_classifier.evaluation.promise import promise_kept
from bert_classifier.evaluation.report.any_context import AnyContext, context_for
from bert_classifier.evaluation.report.comparison_report import Pair, verdict, write_comparison
from bert_classifier.evaluation.report.context import PageContext
from bert_classifier.evaluation.report.multi_label.comparison import (
    LabelPair,
    label_verdict,
    write_label_comparison,
)
from bert_classifier.evaluation.report.multi_label.context import MultiLabelContext
from bert_classifier.evaluation.result import EvaluationResult
from bert_classifier.evaluation.tables import write_predictions
from bert_classifier.job.atomic_io import require_writable
from bert_classifier.job.cpu_quota import available_cores
from bert_classifier.job.interrupts import INTERRUPTED, CtrlCRaises
from bert_classifier.job.terminal import is_watched, use_terminal
from bert_classifier.job.wording import counted, listed
from bert_classifier.modeling.pretrained import quiet_transformers

logger = logging.getLogger("bert_classifier.evaluation")

_DESCRIPTION = "Evaluate trained models on a labelled file."


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the same exit codes as training."""
    use_terminal(os.environ)
    log.configure("INFO", is_watched=is_watched())
    torch.set_num_threads(min(available_cores(), torch.get_num_threads()))
    with tempfile.TemporaryDirectory(prefix="plots-") as cache:
        os.environ.setdefault("MPLCONFIGDIR", cache)  # matplotlib writes a cache
        return run(arguments)


def run(arguments: Sequence[str]) -> int:
    """Run one command; log an error as one sentence, and return the exit code."""
    options = _parser().parse_args(arguments)
    quiet_transformers()
    try:
        with CtrlCRaises():
            options.output.mkdir(parents=True, exist_ok=True)
            require_writable(options.output)
            options.run(options)
    except ContainerError as error:
        return _failed(error)
    except OSError as error:
        cause = f"The results cannot be written to {options.output}: {error}."
        return _failed(PlatformError(cause, "Choose another OUTPUT."))
    except KeyboardInterrupt:
        logger.warning("stopped by Ctrl-C: the results in %s may be incomplete", options.output)
        return INTERRUPTED
    return 0


def _failed(error: ContainerError) -> int:
    logger.error("%s", failure_text(error))
    return exit_code_of(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bert_classifier.evaluation", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command, words in (
        ("evaluate", _evaluate, "score a model on a labelled file"),
        ("compare", _compare, "compare two models"),
    ):
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=command)
        added.add_argument("--model", type=Path, required=True, help="folder that training wrote")
        if name == "compare":
            added.add_argument("--other", type=Path, required=True, help="the folder of the second model")
        added.add_argument("--data", type=Path, required=True, help="one labelled file, as for training")
        added.add_argument(
            "--hp", default="", help="settings for reading the file, where they differ from training's"
        )
        added.add_argument("--output", type=Path, required=True, help="folder for the results")
        added.add_argument("--names", nargs="*", default=[], help="names of the models in the report")
    return parser


def _evaluate(options: argparse.Namespace) -> None:
    artifact = load_artifact(options.model)
    examples, positive = read_labelled(options.data, artifact.labels, artifact.info, options.hp)
    understood = _understood(options.data.name, examples, artifact.labels)
    evaluation = evaluate_artifact(artifact, examples, options.data.name, artifact.labels)
    records = Records.of(examples)
    (name,) = _names(options, options.model)
    page = PageContext(
        title=f"{name} on {options.data.name}",
        labels=artifact.labels,
        evaluation=evaluation,
        records=records,
        understood={options.data.name: understood},
        facts=artifact_facts(artifact, name, _texts(options.data.name, examples)),
        notes=[_promise(artifact, evaluation), _floor(artifact)],
    )
    context = explained(context_for(page, positive), lambda: artifact)
    write_outputs(options.output, context)
    _write_predictions(options.output / "predictions.csv", context)
    told = any_headline(evaluation, labels=artifact.labels, positive=positive)
    mistake = commonest_mistake(evaluation, artifact.labels)
    _close(told.sentence, told.comparison, mistake, *context.notes)


def _write_predictions(path: Path, context: AnyContext) -> None:
    labels, places = context.labels, context.records.places
    if isinstance(context, MultiLabelContext):
        write_label_predictions(path, labels, context.answers, context.probabilities, places)
    else:
        write_predictions(path, labels, context.result, context.evaluation.temperature.value, places)


def _texts(name: str, examples: Examples) -> str:
    return f"{name}: {counted(len(examples), 'text')}"


def _close(*sentences: str) -> None:
    """Log the paragraph that ends a command, without the empty ones of its sentences."""
    for sentence in filter(None, sentences):
        logger.info("%s", sentence, extra=log.CLOSING)


def _promise(artifact: Artifact, evaluation: AnyResult) -> str:
    """Return whether what the model promises holds on the evaluated texts; "" if it promises nothing."""
    facts = artifact.info.get("guarantee", {})
    if isinstance(evaluation, MultiLabelResult):
        if "target_precision" not in facts:
            return ""
        answers = evaluation.predictions(evaluation.channel)
        return precision_kept(facts["target_precision"], answers, evaluation.labels)
    if facts.get("threshold") is None:
        return ""
    answered, right = evaluation.curve(evaluation.channel).at(artifact.abstain_below)
    return promise_kept(
        facts["target_accuracy"], right, answered, evaluation.results[evaluation.channel].count
    )


def _floor(artifact: Artifact) -> str:
    """Return what a simpler model was right on when this one was trained; "" if that is not known."""
    scores = artifact.info.get("floor", {})
    channel = next((name for name in ("test", "validation") if name in scores), "")
    if not channel:
        return ""
    count = scores[channel]["texts"]
    if "micro_f1" in scores[channel]:
        score = scores[channel]["micro_f1"]
        return (
            f"In training, logistic regression on the frozen encoder had a micro-F1 of {score:.2f} on"
            f" {counted(count, f'{channel} text')}."
        )
    accuracy = scores[channel]["accuracy"]
    return (
        f"In training, logistic regression on the frozen encoder was right on {percent(round(accuracy * count), count)}"
        f" of {counted(count, f'{channel} text')}."
    )


def _understood(name: str, examples: Examples, labels: Sequence[str]) -> dict[str, Any]:
    """Return what was understood of a labelled file, and log it."""
    classes = examples.texts_by_class(labels)
    understood = channel_understood(
        examples.understood, [name], examples.num_empty, classes, labels_per_text([examples])
    )
    for line in lines_of(understood):
        logger.info("%s", line)
    return understood


def _compare(options: argparse.Namespace) -> None:
    first, second = load_artifact(options.model), load_artifact(options.other)
    if sorted(first.labels) != sorted(second.labels):
        differing = sorted(set(first.labels) ^ set(second.labels))
        raise UserError(
            f"The two models do not have the same classes: {listed(differing)}.",
            "Compare models of the same classes.",
        )
    if first.task is not second.task:
        raise UserError(
            "One of the two models gives a text one label, the other any number of labels.",
            "Compare models of the same task.",
        )
    readings = read_for_both(options.data, first, second, options.hp)
    for examples in readings[:1] if readings[0] is readings[1] else readings:
        _understood(options.data.name, examples, first.labels)
    first_result, second_result = (
        evaluate_artifact(artifact, examples, options.data.name, first.labels)
        for artifact, examples in zip((first, second), readings, strict=True)
    )
    names = _names(options, options.model, options.other)
    about = about_both(names, (first, second), _texts(options.data.name, readings[0]))
    told = _write_comparison(
        options.output, names, first.labels, [first_result, second_result], Records.of(readings[0]), about
    )
    tellings = [any_headline(result).sentence for result in (first_result, second_result)]
    _close(told, f"First model, {names[0]}: {tellings[0]}", f"Second model, {names[1]}: {tellings[1]}")


def _write_comparison(
    folder: Path,
    names: Sequence[str],
    labels: Sequence[str],
    results: Sequence[AnyResult],
    records: Records,
    about: Mapping[str, str],
) -> str:
    """Write the comparison of two results of the same task, and return the verdict."""
    first_name, second_name = names
    of_labels = [result for result in results if isinstance(result, MultiLabelResult)]
    if of_labels:
        label_pair = LabelPair(
            (first_name, second_name), labels, (of_labels[0], of_labels[1]), records, about
        )
        write_label_comparison(folder, label_pair)
        return label_verdict(label_pair)
    first, second = (result for result in results if isinstance(result, EvaluationResult))
    pair = Pair((first_name, second_name), labels, (first, second), records, about)
    write_comparison(folder, pair)
    return verdict(pair)


def _names(options: argparse.Namespace, *folders: Path) -> list[str]:
    """Return the models' names from --names, or else their folders."""
    return list(options.names) if len(options.names) == len(folders) else [str(folder) for folder in folders]
