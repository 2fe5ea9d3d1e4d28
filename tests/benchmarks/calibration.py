"""Is the calibration of a trained model honest on texts that its temperature was not fitted on?

Usage: calibration.py [--data FILE] [MODEL …]. The file is halved at random 20 times: on one half the temperature is
fitted, on the other the error is measured. Default: the sample's model and test channel, if it has been trained.
"""

import argparse
from pathlib import Path

import numpy as np

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.evaluation.calibration import calibration_scores, fit_temperature
from bert_classifier.evaluation.evaluate import logits_for
from bert_classifier.evaluation.labelled_file import read_labelled
from bert_classifier.evaluation.metrics import Evaluation, wilson_interval
from bert_classifier.modeling.pretrained import quiet_transformers

SAMPLE = Path(__file__).parents[2] / "local_test" / "test_dir"
HALVINGS = 20


def held_out_error(result: Evaluation) -> tuple[float, float]:
    """Return the mean calibration error of halves that the temperature has not seen, before and after."""
    draw = np.random.Generator(np.random.Philox(0))
    errors = []
    for _ in range(HALVINGS):
        order = draw.permutation(result.count)
        halves = [Evaluation(result.logits[rows], result.targets[rows]) for rows in np.array_split(order, 2)]
        fitted = fit_temperature(halves[0]).value
        errors.append([calibration_scores(halves[1], t)["ece"] for t in (1.0, fitted)])
    before, after = np.mean(errors, axis=0)
    return float(before), float(after)


def main() -> int:
    """Print a row of a table for each model; return 1 when one that was named has nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, default=[SAMPLE / "model"])
    parser.add_argument("--data", type=Path, default=SAMPLE / "input" / "data" / "test" / "test.csv")
    options = parser.parse_args()
    quiet_transformers()
    print(
        "| model | texts | accuracy (95 %) | temperature | ECE before | after | on unseen halves: before | after |"
    )
    is_missing = False
    for folder in options.models:
        if not (folder / "manifest.json").is_file():
            print(f"{folder}: NOT RUN: there is no trained model (make train-local trains the sample's)")
            is_missing = True
            continue
        artifact = load_artifact(folder)
        examples, _ = read_labelled(options.data, artifact.labels)
        result = Evaluation(logits_for(artifact, examples.texts), examples.targets)
        low, high = wilson_interval(int(result.confusion.trace()), result.count)
        before, after = (calibration_scores(result, t)["ece"] for t in (1.0, artifact.temperature))
        unseen = held_out_error(result)
        accuracy = f"{100 * result.accuracy:.2f} % ({100 * low:.2f}–{100 * high:.2f})"
        print(
            f"| {folder.parent.name} | {result.count} | {accuracy} |"
            f" {artifact.temperature:g} | {before:.4f} | {after:.4f} | {unseen[0]:.4f} | {unseen[1]:.4f} |"
        )

    return int(
        is_missing and options.models != [SAMPLE / "model"]
    )  # `make bench` goes on without the sample's


if __name__ == "__main__":
    raise SystemExit(main())
