"""make convert-model on what a training saved: the weights among its progress, under the names of its wrappers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import quiet_transformers
from convert_model import convert
from support.clear_text import assert_clear
from support.encoders import make_encoder
from support.pickled import is_same, pickled

Change = Callable[[dict[str, Any]], Any]
OF_TRAININGS: dict[str, tuple[str, Change]] = {
    "a training loop": (
        "model_state_dict",
        lambda state: {
            "epoch": 3, "loss": torch.tensor(0.5), "model_state_dict": state,
            "optimizer_state_dict": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-3}]},
        },
    ),
    "Lightning": (
        "state_dict",
        lambda state: {"pytorch-lightning_version": "2.4", "state_dict": {f"model.{n}": t for n, t in state.items()}},
    ),
    "a compiled model": (
        "model", lambda state: {"step": 1, "model": {f"module._orig_mod.{n}": t for n, t in state.items()}}
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way, as the command does."""
    quiet_transformers()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny BERT with its head for masked words, in safetensors."""
    return make_encoder(tmp_path_factory.mktemp("encoder") / "bert", "bert")


def test_names_in_a_wrapper_are_freed(bert: Path, tmp_path: Path) -> None:
    """DataParallel put "module." before every name."""
    folder = pickled(bert, tmp_path / "folder", lambda state: {f"module.{n}": t for n, t in state.items()})
    convert(folder, tmp_path / "to")
    assert is_same(tmp_path / "to", bert)


@pytest.mark.parametrize("name", OF_TRAININGS)
def test_the_weights_of_a_trainings_checkpoint_are_taken(bert: Path, tmp_path: Path, name: str) -> None:
    """Where one entry alone is a table of tensors; it is named."""
    entry, change = OF_TRAININGS[name]
    said = convert(pickled(bert, tmp_path / "folder", change), tmp_path / "to")
    assert f"tensors of {entry}" in said
    assert is_same(tmp_path / "to", bert)


def test_several_tables_of_weights_are_named(bert: Path, tmp_path: Path) -> None:
    """Which one is meant is not guessed."""
    folder = pickled(
        bert, tmp_path / "folder", lambda state: {"epoch": 3, "model": state, "ema": dict(state)}
    )
    with pytest.raises(UserError, match="several tables of them: ema, epoch, model") as raised:
        convert(folder, tmp_path / "to")
    assert_clear(raised.value)
