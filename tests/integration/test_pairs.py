"""Text pairs from files to served scores: trained, killed and resumed, on two ranks, exported, served."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TextClassificationPipeline

from bert_classifier.data.text_pair import TextPair
from bert_classifier.engine.model import EngineModel
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.forked_jobs import log_of, run_job
from support.pair_rows import pair_job, pair_rows

SCORES = 1e-5
SETTINGS = {"page_examples": "2", "num_gradient_groups": "2"}
PAIRS = [TextPair(first, second) for _, first, second in pair_rows(30, seed=9)]


def weights_of(root: Path) -> bytes:
    """Return the trained weights."""
    return (root / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module", params=["bert", "roberta"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished job of a family."""
    root = pair_job(tmp_path_factory.mktemp(request.param) / "ml", request.param, **SETTINGS)
    assert run_job(root) == 0, log_of(root)
    return root


def predictor_of(model: Path, precision: str = "fp32") -> Predictor:
    """Return what serves a model on one core."""
    plan = make_plan(cores=1, gpus=0, models=None, threads=None, requests=1)
    (predictor,) = load_predictors(model, plan, max_batch_tokens=None, precision=precision, metrics=Metrics())
    return predictor


def test_the_artifact_says_how_pairs_are_read(trained):
    """For serving, for plain transformers, and for the server's page; the log names the padding-free pass."""
    info = json.loads((trained / "model" / "training.json").read_text())
    types = (trained / "input" / "data" / "model" / "config.json").read_text().count(
        '"type_vocab_size": 1'
    ) == 0
    fields = {name: info[name] for name in ("is_paired", "pair_truncation", "has_token_types")}
    assert fields == {"is_paired": True, "pair_truncation": "longest_first", "has_token_types": types}
    names = json.loads((trained / "model" / "tokenizer_config.json").read_text())["model_input_names"]
    assert ("token_type_ids" in names) is types
    assert all(len(pair) == 2 for pair in info["probes"]["texts"])
    assert all({*example} == {"text", "text_pair"} for example in info["page_examples"])
    log = log_of(trained)
    assert "micro-batches are not padded" in log
    assert "Traceback" not in log


def test_served_scores_are_those_of_transformers(trained, monkeypatch):
    """By the engine, by transformers' own code without padding, alone and together; and by transformers' pipeline."""
    model = trained / "model"
    plain = plain_scores(model)
    engine = predictor_of(model)
    assert isinstance(engine._artifact.model, EngineModel)
    monkeypatch.setattr("bert_classifier.serving.model.predictor.in_engine", lambda *_: None)
    for predictor in (engine, predictor_of(model)):
        for size in (1, 7, len(PAIRS)):
            found = [
                prediction.scores
                for begin in range(0, len(PAIRS), size)
                for prediction in predictor.predict(PAIRS[begin : begin + size])
            ]
            np.testing.assert_allclose(found, plain, rtol=0, atol=SCORES)


def plain_scores(model: Path) -> np.ndarray:
    """Return the scores of transformers' pipeline, at the artifact's temperature; they must differ."""
    info = json.loads((model / "training.json").read_text())
    classifier: Any = AutoModelForSequenceClassification.from_pretrained(model).eval()
    tokenizer = AutoTokenizer.from_pretrained(model)
    pipeline = TextClassificationPipeline(model=classifier, tokenizer=tokenizer, function_to_apply="none")
    inputs: Any = [{"text": pair.first, "text_pair": pair.second} for pair in PAIRS]
    answers: Any = [pipeline(each, top_k=None, truncation=True) for each in inputs]
    labels = list(classifier.config.id2label.values())
    by_label = [{each["label"]: each["score"] for each in answer} for answer in answers]
    logits = torch.tensor([[scores[label] for label in labels] for scores in by_label], dtype=torch.float64)
    scores: np.ndarray = torch.softmax(logits / info["temperature"], dim=-1).numpy()
    assert scores.std(axis=0).max() > 100 * SCORES
    return scores


def test_the_model_card_gives_the_same_scores(trained, monkeypatch):
    """Its lines are run as they stand."""
    card = (trained / "model" / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    texts = (
        'texts = ["the first text of a pair", "of another one"]\n'
        'pairs = ["the second text of the pair", "of the other one"]\n'
    )
    assert texts in code
    given = f"texts = {[pair.first for pair in PAIRS]!r}\npairs = {[pair.second for pair in PAIRS]!r}\n"
    monkeypatch.chdir(trained / "model")
    names: dict[str, Any] = {}
    exec(code.replace(texts, given), names)
    found = [prediction.scores for prediction in predictor_of(trained / "model").predict(PAIRS)]
    np.testing.assert_allclose(found, names["probabilities"].numpy(), rtol=0, atol=SCORES)


def test_a_killed_job_goes_on_to_the_same_bits(trained, tmp_path):
    """After its first checkpoint, as with single texts."""
    family = json.loads((trained / "model" / "config.json").read_text())["model_type"]
    killed = pair_job(tmp_path / "killed", family, **SETTINGS)
    assert run_job(killed, signal_at="checkpoint at step") == -9, log_of(killed)
    assert run_job(killed) == 0, log_of(killed)
    assert "resuming from step" in log_of(killed)
    assert weights_of(killed) == weights_of(trained)


@pytest.mark.parametrize("trained", ["bert"], indirect=True)
def test_two_ranks_train_the_model_of_one(trained, tmp_path):
    """They read the same arrays, the beginnings of the second texts among them."""
    root = pair_job(tmp_path / "ml", **SETTINGS, processes_per_host="2")
    assert run_job(root) == 0, log_of(root)
    assert weights_of(root) == weights_of(trained)


@pytest.mark.parametrize("truncation", ["windows", "head_tail"])
def test_cuts_of_single_texts_are_refused(tmp_path, truncation):
    """In a sentence, with the setting that says how pairs are cut."""
    root = pair_job(tmp_path / "ml", truncation=truncation)
    assert run_job(root) == 2, log_of(root)
    assert (
        f"truncation={truncation} is for single texts, and these are pairs: pair_truncation says how both texts of a"
        " pair are cut. Leave truncation out." in log_of(root)
    )


def test_pairs_without_a_second_text_are_told_of(tmp_path):
    """With only_second, a first text that fills the window leaves nothing of the second."""
    root = pair_job(tmp_path / "ml", pair_truncation="only_second", max_seq_length="16", num_train_epochs="1")
    assert run_job(root) == 0, log_of(root)
    assert "fills the window by itself, so nothing of the second is read: raise max_seq_length" in log_of(
        root
    )
    assert 'pairs, truncation="only_second", max_length' in (root / "model" / "README.md").read_text()
