"""The command line of the drift report: its arguments, what it does, its exit codes.

0: no drift was found; 1: drift; 2 and 3: an error, yours or the platform's; 4: a bug, since 1 is taken.
"""

import argparse
import datetime
import json
import logging
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bert_classifier import log
from bert_classifier.artifact.profile import ABSTAINED, PREDICTIONS, SCORES, Profile, read_profile
from bert_classifier.artifact.profile_values import answer_values
from bert_classifier.drift.model import NO_BASELINE, Model, open_model
from bert_classifier.drift.notes import notes_on
from bert_classifier.drift.observed import Observed
from bert_classifier.drift.page import write_report
from bert_classifier.drift.reading import FileReader, files_of
from bert_classifier.drift.report import NAMES, DriftReport
from bert_classifier.drift.rule import compare_all
from bert_classifier.errors import ContainerError, PlatformError, UserError, exit_code_of, failure_text
from bert_classifier.job.atomic_io import require_writable
from bert_classifier.job.interrupts import INTERRUPTED, CtrlCRaises
from bert_classifier.job.terminal import is_watched, use_terminal
from bert_classifier.job.wording import counted

logger = logging.getLogger("bert_classifier.drift")

DRIFT, BUG = 1, 4
_SPAN = re.compile(r"(\d{1,5})\s*([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    use_terminal(os.environ)
    log.configure("INFO", is_watched=is_watched())
    with tempfile.TemporaryDirectory(prefix="plots-") as cache:
        os.environ.setdefault("MPLCONFIGDIR", cache)  # matplotlib writes a cache
        return run(arguments)


def run(arguments: Sequence[str]) -> int:
    """Compare, and write the report; log an error as one sentence; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with CtrlCRaises():
            options.output.mkdir(parents=True, exist_ok=True)
            require_writable(options.output)
            report = compare(options)
            write_report(options.output, report)
    except ContainerError as error:
        return _failed(error)
    except OSError as error:
        cause = f"The report cannot be written to {options.output}: {error}."
        return _failed(PlatformError(cause, "Choose another OUTPUT."))
    except KeyboardInterrupt:
        logger.warning("stopped by Ctrl-C: the report in %s may be incomplete", options.output)
        return INTERRUPTED
    except Exception as error:
        logger.exception("InternalError: %s", type(error).__name__)
        return BUG
    for sentence in (report.sentence, *report.details, *report.notes, report.next_step):
        logger.info("%s", sentence, extra=log.CLOSING)
    return DRIFT if report.has_drifted else 0


def _failed(error: ContainerError) -> int:
    logger.error("%s", failure_text(error))
    return exit_code_of(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bert_classifier.drift",
        description="Compare texts and answers with a model's baseline.",
    )
    parser.add_argument(
        "--artifact", type=Path, required=True, help="the model's folder, archive or baseline.json"
    )
    parser.add_argument("--file", type=Path, required=True, help="captured requests, answers or texts")
    parser.add_argument("--output", type=Path, required=True, help="folder for the report")
    parser.add_argument("--baseline", type=Path, help="what to compare with instead of the model's baseline")
    parser.add_argument("--since", default="", help="span of captured requests, such as 24h, 7d or 2w")
    parser.add_argument("--names", nargs=2, help="names of model and data in the report")
    return parser


def compare(options: argparse.Namespace) -> DriftReport:
    """Return the comparison of FILE with the baseline.

    Raises:
        UserError: when the model, the baseline or the data cannot be used.
    """
    since = span_start(options.since)
    with tempfile.TemporaryDirectory(prefix="model-") as scratch:
        model = open_model(options.artifact, Path(scratch))
        then = _baseline(options.baseline, model)
        observed = observe(options.file, model, since)
    _require_something(observed, options.file)
    now = observed.binned(then.measures)
    effects = observed.design_effects(then.measures)
    texts = observed.texts_in(now)
    name, data = options.names or (str(options.artifact), str(options.file))
    profile = Profile(f"{counted(texts, 'text')} of {data}", texts, now, then.unknown_id)
    answered = {PREDICTIONS: (then.answered, profile.answered)} if model.thresholds is not None else {}
    compared = {name: then.measures[name] for name in NAMES if name in then.measures}
    found = compare_all(compared, now, effects, answered)
    notes = notes_on(observed, model, is_since=since is not None)
    return DriftReport(name, data, then, profile, found, observed.tally, notes, has_label_sets=bool(answered))


def span_start(span: str) -> datetime.datetime | None:
    """Return when a span such as 24h, 7d or 2w began; None for "".

    Raises:
        UserError: when it is no such span.
    """
    if not span:
        return None
    match = _SPAN.fullmatch(span.strip().lower())
    if not match:
        raise UserError(
            f"SINCE={span} is no span of time.", "Give hours, days or weeks: SINCE=24h, 7d or 2w."
        )
    hours = int(match[1]) * _HOURS[match[2]]
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)


def observe(path: Path, model: Model, since: datetime.datetime | None = None) -> Observed:
    """Read what was captured, answered or is to be classified; run the model on texts without answers."""
    observed = Observed(model.labels, model.encoder, model.unknown_id, abstains=model.abstains)
    reader = FileReader(observed, model.labels, model.info, since, model.abstain_below, model.thresholds)
    files = files_of(path)
    logger.info("reading %s", counted(len(files), "file"))
    for file in files:
        try:
            reader.read(file)
        except ContainerError as error:
            if len(files) == 1:
                raise
            logger.warning("%s is left out. %s", file, error.cause)
            observed.tally.unreadable[f"the file {file.name} cannot be used"] += 1
    if observed.tally.texts and not observed.tally.answers and model.folder is not None:
        _classify(observed, model)
    return observed


def _classify(observed: Observed, model: Model) -> None:
    """Run the model on the sample of the texts."""
    from bert_classifier.artifact.artifact import load_artifact  # loads torch
    from bert_classifier.evaluation.calibration import softmax
    from bert_classifier.evaluation.evaluate import logits_for
    from bert_classifier.modeling.pretrained import quiet_transformers

    assert model.folder is not None
    texts = observed.sample
    logger.info("there are no answers: classifying %s", counted(len(texts), "text"))
    quiet_transformers()
    artifact = load_artifact(model.folder)
    logits = logits_for(artifact, texts)
    if model.thresholds is not None:
        _add_label_sets(observed, logits / artifact.temperature, np.array(model.thresholds))
        return
    probabilities = softmax(logits, artifact.temperature)
    values = answer_values(probabilities, artifact.abstain_below)
    observed.add_values(values, np.arange(len(texts)))


def _add_label_sets(observed: Observed, logits: np.ndarray, thresholds: np.ndarray) -> None:
    """Count the answers with any number of labels to n texts.

    Args:
        logits: calibrated, float (n, classes).
    """
    probabilities = np.exp(-np.logaddexp(0.0, -logits.astype(np.float64)))
    texts, labels = np.nonzero(probabilities >= thresholds)
    has_none = ~np.isin(np.arange(len(logits)), texts)
    observed.add_values({PREDICTIONS: labels}, texts)
    observed.add_values({SCORES: probabilities.max(axis=1), ABSTAINED: has_none}, np.arange(len(logits)))


def _baseline(given: Path | None, model: Model) -> Profile:
    """Return what to compare with: what was given, or the model's own baseline.

    Raises:
        UserError: when there is none, or it is of other classes.
    """
    if given is None:
        if model.baseline is None:
            raise UserError("The model has no baseline: an earlier version has trained it.", NO_BASELINE)
        return model.baseline
    profile = _given_baseline(given, model)
    classes = profile.measures.get(PREDICTIONS)
    if classes is not None and list(classes.names) != list(model.labels):
        raise UserError(
            f"{given} is of a model with other classes.",
            "Give a baseline of this model, or leave BASELINE out.",
        )
    return profile


def _given_baseline(given: Path, model: Model) -> Profile:
    if given.is_file() and given.suffix == ".json":
        value = _object(given)
        if isinstance(value, dict) and "observed" in value:  # the drift.json of an earlier time
            return _earlier(given, value["observed"])
        if isinstance(value, dict) and "measures" in value:
            return read_profile(given, "Name a baseline.json or a drift.json.")
    observed = observe(given, model)
    _require_something(observed, given)
    profile = observed.profile("")
    return Profile(
        f"{counted(profile.texts, 'text')} of {given}", profile.texts, profile.measures, profile.unknown_id
    )


def _earlier(path: Path, value: Any) -> Profile:
    try:
        return Profile.from_json(value)
    except ValueError:
        raise UserError(
            f"{path} is no drift.json of an earlier report.", "Name the drift.json that a report has written."
        ) from None


def _object(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None


def _require_something(observed: Observed, path: Path) -> None:
    """Raise a UserError if no text and no answer was read."""
    tally = observed.tally
    if tally.texts or tally.answers:
        return
    reasons = "; ".join(f"{reason} ({times} times)" for reason, times in tally.unreadable.most_common(3))
    if tally.before:
        reasons = f"all {tally.before} captured requests are older than SINCE"
    if tally.refused_requests or tally.refused:
        reasons = f"the server refused all {tally.refused_requests + tally.refused} of them"
    raise UserError(
        f"{path} holds no text and no answer{f': {reasons}' if reasons else ''}.",
        "Name a folder of captured files, a file of answers, or a file of texts; for a longer time, SINCE=7d.",
    )
