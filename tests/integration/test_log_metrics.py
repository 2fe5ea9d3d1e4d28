"""The launcher's regular expressions on the log of a real training: what CloudWatch will be given."""

import re

from fakes import make_ml_root
from launcher.metrics import NAMES, metric_definitions
from train_process import train_in_process

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
    assert len(_REGEX) == len(NAMES) <= 40
    for name, regex in _REGEX.items():
        assert len(name) <= 255
        assert len(regex) <= 500
        assert re.compile(regex).groups == 1
