"""README.md of an artifact: its lines for plain transformers give the probabilities that the server gives."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.model_card import model_card
from bert_classifier.serving.model.predictor import Predictor
from support.fakes import ARCHITECTURES
from support.toy_artifact import make_artifact

TEXTS = ["apple", "River, ocean!", "the violin " * 40, "Castle\n\tbridge  \u00e9t\u00e9", "1 + 1 = two?"]


def run_lines_of(folder: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the lines of code of an artifact's README.md in its folder, on these texts; return their variables."""
    (lines,) = re.findall(
        r"^```python\n(.*?)^```", (folder / "README.md").read_text("utf-8"), re.DOTALL | re.M
    )
    own, count = re.subn(r"(?m)^texts = .*$", lambda _: f"texts = {texts!r}", lines)
    assert count == 1
    monkeypatch.chdir(folder)
    found: dict[str, Any] = {}
    exec(own, found)
    return found


@pytest.mark.parametrize("temperature", [0.6, 1.9])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_its_lines_give_the_servers_probabilities(architecture, temperature, tmp_path, monkeypatch):
    """As they stand, for short texts and for one that is cut; without the temperature they would be others."""
    folder = make_artifact(tmp_path / "model", architecture=architecture, temperature=temperature)
    found = run_lines_of(folder, TEXTS, monkeypatch)
    ours = Predictor(load_artifact(folder)).predict(TEXTS)
    assert ours[2].truncated
    theirs = found["probabilities"].numpy()
    np.testing.assert_allclose(theirs, [prediction.scores for prediction in ours], atol=1e-5)
    raw = found["torch"].softmax(found["model"](**found["inputs"]).logits, dim=-1).detach().numpy()
    assert np.abs(raw - theirs).max() > 1e-3
    assert found["model"].config.id2label == {0: "Alpha", 1: "Beta", 2: "Gamma"}


def test_other_ways_to_cut_are_named(tmp_path, monkeypatch):
    """The lines hold for texts that need no cut, and it says so."""
    settings: dict[str, Any] = {"truncation": "windows", "max_windows": 4, "window_overlap": 0.2}
    folder = make_artifact(tmp_path / "model", **settings)
    card = (folder / "README.md").read_text("utf-8")
    assert "This holds for texts of up to 32 tokens." in card
    assert "`truncation` is `windows`" in card
    ours = Predictor(load_artifact(folder)).predict(TEXTS[:2])
    theirs = run_lines_of(folder, TEXTS[:2], monkeypatch)["probabilities"].numpy()
    np.testing.assert_allclose(theirs, [prediction.scores for prediction in ours], atol=1e-5)


def test_temperature_and_threshold_are_those_of_the_artifact(tmp_path):
    """Both numbers stand there; without a threshold every text gets a label."""
    first = make_artifact(tmp_path / "first", temperature=1.25, abstain_below=0.7)
    second = make_artifact(tmp_path / "second")
    cards = [(folder / "README.md").read_text("utf-8") for folder in (first, second)]
    assert "(here 1.25)" in cards[0]
    assert "below 0.7 (`abstain_below`), `serve` gives no label" in cards[0]
    assert "the label that `serve` gives" in cards[1]


def test_it_says_how_good_the_model_is():
    """In the words of the end of the training, with what is promised; nothing of a model that was not evaluated."""
    told = "93 % of 60 test texts are right (95 % interval 84–97 %)."
    assert "How good it is" not in model_card({"truncation": "head"})
    assert f"## How good it is\n\n{told}\n" in model_card({"truncation": "head", "headline": told})
    guarantee = {
        "target_accuracy": 0.9, "confidence": 0.95, "threshold": 0.75,
        "right": 44, "answered": 45, "validation_texts": 60,
    }  # fmt: skip
    card = model_card({"truncation": "head", "headline": told, "guarantee": guarantee})
    assert (
        "at least 90 % of the labels with a probability of 0.75 or more are right, with 95 % confidence."
        in card
    )
    assert "On validation, 44 of the 45 labels that 60 texts got were right." in card
    every = model_card({"truncation": "head", "headline": told, "guarantee": {**guarantee, "threshold": 0.0}})
    assert "at least 90 % of the labels are right, with 95 % confidence." in every
    without = model_card(
        {"truncation": "head", "headline": told, "guarantee": {**guarantee, "threshold": None}}
    )
    assert "`target_accuracy=0.9` cannot be guaranteed: every text gets a label." in without
