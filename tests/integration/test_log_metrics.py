"""The launcher's regular expressions on the log of a real training: what CloudWatch will be given."""

import json
import re
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from launcher.aws.metrics import NAMES, OF_SEVERAL_LABELS, metric_definitions
from support.fakes import make_ml_root
from support.train_process import train_in_process

_REGEX = {definition["Name"]: definition["Regex"] for definition in metric_definitions()}


def test_every_metric_is_found_with_its_value(tmp_path, capsys):
    """Each name in the log of a job with validation and test data; tiny numbers keep their size."""
    settings = {"num_train_epochs": "1", "logging_steps": "1", "learning_rate": "3e-7", "warmup_ratio": "0"}
    root = make_ml_root(tmp_path / "ml", hyperparameters=settings, rows=60)
    outcome = train_in_process(root, capsys)
    assert outcome.code == 0, outcome.log
    found = {name: re.findall(regex, outcome.log) for name, regex in _REGEX.items()}
    assert [name for name in NAMES if not found[name]] == []
    rates = [float(value) for value in found["learning_rate"]]
    assert 2e-7 < max(rates) <= 3e-7
    assert all(0 <= float(value) <= 1 for value in found["eval_accuracy"])


def final_values(log: str) -> dict[str, float]:
    """Return what SageMaker keeps of each metric: the last value in the log."""
    found = {name: re.findall(regex, log) for name, regex in _REGEX.items()}
    return {name: float(values[-1]) for name, values in found.items() if values}


@pytest.fixture(scope="module")
def worsening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a job whose last evaluation is far from its best: its learning rate is much too high, and only rises."""
    settings = {"num_train_epochs": "3", "eval_steps": "1", "learning_rate": "0.5", "warmup_ratio": "1.0"}
    settings["early_stopping_patience"] = "100"
    root = make_ml_root(tmp_path_factory.mktemp("job") / "ml", hyperparameters=settings, rows=24)
    (root / "checkpoints").mkdir()
    return root


@pytest.mark.parametrize("keep", [{}, {"keep_weights": "last"}, {"keep_weights": "best"}], ids=str)
def test_the_final_values_are_of_the_model_that_is_exported(worsening, capsys, keep):
    """SageMaker, `make status` and tuning jobs take the last value; a finished run, started again, logs them again."""
    description = worsening / "input" / "config" / "hyperparameters.json"
    settings = {**json.loads(description.read_text(encoding="utf-8")), "keep_weights": "auto", **keep}
    if not keep:
        del settings["keep_weights"]
    description.write_text(json.dumps(settings), encoding="utf-8")
    is_again = any((worsening / "checkpoints").iterdir())
    outcome = train_in_process(worsening, capsys)
    assert outcome.code == 0, outcome.log
    assert ("run already finished" in outcome.log) == is_again
    info = load_artifact(worsening / "model").info
    assert info["best_step"] < info["steps"] == 9
    final = final_values(outcome.log)
    for kind in ("eval", "validation"):
        for name in ("loss", "accuracy", "macro_f1"):
            recorded = info["metrics"]["validation"][name]
            assert final[f"{kind}_{name}"] == pytest.approx(recorded, abs=5e-5), (kind, name)
    is_last = "last" in keep.values()
    assert info["kept_step"] == (9 if is_last else info["best_step"])
    if not is_last and not is_again:
        of_steps = dict(re.findall(r" step=(\d+) eval_loss=([\d.]+)", outcome.log))
        assert float(of_steps["9"]) > 2 * final["validation_loss"]


def test_no_metric_takes_the_value_of_another():
    """Names that end alike are kept apart; numbers are taken whole, exponents too."""
    line = (
        "2026-01-31T12:00:00 INFO step=3 train_loss=1.5e-07 eval_loss=0.25 learning_rate=3E-5 loss=9 tests=1"
    )
    found = {name: re.findall(regex, line) for name, regex in _REGEX.items()}
    assert {name: values for name, values in found.items() if values} == {
        "train_loss": ["1.5e-07"],
        "eval_loss": ["0.25"],
        "learning_rate": ["3E-5"],
    }


def test_the_definitions_are_within_sagemakers_limits():
    """At most 40 of them, names up to 255 characters, expressions up to 500 with one group."""
    assert len(_REGEX) == len({*NAMES, *OF_SEVERAL_LABELS}) <= 40
    for name, regex in _REGEX.items():
        assert len(name) <= 255
        assert len(regex) <= 500
        assert re.compile(regex).groups == 1
