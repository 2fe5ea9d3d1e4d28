"""What only a GPU can show of serving: the graphs of the padding-free pass, threads on one stream, no hidden waits."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.modeling.graphs import GraphedForward, sizes_up_to
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.fakes import toy_rows
from support.toy_artifact import make_artifact

pytestmark = pytest.mark.usefixtures("bf16")
TEXTS = [text for _, text in toy_rows(200)]
ROUNDING = 0.015  # of a score in bf16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy model whose attention heads have 16 numbers, as the kernel wants them."""
    return make_artifact(tmp_path_factory.mktemp("gpu") / "model", hidden=64)


@pytest.fixture(scope="module")
def predictors(folder: Path) -> list[Predictor]:
    """Return the predictors of one GPU in bf16."""
    plan = make_plan(cores=2, gpus=1, models=None, threads=None, requests=1)
    return load_predictors(folder, plan, max_batch_tokens=None, precision="bf16", metrics=Metrics())


@pytest.fixture(scope="module")
def exact(folder: Path) -> np.ndarray:
    """Return the scores of TEXTS in float32 on the CPU."""
    return scores(Predictor(load_artifact(folder)), TEXTS)


@pytest.fixture
def no_hidden_wait() -> Iterator[None]:
    """Make torch refuse every operation that makes the host wait for the GPU, besides waiting for an event."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it is a prototype
        torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


def scores(predictor: Predictor, texts: list[str]) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(texts)])


def test_all_graphs_are_captured_and_right(predictors):
    """Capturing works for every size, and no check finds a graph that errs."""
    forward = predictors[0]._forward
    assert isinstance(forward, GraphedForward)
    assert sorted(forward._graphs) == sizes_up_to(16_384)


@pytest.mark.parametrize("count", [1, 8, 32, 200])
def test_scores_are_those_of_float32_within_rounding(predictors, exact, count):
    """In passes of any size; the texts beside one change it by rounding only."""
    np.testing.assert_allclose(scores(predictors[0], TEXTS[:count]), exact[:count], rtol=0, atol=ROUNDING)


@pytest.mark.usefixtures("no_hidden_wait")
def test_the_host_waits_for_nothing_but_the_logits(predictors):
    """No operation of a call makes the host wait; it waits for one event at the end."""
    for count in (1, 200):
        assert len(predictors[0].predict(TEXTS[:count])) == count


def test_threads_of_one_gpu_do_not_mix_their_texts(predictors, exact):
    """Two threads predict at the same time, in passes of the same and of different sizes."""
    parts = [
        (number % 2, slice(first, first + 7 + number % 3)) for number, first in enumerate(range(0, 180, 9))
    ]
    with ThreadPoolExecutor(2) as pool:
        futures = [(part, pool.submit(scores, predictors[thread], TEXTS[part])) for thread, part in parts * 5]
        for part, future in futures:
            np.testing.assert_allclose(future.result(), exact[part], rtol=0, atol=ROUNDING)
