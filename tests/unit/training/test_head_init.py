"""head_init=logistic_regression: the head starts where scikit-learn would put it, on all ranks, once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.training.batching import Split
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.head_init import start_head
from bert_classifier.training.signals import Stopped
from bert_classifier.training.trainer import Trainer
from support.clear_text import assert_clear
from support.fakes import ARCHITECTURES
from support.gloo_ranks import on_ranks
from support.toy_trainer import evaluated, make_trainer, spoil

SETTINGS: dict[str, Any] = {"rows": 48, "head_init": "logistic_regression", "global_batch_size": 12}
WINDOWS = {"max_seq_length": 16, "truncation": "windows", "window_overlap": 0.25, "max_windows": 6}
LAST = {
    "bert": "classifier",
    "roberta": "classifier.out_proj",
    "distilbert": "classifier",
    "electra": "classifier.out_proj",
}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an encoder, made before ranks are forked."""
    folder = tmp_path_factory.mktemp("encoder")
    make_trainer(folder)
    return folder


def inputs_of_last_layer(trainer: Trainer, name: str) -> np.ndarray:
    """Return what the last layer reads of each training text, from an evaluation with another layer in its place."""
    model, kept = trainer.model, trainer.num_classes
    layer = model.get_submodule(name)
    parent = model.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], torch.nn.Identity())
    trainer.num_classes = int(layer.in_features)  # type: ignore[arg-type]
    vectors = trainer.evaluate(trainer.train).logits
    setattr(parent, name.rpartition(".")[2], layer)
    trainer.num_classes = kept
    return vectors.astype(np.float64)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "settings", [{}, WINDOWS, {"class_weights": "balanced"}], ids=["plain", "windows", "weights"]
)
def test_the_logits_are_those_of_scikit_learns_weak_regression(tmp_path, architecture, settings):
    """C = 0.01 on what the layer reads without dropout, for any family, also for means over windows."""
    trainer = make_trainer(tmp_path, architecture=architecture, **{**SETTINGS, **settings})
    vectors = inputs_of_last_layer(trainer, LAST[architecture])
    start_head(trainer)
    logits = trainer.evaluate(trainer.train).logits
    oracle = LogisticRegression(C=0.01, tol=1e-9, max_iter=20_000, class_weight=settings.get("class_weights"))
    wanted = oracle.fit(vectors, trainer.train.targets).predict_proba(vectors)
    np.testing.assert_allclose(torch.softmax(torch.from_numpy(logits), 1), wanted, atol=2e-4)


def test_modes_and_random_state_stay_and_only_the_head_changes(encoder):
    """Everything else of the run is as without the setting."""
    trainer = make_trainer(encoder, **SETTINGS)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    modes, state = [m.training for m in trainer.model.modules()], torch.get_rng_state()
    start_head(trainer)
    changed = [
        name for name, tensor in trainer.model.state_dict().items() if not torch.equal(before[name], tensor)
    ]
    assert changed == ["classifier.weight", "classifier.bias"]
    assert modes == [m.training for m in trainer.model.modules()]
    assert torch.equal(state, torch.get_rng_state())


def test_a_class_without_texts_is_as_likely_as_the_rarest(encoder):
    """It has no weights, and a bias that does not dwarf the others."""
    trainer = make_trainer(encoder, **SETTINGS)
    targets = np.where(trainer.train.targets == 2, 1, trainer.train.targets)
    trainer.train = Split(trainer.train.encoded, targets)
    start_head(trainer)
    head: Any = trainer.model.get_submodule("classifier")
    assert not head.weight[2].any()
    assert torch.equal(head.weight[0], -head.weight[1])
    scores = torch.from_numpy(trainer.evaluate(trainer.train).logits).softmax(1).mean(0)
    assert float(scores[2]) == pytest.approx(float(scores.min()), abs=0.05)


def test_a_run_that_has_begun_keeps_its_head(encoder):
    """Its weights come from the checkpoint."""
    trainer = make_trainer(encoder, **SETTINGS)
    before = trainer.model.get_submodule("classifier").state_dict()["weight"].clone()
    trainer.state.step = 1
    start_head(trainer)
    assert torch.equal(before, trainer.model.get_submodule("classifier").state_dict()["weight"])


def head_on_a_rank(folder: Path, *, stopped: bool = False) -> Callable[[DistributedContext], Any]:
    """Return a rank's work: the head; the last rank may have got a stop signal."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(folder, distributed=distributed, max_tokens_per_micro_batch=256, **SETTINGS)
        if stopped and distributed.rank == distributed.size - 1:
            trainer.stop.number = 15
        start_head(trainer)
        return trainer.model.get_submodule("classifier").state_dict()["weight"].numpy().copy()

    return work


def test_all_ranks_start_with_the_head_of_one(encoder, tmp_path):
    """To the bit."""
    alone = head_on_a_rank(encoder)(DistributedContext())
    assert [found.tobytes() for found in on_ranks(3, head_on_a_rank(encoder), tmp_path)] == [
        alone.tobytes()
    ] * 3


def test_a_stop_signal_of_one_rank_stops_all(encoder, tmp_path):
    """Before the next micro-batch."""
    raised = on_ranks(2, head_on_a_rank(encoder, stopped=True), tmp_path)
    assert [found.kind for found in raised] == [Stopped] * 2


def test_a_model_whose_logits_come_from_elsewhere_is_refused(encoder):
    """The message names the setting to leave out."""
    trainer = make_trainer(encoder, **SETTINGS)
    model: Any = trainer.model
    model.register_forward_hook(lambda _module, _inputs, output: setattr(output, "logits", output.logits * 2))
    with pytest.raises(UserError) as raised:
        start_head(trainer)
    assert_clear(raised.value)
    assert "head_init" in raised.value.remedy
    assert "classifier" in raised.value.cause


def head_of_spoilt_weights(folder: Path, task: str) -> Callable[[DistributedContext], Any]:
    """Return a rank's work: a head where the encoder has NaN for some texts."""

    def work(distributed: DistributedContext) -> Any:
        trainer = make_trainer(folder, distributed=distributed, task=task, **SETTINGS)
        spoil(trainer)
        start_head(trainer)

    return work


@pytest.mark.parametrize("task", ["single", "multi"])
def test_an_encoder_without_finite_values_is_refused_on_all_ranks(encoder, tmp_path, task):
    """The first rank would fail alone in its fit, and the others wait for it."""
    work = head_of_spoilt_weights(encoder, task)
    with pytest.raises(UserError, match=r"not finite for \d+ of 48 texts") as raised:
        work(DistributedContext())
    assert_clear(raised.value)
    assert [found.kind for found in on_ranks(2, work, tmp_path)] == [UserError] * 2


def test_the_setting_is_recorded_only_where_it_is_set():
    """Fingerprints of runs without it are what they were."""
    assert "head_init" not in TrainConfig().recorded()
    given = TrainConfig.from_hyperparameters({"head_init": "logistic_regression"})
    assert given.recorded()["head_init"] == "logistic_regression"


def test_it_starts_better_than_at_random(encoder):
    """Before the first step the classes are told apart already."""
    accuracies = []
    for head_init in ("random", "logistic_regression"):
        trainer = make_trainer(encoder, **{**SETTINGS, "head_init": head_init})
        start_head(trainer)
        result = evaluated(trainer, trainer.train)
        accuracies.append(result.accuracy)
    assert accuracies[1] > accuracies[0] + 0.1
