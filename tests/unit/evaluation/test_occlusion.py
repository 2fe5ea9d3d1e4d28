"""Occlusion: the words without which a prediction falls are found, bounded, and a model is never changed by it."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.contents import Artifact
from bert_classifier.data.examples import Examples, Records
from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.evaluate import evaluate_artifact, logits_for
from bert_classifier.evaluation.explain import with_occlusions
from bert_classifier.evaluation.label_issues import LabelIssue
from bert_classifier.evaluation.occlusion import MOST_TEXTS, Occlusion, occlude
from bert_classifier.evaluation.report.context import ReportContext
from bert_classifier.evaluation.result import EvaluationResult
from support.fakes import toy_rows
from support.toy_artifact import MAX_LENGTH, make_artifact

PLENTY = 10**6


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Return a random classifier that reads 32 tokens."""
    return load_artifact(make_artifact(tmp_path_factory.mktemp("made") / "model"))


class Keywords:
    """A classifier that says 1 with a probability that each of its keywords raises; keeps the texts it was asked."""

    def __init__(self, **weights: float) -> None:
        self.weights = weights
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        ones = [0.1 + sum(w for word, w in self.weights.items() if word in text) for text in texts]
        return np.array([[1 - one, one] for one in ones])


def occlusions_of(
    artifact: Artifact, model: Keywords, *texts: str, most_tokens: int = PLENTY
) -> list[Occlusion]:
    """Return what was found in texts that the model takes for class 1."""
    issues = [LabelIssue(index, 0, 1, 0.1, 0.9) for index in range(len(texts))]
    found = occlude(issues, texts, artifact.encoder, model, most_tokens)
    assert set(found) == set(range(min(MOST_TEXTS, len(texts))))
    return [found[index] for index in sorted(found)]


def test_the_words_that_decide_are_found_where_they_stand(artifact):
    """By descending odds, with the drop of the class's probability and their place in the text."""
    text = "a river, not an apple: an ocean"
    (found,) = occlusions_of(artifact, Keywords(river=0.3, ocean=0.4, apple=-0.1), text)
    assert [text[one.start : one.end] for one in found.influences] == ["ocean", "river"]
    assert [one.drop for one in found.influences] == pytest.approx([0.4, 0.3])
    # The probability is 0.7, 0.3 without the ocean, and 0.4 without the river.
    assert [one.odds for one in found.influences] == pytest.approx([(7 / 3) / (3 / 7), (7 / 3) / (4 / 6)])
    assert found.skipped == ""
    parts = found.parts(text)
    assert "".join(part.text for part in parts) == text
    marked = [(part.text, part.influence) for part in parts if part.strength]
    assert marked == [("river", found.influences[1]), ("ocean", found.influences[0])]
    assert [part.strength for part in parts if part.influence] == [
        pytest.approx(math.log(3.5) / math.log(49 / 9)),
        1,
    ]


def test_each_variant_lacks_exactly_one_word(artifact):
    """The text itself, and once without each word; all texts are asked in one go."""
    model = Keywords()
    occlusions_of(artifact, model, "one two three", "two, one!")
    assert model.asked == [
        "one two three",
        " two three",
        "one  three",
        "one two ",
        "two, one!",
        ", one!",
        "two, !",
    ]


def test_where_no_word_matters_none_is_marked(artifact):
    """Odds that fall by less than 5 % are nothing to show."""
    (found,) = occlusions_of(artifact, Keywords(river=0.004), "the river is old")
    assert (found.influences, found.skipped) == ([], "")
    assert found.parts("the river is old") == [("the river is old", 0.0, None)]


def test_words_are_told_apart_where_the_model_is_all_but_sure(artifact):
    """Probabilities that differ in the twelfth digit only; even where the rest is exactly 0 nothing fails."""

    def sure(texts: Sequence[str]) -> np.ndarray:
        logits = [
            [0.0, 30.0 + 3 * ("river" in text) + ("old" in text) + 900 * ("sea" in text)] for text in texts
        ]
        return softmax(np.array(logits), 1.0)

    def found_in(text: str) -> Occlusion:
        return occlude([LabelIssue(0, 0, 1, 0.1, 0.9)], [text], artifact.encoder, sure, PLENTY)[0]

    first, second = found_in("the river is old").influences
    assert (first.start, second.start) == (4, 13)
    assert (first.odds, second.odds) == (
        pytest.approx(math.exp(3), rel=1e-3),
        pytest.approx(math.e, rel=1e-3),
    )
    assert 0 <= first.drop < 1e-10
    (sea,) = found_in("the sea is here").influences
    assert math.isfinite(sea.odds)


def test_at_most_six_words_are_marked(artifact):
    """The strongest ones."""
    text = "w1 w2 w3 w4 w5 w6 w7 w8"
    (found,) = occlusions_of(artifact, Keywords(**{f"w{n}": 0.02 * n for n in range(1, 9)}), text)
    assert [text[one.start : one.end] for one in found.influences] == ["w8", "w7", "w6", "w5", "w4", "w3"]


