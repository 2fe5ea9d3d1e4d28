"""The predictor: order, budgets, calibration, truncation, and what it does with numbers that are none."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import processors

from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.encoders import make_encoder
from support.fakes import CLASS_NAMES, toy_rows
from support.toy_artifact import MAX_LENGTH

PLAN = make_plan(cores=1, gpus=0, models=None, threads=None, requests=1)
TEXTS = [text for _, text in toy_rows(24)]


def _scores(predictor: Predictor, texts: list[str]) -> np.ndarray:
    return np.stack([prediction.scores for prediction in predictor.predict(texts)])


def test_scores_are_probabilities_over_the_labels_of_the_artifact(predictor):
    """Each text gets one probability a class, and they sum to one."""
    scores = _scores(predictor, TEXTS)
    assert predictor.labels == CLASS_NAMES[:3]
    assert scores.shape == (len(TEXTS), 3)
    assert (scores > 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)


def test_a_text_scores_the_same_alone_and_in_any_company(predictor):
    """Batching, sorting and padding change no score by more than rounding, and keep the order."""
    alone = np.concatenate([_scores(predictor, [text]) for text in TEXTS])
    assert len({row.tobytes() for row in alone}) > 12, "the toy model must tell texts apart"
    np.testing.assert_allclose(_scores(predictor, TEXTS), alone, atol=1e-6)
    np.testing.assert_allclose(_scores(predictor, TEXTS[::-1]), alone[::-1], atol=1e-6)


@pytest.mark.parametrize("text", ["A plain text that a sound model can always predict.", TEXTS[0]])
def test_no_text_is_answered_as_another(predictor, text):
    """A request that holds the health check's own sentence gets that sentence's scores, alone or beside others."""
    assert _scores(predictor, [text])[0] == pytest.approx(_scores(predictor, [text, TEXTS[1]])[0], abs=1e-6)


def test_a_failing_text_is_followed_by_one_that_suits_the_model(make_service, pair_predictor):
    """A model of pairs is sound when it predicts a pair: it is not given up for a single text."""
    service = make_service(pair_predictor)
    service._batcher._check_model(pair_predictor.predict)
    assert service.problem() is None


def test_a_forward_pass_stays_within_the_token_budget(artifact_dir):
    """No forward pass sees more tokens, padding counted, than it may."""
    predictor = Predictor(load_artifact(artifact_dir), max_batch_tokens=96)
    seen: list[int] = []
    predictor._forward.model.register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    predictor.predict(TEXTS)
    assert len(seen) > 1
    assert max(seen) <= 96


def test_a_cpu_computes_several_passes_at_once(artifact_dir):
    """Among their texts padding is least; unset, a pass has 4,096 tokens; each thread has cores of its own."""
    artifact = load_artifact(artifact_dir)
    first, second = Predictor(artifact), Predictor(artifact, 128)
    assert (first.max_cost, second.max_cost) == (4 * 4096, 4 * 128)
    assert first.lane != second.lane


def test_temperature_softens_the_scores(artifact_dir):
    """Logits are divided by the artifact's temperature: a higher one gives flatter scores, same order."""
    artifact = load_artifact(artifact_dir)
    sharp = _scores(Predictor(dataclasses.replace(artifact, temperature=0.5), 128), TEXTS)
    flat = _scores(Predictor(dataclasses.replace(artifact, temperature=5.0), 128), TEXTS)
    np.testing.assert_array_equal(sharp.argmax(axis=1), flat.argmax(axis=1))
    np.testing.assert_allclose(np.diff(np.log(sharp)) / 10, np.diff(np.log(flat)), atol=1e-9)


def test_truncation_is_marked(predictor):
    """Only a text of more tokens than the model reads is marked as truncated."""
    fits, too_long = predictor.predict(["apple " * (MAX_LENGTH - 2), "apple " * (MAX_LENGTH - 1)])
    assert (fits.truncated, too_long.truncated) == (False, True)
    np.testing.assert_allclose(fits.scores, too_long.scores, atol=1e-6)


def test_a_number_that_is_not_finite_is_an_error(artifact_dir):
    """A model that computes NaN is reported, and never hands it on as a score."""
    artifact = load_artifact(artifact_dir)
    predictor = Predictor(artifact, 128)
    with torch.no_grad():
        next(artifact.model.parameters()).fill_(float("nan"))
    with pytest.raises(ArithmeticError, match="not finite"):
        predictor.predict(["apple"])


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path):
    """A folder without a trained model gives one sentence, not a server that cannot answer."""
    with pytest.raises(UserError, match="no trained model"):
        load_predictors(tmp_path, PLAN, max_batch_tokens=128, precision="auto", metrics=Metrics())


def test_the_cost_of_a_text_never_exceeds_what_the_model_reads(predictor):
    """A giant text counts as much as the model reads of it, a short one less."""
    assert predictor.cost_of("apple") < MAX_LENGTH == predictor.cost_of("apple" * 10_000)


@pytest.mark.parametrize("text", ["\u200b", "\0", "\u0301", " \u200d\ufeff ", "\x01\x02"])
def test_a_text_without_any_token_is_empty(predictor, text):
    """Characters that the tokenizer drops are no text; those beside a letter do no harm."""
    sound, empty, mixed = predictor.predict(["apple", text, f"apple{text}"])
    assert (sound.is_empty, empty.is_empty, mixed.is_empty) == (False, True, False)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_text_without_any_token_of_a_tokenizer_that_adds_none(tmp_path, family):
    """Nothing is computed for it, no class is more likely than others, and its neighbours are answered as ever."""
    folder = make_encoder(tmp_path / "encoder", family)
    tokenizer = load_tokenizer(str(folder))
    tokenizer.backend_tokenizer.post_processor = processors.Sequence([])
    model = load_pretrained(str(folder), CLASS_NAMES[:3], tokenizer, 64)
    save_artifact(
        tmp_path / "out", model, tokenizer, CLASS_NAMES[:3], {"max_seq_length": 64, "truncation": "head"}
    )
    predictor = Predictor(load_artifact(tmp_path / "out"))
    (sound,) = predictor.predict(["river"])
    (empty,) = predictor.predict([""])
    assert (empty.is_empty, empty.truncated) == (True, False)
    assert empty.scores == pytest.approx([1 / 3] * 3)
    both = predictor.predict(["", "river", ""])
    assert [prediction.is_empty for prediction in both] == [True, False, True]
    assert both[1].scores == pytest.approx(sound.scores, abs=1e-6)
