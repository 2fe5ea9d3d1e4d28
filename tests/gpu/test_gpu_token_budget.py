"""The token budget that is measured on a GPU: it fits, follows from the memory, and measuring leaves no traces."""

import numpy as np
import pytest
import torch

from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.pretrained import load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.token_budget import measured_budget
from support.fakes import CLASS_NAMES, make_pretrained
from support.toy_trainer import CLASSES, make_split

MOST, LEAST = 65_536, 2048
SMALL_CARD = 512 * 2**20  # bytes


@pytest.fixture
def forward(tmp_path):
    """Return the padded pass of a small encoder, which every GPU computes; its memory may be capped."""
    make_pretrained(tmp_path, hidden=64)
    tokenizer = load_tokenizer(str(tmp_path))
    model: torch.nn.Module = load_pretrained(str(tmp_path), CLASS_NAMES[:CLASSES], tokenizer, 64)
    yield Forward(model.cuda(), tokenizer.pad_token_id, torch.device("cuda", 0), "fp32")
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.fixture
def texts(tmp_path, forward):
    """Return toy texts for the checkpoint that `forward` made."""
    return make_split(tmp_path, 64, config=TrainConfig(max_seq_length=64)).encoded


def cap_memory(size: int) -> None:
    """Let torch use this many bytes of the GPU."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(size / torch.cuda.get_device_properties(0).total_memory)


def test_a_large_card_gets_the_most(forward, texts):
    """Every card is large for a small encoder."""
    assert measured_budget(forward, texts) == MOST


def test_what_was_measured_fits_into_a_small_card(forward, texts):
    """A training pass of budget and slack stays within the capped memory, and uses more than half of it."""
    cap_memory(SMALL_CARD)
    budget = measured_budget(forward, texts)
    assert LEAST < budget < MOST
    count = budget * 9 // 8 // int(texts.lengths.max())
    torch.cuda.reset_peak_memory_stats()
    forward(texts, np.full(count, texts.lengths.argmax())).sum().backward()
    assert torch.cuda.max_memory_allocated() > SMALL_CARD / 2


def test_a_card_too_small_for_the_trial_gets_the_least(forward, texts):
    """Out of memory in the trial is no failure: training itself says what does not fit."""
    torch.cuda.empty_cache()  # what earlier tests left would count as room
    cap_memory(torch.cuda.memory_reserved() + 2**20)
    assert measured_budget(forward, texts) == LEAST


def test_measuring_leaves_no_traces(forward, texts):
    """Modes, gradients, weights and random generators are as before."""
    forward.model.eval()
    forward.model.classifier.train()
    weights = {name: value.cpu() for name, value in forward.model.state_dict().items()}
    modes = [module.training for module in forward.model.modules()]
    generators = torch.get_rng_state(), torch.cuda.get_rng_state()
    measured_budget(forward, texts)
    assert [module.training for module in forward.model.modules()] == modes
    assert all(parameter.grad is None for parameter in forward.model.parameters())
    assert all(torch.equal(value.cpu(), weights[name]) for name, value in forward.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert torch.equal(torch.cuda.get_rng_state(), generators[1])