def test_of_a_longer_text_several_words_go_at_once(tmp_path):
    """However many words, at most 32 variants beside the text, which together remove every word."""
    artifact = load_artifact(make_artifact(tmp_path / "model", max_seq_length=256))
    model, text = Keywords(w77=0.5), " ".join(f"w{number}" for number in range(30, 80))
    (found,) = occlusions_of(artifact, model, text)
    assert len(model.asked) == 1 + 25
    (one,) = found.influences
    assert text[one.start : one.end] == "w76 w77"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("word " * (MAX_LENGTH + 1), "only parts of this text"),
        ("word", "it has 1 word"),
        ("...", "it has 0 words"),
        ("one two three four", "it would take too long"),
    ],
)
def test_what_cannot_be_asked_is_skipped_with_the_reason(artifact, text, reason):
    """Cut texts, texts without words, and those for which no tokens are left; the model is not asked."""
    model = Keywords()
    (found,) = occlusions_of(artifact, model, text, most_tokens=20)
    assert reason in found.skipped
    assert (found.influences, model.asked) == ((), [])


def test_texts_beyond_the_models_length_and_windows_are_skipped(tmp_path):
    """A text in several windows has several predictions; one of more than 256 tokens would take too long."""
    windows = load_artifact(make_artifact(tmp_path / "one", truncation="windows", max_windows=4))
    (found,) = occlusions_of(windows, Keywords(), "word " * 40)
    assert "only parts of this text" in found.skipped
    long = load_artifact(make_artifact(tmp_path / "two", max_seq_length=512))
    (found,) = occlusions_of(long, Keywords(), "the " * 300)
    assert "more than 256 tokens" in found.skipped


def test_a_costly_text_does_not_keep_a_cheap_one_from_its_turn(artifact):
    """What is left of the bound goes to the next text that it suffices for."""
    found = occlusions_of(
        artifact,
        Keywords(river=0.5),
        "the river",
        "a longer text with a river in it",
        "the river",
        most_tokens=50,
    )
    assert [bool(one.influences) for one in found] == [True, False, True]


def test_only_the_worst_ten_are_looked_at(artifact):
    """More would take longer than people read."""
    model = Keywords(river=0.5)
    assert len(occlusions_of(artifact, model, *["the river"] * 30)) == 10


def reported(artifact: Artifact) -> ReportContext:
    """Return what is reported of an untrained model, which is often wrong."""
    rows = toy_rows(60)
    names = list(artifact.labels)
    examples = Examples([text for _, text in rows], np.array([names.index(label) for label, _ in rows]))
    evaluation = evaluate_artifact(artifact, examples, "mine", names)
    assert isinstance(evaluation, EvaluationResult)
    return ReportContext(
        title="title", labels=names, positive=None, evaluation=evaluation, records=Records.of(examples)
    )


def digest_of(artifact: Artifact) -> str:
    """Return a digest of all weights."""
    digest = hashlib.sha256()
    for name, tensor in artifact.model.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def test_a_reports_worst_mistakes_are_explained_by_its_model(artifact):
    """Drops are those of the calibrated probability that the model itself gives, and its weights stay as they are."""
    context, before = reported(artifact), digest_of(artifact)
    explained = with_occlusions(context, lambda: artifact)
    assert digest_of(artifact) == before
    assert set(explained.occlusions) == {issue.index for issue in context.mistakes[:MOST_TEXTS]}
    checked = 0
    for issue in context.mistakes[:MOST_TEXTS]:
        text = context.records.texts[issue.index]
        for one in explained.occlusions[issue.index].influences:
            pair = [text, text[: one.start] + text[one.end :]]
            whole, without = softmax(logits_for(artifact, pair), artifact.temperature)[:, issue.answer]
            assert one.drop == pytest.approx(whole - without, abs=1e-5)
            checked += 1
    assert checked
    assert with_occlusions(context, lambda: artifact).occlusions == explained.occlusions


def test_a_failure_costs_this_part_of_the_report_only(artifact, tmp_path, caplog):
    """The rest is reported, with a warning that says why."""
    context = reported(artifact)
    (tmp_path / "model").mkdir()

    def load() -> Artifact:
        return load_artifact(Path(tmp_path / "model"))

    assert with_occlusions(context, load) is context
    assert "the report does not say which words the worst mistakes hang on (UserError: " in caplog.text


def test_without_a_mistake_no_model_is_loaded(artifact, caplog):
    """There is nothing to explain."""
    context = reported(artifact)
    context.mistakes.clear()

    def load() -> Artifact:
        raise AssertionError

    assert with_occlusions(context, load).occlusions == {}
    assert not caplog.records
