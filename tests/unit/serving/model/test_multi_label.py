"""Scores of models whose texts may have several labels, and what a lower precision may change in their labels."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.contents import read_contents
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.engine_artifact import in_engine
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.precision import precision_of
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from bert_classifier.serving.model.probe_labels import logit_thresholds, other_labels
from support.fakes import toy_rows
from support.toy_artifact import OF_PAIRS, make_artifact

TEXTS = [text for _, text in toy_rows(12, 5)]


def test_scores_are_the_sigmoid_of_calibrated_logits(multi_label_dir):
    """Each class for itself: exactly what torch gives for the model's own logits over the temperature."""
    artifact = dataclasses.replace(load_artifact(multi_label_dir), temperature=1.7)
    encoded = artifact.encoder.encode_batch(TEXTS)
    found = np.array([prediction.scores for prediction in Predictor(artifact).predict(TEXTS)])
    for row, score in enumerate(found):
        ids = torch.tensor([encoded.take(np.array([row])).ids.tolist()])
        with torch.no_grad():
            wanted = torch.sigmoid(artifact.model(input_ids=ids).logits[0].double() / 1.7)
        assert score == pytest.approx(wanted.numpy(), abs=1e-6)
    assert np.abs(found.sum(axis=1) - 1).min() > 0.1


def test_thresholds_are_those_of_training(multi_label_predictor, predictor):
    """Infinite for a label that is never answered; none for a model with one label."""
    assert multi_label_predictor.thresholds == [0.5, 0.45, math.inf, 0.55, 0.5]
    assert predictor.thresholds is None


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            {"task": "multi", "thresholds": {"Alpha": 0.5}},
            "model ready: classes=3, any number of them per text",
        ),
        (OF_PAIRS, "model ready: classes=3, of pairs of texts"),
        ({}, "model ready: classes=3"),
    ],
)
def test_the_start_says_what_the_model_reads_and_answers(tmp_path, caplog, more, line):
    """In the line that says that it is ready."""
    caplog.set_level("INFO", logger="bert_classifier")
    plan = make_plan(cores=1, gpus=0, models=1, threads=1, requests=1)
    folder = make_artifact(tmp_path / "model", **more)
    load_predictors(folder, plan, max_batch_tokens=None, precision="", metrics=Metrics())
    assert caplog.messages[-1] == line


def test_thresholds_as_logits(multi_label_dir):
    """Where the sigmoid of a logit over the temperature is the threshold."""
    artifact = dataclasses.replace(load_artifact(multi_label_dir), temperature=2.0)
    limits = logit_thresholds(artifact)
    assert torch.sigmoid(limits / 2.0).tolist() == pytest.approx([0.5, 0.45, 1.0, 0.55, 0.5])
    assert limits[2] == math.inf


@pytest.mark.parametrize(
    ("moved", "differ", "is_tie"),
    [
        ({}, False, False),
        ({(0, 0): 0.4}, False, False),
        ({(0, 0): -0.001}, True, True),
        ({(0, 1): -3.0}, True, False),
        ({(0, 0): -0.001, (0, 1): -3.0}, True, False),
        ({(0, 2): 99.0}, False, False),
    ],
    ids=["same", "no label changes", "a near-tie", "a clear one", "both", "never answered"],
)
def test_a_text_keeps_its_labels_if_all_of_them_stay(multi_label_dir, moved, differ, is_tie):
    """A label that comes or goes is a near-tie if float32 had it close to its threshold; each one must be."""
    artifact = load_artifact(multi_label_dir)
    wanted = torch.tensor([[0.002, 2.0, 0.0, -2.0, 1.0], [1.0, -2.0, 0.0, 2.0, -1.0]])
    found = wanted.clone()
    for place, value in moved.items():
        found[place] = value
    differs, ties = other_labels(artifact, wanted, found, rounding=0.01)
    assert (differs.tolist(), ties.tolist()) == ([differ, False], [is_tie, False])


def test_int8_is_served_with_thresholds_of_its_own(multi_label_dir):
    """Those that training proved for it; of labels that the model does not have, none are taken."""
    contents = read_contents(multi_label_dir)
    own = {"Alpha": 0.7, "Beta": None, "Gamma": 0.2, "Delta": 0.5, "Epsilon": 0.5}
    counts = {"same": 500, "near_ties": 0, "right": 400, "gained": 0, "lost": 0, "probe_distance": 0.5}
    for thresholds, first in ((own, 0.7), ({"Other": 0.5}, 0.5)):
        int8 = {**counts, "target_precision": 0.9, "thresholds": thresholds}
        measured = {"texts": 500, "channel": "test", "int8": int8, "int8_7_bits": int8}
        served = in_engine(
            dataclasses.replace(contents, info={**contents.info, "precisions": measured}), "int8"
        )
        assert served is not None
        assert (precision_of(served.model), served.thresholds[0]) == ("int8", first)
        limits = Predictor(served).thresholds
        assert limits is not None
        assert limits[1] == (math.inf if first == 0.7 else 0.45)


def test_the_engine_computes_it(multi_label_dir, multi_label_predictor):
    """Without transformers, with the same scores."""
    artifact = in_engine(read_contents(multi_label_dir), "fp32")
    assert artifact is not None
    found = [prediction.scores for prediction in Predictor(artifact).predict(TEXTS)]
    wanted = [prediction.scores for prediction in Predictor(load_artifact(multi_label_dir)).predict(TEXTS)]
    assert np.abs(np.array(found) - np.array(wanted)).max() < 1e-5
    assert multi_label_predictor.about["served"]["precision"] == "fp32"
