"""The cores' shares: what a pass computes with, alone and beside others, and that each gets what it was dealt."""

import contextlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.modeling.inference import compute_logits
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model import predictor as predictors
from bert_classifier.serving.model import thread_budget
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from bert_classifier.serving.model.thread_budget import WORK_OF_A_THREAD, ThreadBudget
from support.fakes import toy_rows
from support.patience import PATIENCE_S

TEXTS = [text for _, text in toy_rows(24)]


def _threads_of_passes(cores: ThreadBudget, passes: int) -> list[int]:
    """Return what each of several passes computes with that begin one after the other and go on together."""
    have_begun = threading.Barrier(passes)
    one_at_a_time = threading.Lock()

    def compute() -> int:
        with contextlib.ExitStack() as stack:
            with one_at_a_time:
                stack.enter_context(cores.for_a_pass())
            have_begun.wait(PATIENCE_S)
            return torch.get_num_threads()

    with ThreadPoolExecutor(passes) as pool:
        return sorted(future.result() for future in [pool.submit(compute) for _ in range(passes)])


def test_a_lone_pass_has_all_cores_and_others_their_part():
    """The first to begin gets all cores, the next what is its part, never less than all together can have."""
    cores = ThreadBudget(make_plan(cores=8, gpus=0, models=None, threads=None, requests=1))
    assert _threads_of_passes(cores, 1) == [8]
    assert _threads_of_passes(cores, 4) == [2, 2, 4, 8]
    assert _threads_of_passes(cores, 1) == [8], "what has ended takes no part"


@pytest.mark.parametrize(("threads_of_work", "threads"), [(0.1, 1), (1.9, 1), (3.0, 3), (100.0, 8)])
def test_a_short_pass_has_as_many_threads_as_have_work(threads_of_work, threads):
    """Below that they would wait for each other; with SERVING_THREADS all have what was asked for."""
    for asked, expected in ((None, threads), (5, 5)):
        cores = ThreadBudget(make_plan(cores=8, gpus=0, models=1, threads=asked, requests=1))
        with cores.for_a_pass(threads_of_work * WORK_OF_A_THREAD):
            assert torch.get_num_threads() == expected


@pytest.mark.parametrize(("cores", "asked"), [(1, None), (2, None), (8, None), (8, 1), (8, 5)])
def test_work_of_one_thread_never_gets_a_second(cores, asked):
    """Up to that much work a pass has one thread, with whatever beside it; with just more, alone, it may have two."""
    budget = ThreadBudget(make_plan(cores=cores, gpus=0, models=1, threads=asked, requests=1))
    most = budget.most_work_of_one()
    with budget.for_a_pass(most):
        assert torch.get_num_threads() == 1 or (asked == 5 and most == 0)
    with budget.for_a_pass(most + WORK_OF_A_THREAD):
        assert (torch.get_num_threads() == 1) is math.isinf(most)
    assert math.isinf(most) is (cores == 1 or asked == 1)


@pytest.mark.parametrize("cores", [1, 2])
def test_a_text_is_quick_that_one_core_computes(artifact_dir, cores):
    """The engine says up to which cost any thread may predict: all of a pass where there is one core."""
    plan = make_plan(cores=cores, gpus=0, models=1, threads=None, requests=1)
    (loaded,) = load_predictors(
        artifact_dir, plan, max_batch_tokens=None, precision="fp32", metrics=Metrics()
    )
    work_of_all = loaded.max_cost * loaded._artifact.model.work_per_token
    is_all = cores == 1 or work_of_all < 2 * WORK_OF_A_THREAD
    assert (loaded.quick_cost == loaded.max_cost) is is_all
    for tokens, threads in (
        (loaded.quick_cost, 1),
        (3 * WORK_OF_A_THREAD / loaded._artifact.model.work_per_token, cores),
    ):
        assert loaded._cores is not None
        with loaded._cores.for_a_pass(tokens * loaded._artifact.model.work_per_token):
            assert torch.get_num_threads() == threads


def test_a_text_that_is_longer_than_it_seems_has_one_core_too(artifact_dir, monkeypatch):
    """Where a request's own thread predicts: OpenMP would keep more threads for each such thread for ever."""
    monkeypatch.setattr(thread_budget, "WORK_OF_A_THREAD", 1)
    plan = make_plan(cores=2, gpus=0, models=1, threads=None, requests=1)
    (loaded,) = load_predictors(
        artifact_dir, plan, max_batch_tokens=None, precision="fp32", metrics=Metrics()
    )
    seen: list[int] = []

    def note(*arguments: Any, **named: Any) -> Any:
        seen.append(torch.get_num_threads())
        return compute_logits(*arguments, **named)

    monkeypatch.setattr(predictors, "compute_logits", note)
    alike = [loaded.predict(TEXTS[:1], on_one_core=is_on_one)[0].scores for is_on_one in (True, False)]
    assert seen == [1, 2]
    np.testing.assert_allclose(alike[0], alike[1], atol=1e-6)


def test_a_model_of_transformers_has_its_own_threads(artifact_dir):
    """What the engine does not compute takes all cores, so that no thread of a request may predict."""
    loaded = Predictor(
        load_artifact(artifact_dir),
        cores=ThreadBudget(make_plan(cores=1, gpus=0, models=1, threads=None, requests=1)),
    )
    assert loaded.quick_cost == 0


def test_a_served_text_has_one_thread_and_a_batch_of_long_ones_all(artifact_dir, monkeypatch):
    """The work of a pass is its tokens times the weights of the engine's layers."""
    plan = make_plan(cores=2, gpus=0, models=1, threads=None, requests=1)
    (predictor,) = load_predictors(
        artifact_dir, plan, max_batch_tokens=None, precision="fp32", metrics=Metrics()
    )
    seen = []

    def counting(*arguments: Any, **named: Any) -> np.ndarray:
        seen.append(torch.get_num_threads())
        return compute_logits(*arguments, **named)

    monkeypatch.setattr(predictors, "compute_logits", counting)
    predictor.predict(TEXTS[:1])
    monkeypatch.setattr("bert_classifier.serving.model.thread_budget.WORK_OF_A_THREAD", 1)
    predictor.predict(TEXTS[:1])
    assert seen == [1, 2]


def test_a_number_that_was_asked_for_is_kept():
    """SERVING_THREADS holds for each pass, whoever else computes."""
    cores = ThreadBudget(make_plan(cores=8, gpus=0, models=3, threads=3, requests=1))
    assert _threads_of_passes(cores, 3) == [3, 3, 3]


def test_scores_do_not_depend_on_who_computes_beside(artifact_dir):
    """A text scores the same from several model threads at once as from one alone, within rounding."""
    plan = make_plan(cores=2, gpus=0, models=2, threads=None, requests=1)
    one, other = load_predictors(
        artifact_dir, plan, max_batch_tokens=256, precision="fp32", metrics=Metrics()
    )
    alone = np.stack([one.predict([text])[0].scores for text in TEXTS])
    with ThreadPoolExecutor(2) as pool:
        halves = [(one, TEXTS[::2]), (other, TEXTS[1::2])] * 5
        results = [pool.submit(predictor.predict, texts) for predictor, texts in halves]
        for number, result in enumerate(results):
            scores = np.stack([prediction.scores for prediction in result.result()])
            np.testing.assert_allclose(scores, alone[number % 2 :: 2], rtol=0, atol=1e-6)
