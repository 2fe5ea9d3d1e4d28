"""Of a model that gives a text any number of labels, texts are counted, not their labels."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.artifact.profile import PREDICTIONS, Profile, write_profile
from bert_classifier.artifact.profile_values import label_values
from bert_classifier.drift import rule
from bert_classifier.drift.command import run
from bert_classifier.drift.rule import Verdict, compare_all
from support.toy_artifact import make_artifact

LABELS = ["billing", "bug", "login"]


def drawn(texts: int, seed: int, shares: tuple[float, ...] = (0.9, 0.5, 0.2)) -> np.ndarray:
    """Return probabilities, float64 (texts, 3), that are above 0.5 for so many texts of each label."""
    draw = np.random.default_rng(seed)
    has_label = draw.random((texts, len(shares))) < shares
    scores: np.ndarray = np.where(has_label, 0.9, 0.1)
    return scores


def profile(texts: int, seed: int) -> Profile:
    """Return the baseline of such answers."""
    values = label_values(drawn(texts, seed), np.full(len(LABELS), 0.5))
    return Profile.of(f"{texts} texts of the validation channel", texts, LABELS, values)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a model with several labels per text."""
    thresholds = dict.fromkeys(LABELS, 0.5)
    return make_artifact(tmp_path / "model", names=LABELS, task="multi", thresholds=thresholds)


def answers(file: Path, scores: np.ndarray) -> Path:
    """Write answers as the server gives them, a line per text."""
    lines = [
        {"labels": [{"label": n, "score": float(s)} for n, s in zip(LABELS, row, strict=True) if s >= 0.5]}
        for row in scores
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def test_240_answers_are_240_texts(model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the sentence, in drift.json and on the page; the share of a label is that of the texts which have it."""
    scores = drawn(240, 2)
    file, output = answers(tmp_path / "answers.jsonl", scores), tmp_path / "out"
    caplog.set_level("INFO")
    baseline = tmp_path / "baseline.json"
    write_profile(baseline, profile(300, 1))
    code = run([f"--artifact={model}", f"--file={file}", f"--output={output}", f"--baseline={baseline}"])
    assert code == 0
    assert "240 texts look like the baseline" in caplog.text
    found = json.loads((output / "drift.json").read_text(encoding="utf-8"))
    assert found["observed"]["texts"] == 240
    assert sum(found["observed"]["measures"][PREDICTIONS]["counts"]) == np.count_nonzero(scores > 0.5) > 240
    assert found["measures"][PREDICTIONS]["texts"] == [300, 240]
    assert found["measures"][PREDICTIONS]["effective_texts"] <= 240
    page = re.sub(r"<[^>]+>", " ", (output / "drift.html").read_text(encoding="utf-8"))
    assert f"{100 * np.mean(scores[:, 0] > 0.5):.1f}" in page
    assert "240 texts of" in page


def test_labels_that_come_together_raise_no_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight labels that come together are one text: of 50 equal pairs of samples, hardly any differs significantly."""
    monkeypatch.setattr(rule, "_DIVISIONS", 999)
    draw, found = np.random.default_rng(4), {True: 0, False: 0}
    labels = [str(number) for number in range(16)]
    for _ in range(50):
        samples = []
        for _ in range(2):
            texts = draw.integers(0, 2, 60)  # one of two themes, each with eight labels
            values = {PREDICTIONS: (8 * texts[:, None] + np.arange(8)).ravel()}
            samples.append(Profile.of("simulated", 60, labels, values).measures)
        for knows_texts in found:
            texts_of = {PREDICTIONS: (60, 60)} if knows_texts else {}
            verdict = compare_all(samples[0], samples[1], None, texts_of)[PREDICTIONS].verdict
            found[knows_texts] += verdict in (Verdict.DRIFT, Verdict.SMALL)
    assert found[True] <= 2 < found[False]
