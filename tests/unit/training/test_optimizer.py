"""Parameter groups, the learning rate's schedule, class weights, gradients of large embedding tables."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.modeling.pretrained import freeze_encoder, load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.optimizer import (
    balanced_class_weights,
    build_optimizer,
    densify_gradients,
    learning_rate_factor,
    use_sparse_embedding_gradients,
)
from support.fakes import ARCHITECTURES, make_pretrained

LAYERS = 3
DECAY = 0.8


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a classifier of each architecture, three layers deep."""
    folder = make_pretrained(tmp_path_factory.mktemp("encoder") / request.param, request.param, layers=LAYERS)
    return load_pretrained(str(folder), ["a", "b"], load_tokenizer(str(folder)), 32)


def group_by_name(model: Any, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Any]]:
    """Return the group that each parameter is in."""
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    return {name: groups[id(p)] for name, p in model.named_parameters() if id(p) in groups}


def test_every_parameter_is_in_one_group(model):
    """Nothing is left out and nothing is stepped twice."""
    optimizer = build_optimizer(model, 1e-3, 0.01, DECAY)
    listed = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    assert len(listed) == len(set(listed))


def test_biases_and_norms_do_not_decay(model):
    """Weight decay is for matrices and tables alone."""
    groups = group_by_name(model, build_optimizer(model, 1e-3, 0.01, 1.0))
    for name, group in groups.items():
        is_exempt = name.endswith("bias") or "LayerNorm" in name or "layer_norm" in name
        assert group["weight_decay"] == (0.0 if is_exempt else 0.01), name
    assert {group["weight_decay"] for group in groups.values()} == {0.0, 0.01}


def test_layer_decay_by_architecture(model):
    """The top layer and the head learn at the full rate, each layer below at d times that of the next."""
    groups = group_by_name(model, build_optimizer(model, 1e-3, 0.01, DECAY))
    seen = set()
    for name, group in groups.items():
        layer = next((n for n in range(LAYERS) if f".layer.{n}." in name), None)
        if "embeddings" in name:
            expected = DECAY**LAYERS
        elif layer is not None:
            expected = DECAY ** (LAYERS - 1 - layer)
        else:
            expected = 1.0
            assert name.split(".")[0] in ("classifier", "pre_classifier") or ".pooler." in name, name
        assert group["lr_scale"] == pytest.approx(expected), name
        seen.add(round(expected, 6))
    assert seen == {1.0, 0.8, 0.64, 0.512}


def test_without_layer_decay_all_learn_alike(model):
    """The default is two groups, decaying and not."""
    optimizer = build_optimizer(model, 1e-3, 0.01, 1.0)
    assert [group["lr_scale"] for group in optimizer.param_groups] == [1.0, 1.0]
    assert optimizer.defaults["lr"] == 1e-3


def test_frozen_parameters_are_in_no_group(model):
    """What does not learn costs no memory for moments either."""
    freeze_encoder(model)
    names = set(group_by_name(model, build_optimizer(model, 1e-3, 0.01, 1.0)))
    for parameter in model.parameters():
        parameter.requires_grad = True
    assert names
    assert not any(".layer." in name or "embeddings" in name for name in names)


SCHEDULES = st.tuples(st.integers(1, 400), st.floats(0, 1))


@given(schedule=SCHEDULES)
def test_learning_rate_rises_then_falls_in_straight_lines(schedule):
    """It is above 0 at every step and at most 1; each of the two stretches has one slope."""
    total, ratio = schedule
    factors = [learning_rate_factor(step, total, ratio) for step in range(total)]
    warmup = round(total * ratio)
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == 1
    assert np.diff(factors[:warmup]) == pytest.approx(1 / warmup if warmup else 0)
    if total > warmup:
        assert factors[warmup] == 1
        assert np.diff(factors[warmup:]) == pytest.approx(-1 / (total - warmup))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0, [1, 0.75, 0.5, 0.25]),
        (0.5, [0.5, 1, 1, 0.5]),
        (1, [0.25, 0.5, 0.75, 1]),
    ],
)
def test_learning_rate_by_hand(ratio, expected):
    """No warm-up, half of it and nothing but warm-up, over four steps."""
    assert [learning_rate_factor(step, 4, ratio) for step in range(4)] == pytest.approx(expected)


@given(targets=st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array))
def test_balanced_weights_follow_the_formula(targets):
    """n ÷ (classes that occur × texts of the class); over all texts they are 1 on average."""
    weights = balanced_class_weights(targets, 6)
    occurring = set(targets.tolist())
    for target in range(6):
        count = (targets == target).sum()
        expected = len(targets) / (len(occurring) * count) if count else 0
        assert weights[target].item() == pytest.approx(expected, rel=1e-6)
    assert weights[targets].mean().item() == pytest.approx(1, rel=1e-5)
    assert weights.dtype == torch.float32


def gradient_of(table: torch.nn.Embedding, batches: list[list[int]]) -> torch.Tensor:
    """Return the gradient of a table after several backward passes."""
    model = torch.nn.Sequential(table)
    table.weight.grad = None
    for batch in batches:
        ids = torch.tensor(batch)
        (model(ids) * torch.arange(1.0, 5.0) * ids[:, None]).sum().backward()
    densify_gradients(model.parameters())
    assert table.weight.grad is not None
    return table.weight.grad


def test_sparse_gradients_are_the_dense_ones():
    """A large table's gradient, gathered row by row over micro-batches, is what dense addition gives."""
    torch.manual_seed(0)
    dense = torch.nn.Embedding(5000, 4, padding_idx=0)
    sparse = torch.nn.Embedding(5000, 4, padding_idx=0)
    sparse.load_state_dict(dense.state_dict())
    use_sparse_embedding_gradients(torch.nn.Sequential(sparse))
    assert sparse.sparse
    batches = [[1, 2, 2, 0], [4999, 2, 1, 0], [7]]
    assert torch.equal(gradient_of(sparse, batches), gradient_of(dense, batches))
    assert not gradient_of(sparse, batches).is_sparse


def test_small_tables_stay_dense():
    """Position and type tables are too small to gain."""
    model = torch.nn.Sequential(torch.nn.Embedding(512, 4))
    use_sparse_embedding_gradients(model)
    assert not model[0].sparse
