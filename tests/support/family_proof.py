"""What a family of encoders can do, found by doing it: trained, killed, resumed, exported and served."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bert_classifier.artifact.contents import read_contents
from bert_classifier.errors import UserError
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.engine_artifact import in_engine
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.encoders import make_encoder
from support.fakes import make_ml_root
from support.family_gradients import BOUND, HAVE_FLOAT64, gradient_error
from support.forked_jobs import log_of, run_job
from support.odd_texts import ODD_TEXTS

TOKENS = 64  # the longest input, and max_seq_length of the job
SCORES = 1e-5  # by which served probabilities may differ from those of transformers
SETTINGS = {
    "num_train_epochs": "3",
    "global_batch_size": "8",
    "logging_steps": "1",
    "learning_rate": "0.004",
    "max_seq_length": str(TOKENS),
}
_WAYS = {  # what the log says of micro-batches
    "micro-batches are not padded": "yes",
    "micro-batches are computed length by length": "by length",
    "micro-batches are padded": "no",
}


@dataclasses.dataclass(frozen=True)
class Facts:
    """A row of the table of families: what was found."""

    trains: str
    without_padding: str = "–"
    longest: str = "–"
    exactness: str = "–"
    int8: str = "–"
    without_transformers: str = "–"

    def cells(self) -> tuple[str, ...]:
        """Return the row but for its name."""
        return dataclasses.astuple(self)


def prove(family: str, folder: Path) -> Facts:
    """Train, kill, resume, export and serve a toy encoder of a family, and return what came of it.

    Raises:
        AssertionError: when what every family must do is not done.
    """
    whole = family_job(folder / "whole", family)
    code = run_job(whole)
    if code == 2:
        return Facts(f"no: {_failure(whole)}")
    assert code == 0, log_of(whole)
    _check_resumption(family_job(folder / "killed", family), whole)
    (way,) = (word for said, word in _WAYS.items() if said in log_of(whole))
    exactness = ", ".join([_scores_are_exact(whole), *_gradients_are_exact(folder / "gradient", family)])
    longest, model = _longest(folder / "longer", family), whole / "model"
    return Facts("yes", way, longest, exactness, _in_int8(model), _by_engine(model))


def family_job(root: Path, family: str, **settings: str) -> Path:
    """Make a picture of /opt/ml with toy texts and a toy encoder of a family."""
    make_ml_root(root, rows=48, hyperparameters={**SETTINGS, **settings})
    shutil.rmtree(root / "input" / "data" / "model")
    make_encoder(root / "input" / "data" / "model", family, tokens=TOKENS)
    (root / "checkpoints").mkdir()
    return root


def _failure(root: Path) -> str:
    """Return what the job says of the encoder, without the library's words."""
    text = (root / "output" / "failure").read_text(encoding="utf-8").removeprefix("UserError: ")
    return text.partition(") ")[2].split(": ")[0]


def _check_resumption(killed: Path, whole: Path) -> None:
    """Kill the job after its first checkpoint, start it again, and compare the model with the undisturbed run's."""
    assert run_job(killed, signal_at="checkpoint at step") == -9, log_of(killed)
    assert not (killed / "model" / "manifest.json").exists()
    assert run_job(killed) == 0, log_of(killed)
    assert "resuming from step" in log_of(killed)
    weights = [(root / "model" / "model.safetensors").read_bytes() for root in (whole, killed)]
    assert weights[0] == weights[1]


def _longest(root: Path, family: str) -> str:
    """Return the limit in terms of config.json: one token more is refused, unless there is no limit."""
    limit = json.loads((family_job(root, family, max_seq_length=str(TOKENS + 1)) / _CONFIG).read_text())
    code = run_job(root)
    if code == 0:
        return "no limit"
    assert code == 2, log_of(root)
    assert f"Set max_seq_length to {TOKENS} or less." in log_of(root)
    fewer = limit["max_position_embeddings"] - TOKENS
    return f"positions − {fewer}" if fewer else "positions"


_CONFIG = Path("input/data/model/config.json")


def _scores_are_exact(root: Path) -> str:
    """Compare served labels and probabilities of odd texts with those of plain transformers."""
    (predictor,) = _predictors(root / "model", "fp32")
    plain = plain_scores(root / "model", ODD_TEXTS)
    alone = served_scores(predictor, ODD_TEXTS, 1)
    together = [served_scores(predictor, ODD_TEXTS, size) for size in (7, len(ODD_TEXTS))]
    clear = np.sort(plain, axis=1)[:, -1] - np.sort(plain, axis=1)[:, -2] > 2 * SCORES
    for served in (alone, *together):
        assert float(np.abs(served - plain).max()) <= SCORES
        assert (served.argmax(axis=1) == plain.argmax(axis=1))[clear].all()
    return "scores 1e-5" if plain.std(axis=0).max() > 100 * SCORES else "scores 1e-5, all texts alike"


def _predictors(model: Path, precision: str) -> list[Predictor]:
    plan = make_plan(cores=1, gpus=0, models=None, threads=None, requests=1)
    return load_predictors(model, plan, max_batch_tokens=None, precision=precision, metrics=Metrics())


def served_scores(predictor: Predictor, texts: Sequence[str], size: int) -> np.ndarray:
    """Return the probabilities that a predictor gives for texts, so many at once."""
    batches = [texts[begin : begin + size] for begin in range(0, len(texts), size)]
    return np.array([found.scores for batch in batches for found in predictor.predict(batch)])


def plain_scores(model: Path, texts: Sequence[str]) -> np.ndarray:
    """Return softmax(logits / temperature) as transformers computes them, text by text."""
    info = json.loads((model / "training.json").read_text(encoding="utf-8"))
    classifier: Any = AutoModelForSequenceClassification.from_pretrained(model).eval()
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = []
    for text in texts:
        inputs = tokenizer(text, truncation=True, max_length=info["max_seq_length"], return_tensors="pt")
        with torch.inference_mode():
            rows.append(torch.softmax(classifier(**inputs).logits.double() / info["temperature"], dim=-1)[0])
    return torch.stack(rows).numpy()


def _gradients_are_exact(folder: Path, family: str) -> list[str]:
    if family not in HAVE_FLOAT64:
        return []
    assert gradient_error(folder, family) < BOUND
    return ["gradients 1e-6"]


def _in_int8(model: Path) -> str:
    """Return whether a server computes with int8 weights; a toy's labels, hardly learnt, may change by it."""
    try:
        _predictors(model, "int8")
    except UserError as error:
        return "no" if "cannot compute" in str(error) else "yes"
    except RuntimeError:
        return "no"
    return "yes"


def _by_engine(model: Path) -> str:
    """Return whether a server on CPUs computes the model without transformers."""
    return "no" if in_engine(read_contents(model), "fp32") is None else "yes"
