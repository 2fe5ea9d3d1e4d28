"""The token budget: what fits into a GPU's memory, who may measure it, and the micro-batches that follow from it."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.encoding.micro_batches import plan_gradient_groups
from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.pretrained import load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.token_budget import budget_for, choose_token_budget, plan_batch
from support.fakes import CLASS_NAMES, make_pretrained
from support.toy_trainer import CLASSES, make_split

GIB = 2**30
# BERT-base in bf16, as torch's allocator counts it.
FIXED, BYTES_PER_TOKEN = 2.0e9, 322_000


def forward_of(folder, kind: type[Forward], device: str) -> Forward:
    """Return a pass of a tiny encoder that is said to be on this device; planning computes nothing there."""
    make_pretrained(folder)
    tokenizer = load_tokenizer(str(folder))
    model = load_pretrained(str(folder), CLASS_NAMES[:CLASSES], tokenizer, 64)
    return kind(model, tokenizer.pad_token_id, torch.device(device), "bf16")


@pytest.mark.parametrize(
    ("gib", "least", "most"),
    [(80, 65_536, 65_536), (24, 50_000, 60_000), (16, 30_000, 36_000), (3, 2048, 2048)],
)
def test_the_budget_follows_from_the_memory(gib, least, most):
    """Large cards get the most, smaller ones less, and one that holds next to nothing the least."""
    assert least <= budget_for(gib * GIB, FIXED, BYTES_PER_TOKEN, 128) <= most


@given(
    memory=st.floats(1e8, 3e11),
    fixed=st.floats(0, 5e10),
    bytes_per_token=st.floats(1e2, 1e8),
    longest=st.integers(8, 8192),
)
def test_a_budget_fits_with_an_eighth_to_spare(memory, fixed, bytes_per_token, longest):
    """Budget and slack fit into seven eighths of the memory; it is a multiple of 1,024 unless one window is more."""
    budget = budget_for(memory, fixed, bytes_per_token, longest)
    assert max(2048, longest) <= budget <= max(65_536, longest)
    assert budget % 1024 == 0 or budget == longest
    if budget > max(2048, longest):
        assert fixed + budget * 9 / 8 * bytes_per_token <= memory * 7 / 8 * (1 + 1e-9)


def test_a_long_window_is_the_least_budget():
    """One window must fit, whatever the arithmetic says."""
    assert budget_for(3 * GIB, FIXED, BYTES_PER_TOKEN, 8192) == 8192


@pytest.mark.parametrize(
    ("device", "settings", "expected"),
    [("cpu", {}, 2048), ("cuda", {}, 16_384), ("cuda", {"max_tokens_per_micro_batch": 5000}, 5000)],
)
def test_reproducible_runs_have_a_fixed_budget(tmp_path, device, settings, expected):
    """Nothing is measured where bits depend on the budget, or where it is set: this machine could not even do it."""
    forward, sample = forward_of(tmp_path, PackedForward, device), make_split(tmp_path, 4).encoded
    config = TrainConfig(**settings)
    assert choose_token_budget(config, forward, sample, DistributedContext(), reproducible=True) == expected


def test_an_explicit_budget_is_not_measured(tmp_path):
    """It holds in the other mode too; a CPU has nothing to measure in either."""
    sample, alone = forward_of(tmp_path, PackedForward, "cuda"), DistributedContext()
    texts, explicit = make_split(tmp_path, 4).encoded, TrainConfig(max_tokens_per_micro_batch=5000)
    assert choose_token_budget(explicit, sample, texts, alone, reproducible=False) == 5000
    on_cpu = forward_of(tmp_path, PackedForward, "cpu")
    assert choose_token_budget(TrainConfig(), on_cpu, texts, alone, reproducible=False) == 2048


def sizes_of(plan: list[np.ndarray], lengths: np.ndarray) -> list[int]:
    """Return the tokens of each micro-batch, without padding."""
    return [int(lengths[micro_batch].sum()) for micro_batch in plan]


def test_on_a_gpu_a_small_rest_is_no_pass_of_its_own(tmp_path):
    """A default budget is exceeded to save a pass; an explicit one is a maximum, and the passes are even."""
    forward, lengths = forward_of(tmp_path, PackedForward, "cuda"), np.full(1036, 16)
    assert sizes_of(plan_batch(TrainConfig(), forward, lengths, 16_384, 1), lengths) == [16_576]
    explicit = TrainConfig(max_tokens_per_micro_batch=16_384)
    assert sizes_of(plan_batch(explicit, forward, lengths, 16_384, 1), lengths) == [8288, 8288]
    assert len(plan_batch(TrainConfig(per_device_batch_size=500), forward, lengths, 16_384, 1)) == 3


@pytest.mark.parametrize(
    ("kind", "device", "overhead"),
    [(PackedForward, "cpu", 32), (Forward, "cpu", 32), (Forward, "cuda", 4096)],
)
def test_other_plans_are_the_cheapest_as_before(tmp_path, kind, device, overhead):
    """On a CPU, where the bits of a run depend on them, and with padding, plans are those of plan_gradient_groups."""
    forward = forward_of(tmp_path, kind, device)
    generator = np.random.default_rng(0)
    for groups, size in itertools.product((1, 2, 3), (None, 5)):
        lengths = generator.integers(5, 120, 90)
        plan = plan_batch(TrainConfig(per_device_batch_size=size), forward, lengths, 2048, groups)
        usual = plan_gradient_groups(lengths, 2048, groups, size, overhead, is_padded=forward.is_padded)
        assert [m.tolist() for m in plan] == [m.tolist() for m in usual]
