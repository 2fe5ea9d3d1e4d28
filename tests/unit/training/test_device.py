"""The threads that a rank computes with: its part of what its container may use, or what its run began with."""

import os
from collections.abc import Iterator

import pytest
import torch

from bert_classifier.training import device
from bert_classifier.training.device import pin_threads, use_threads


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Let torch compute on eight threads, and give it back its own number afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("cores", "processes", "expected"), [(1, 1, 1), (8, 1, 8), (8, 2, 4), (8, 3, 2), (2, 4, 1), (16, 1, 8)]
)
def test_a_rank_takes_its_part_of_the_cores_that_its_container_may_use(
    monkeypatch, cores, processes, expected
):
    """A quota counts, the ranks of the host share, and OMP_NUM_THREADS is not exceeded."""
    monkeypatch.setattr(device, "available_cores", lambda: cores)
    assert pin_threads(processes) == torch.get_num_threads() == expected


def test_equal_bits_are_worth_more_than_a_quota(monkeypatch):
    """A run that began with all cores of the machine resumes with as many threads, whatever its CPU quota."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    assert use_threads(4, available=1) == torch.get_num_threads() == 4
    assert use_threads(5, available=1) == torch.get_num_threads() == 1
