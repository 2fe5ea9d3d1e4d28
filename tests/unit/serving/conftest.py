"""One tiny model for all tests of the serving half, as a folder, a predictor and a service."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from bert_classifier.serving.model.service import ModelService
from support.patience import PATIENCE_S
from support.toy_artifact import OF_PAIRS, make_artifact


@pytest.fixture(scope="session")
def artifact_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny artifact, shared: do not write to it."""
    return make_artifact(tmp_path_factory.mktemp("artifact") / "model")


@pytest.fixture(scope="session")
def predictor(artifact_dir: Path) -> Predictor:
    """Return a predictor whose forward passes are small enough that a few texts need several."""
    plan = make_plan(cores=1, gpus=0, models=None, threads=None, requests=1)
    (loaded,) = load_predictors(artifact_dir, plan, max_batch_tokens=128, precision="auto", metrics=Metrics())
    return loaded


@pytest.fixture(scope="session")
def multi_label_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny model whose texts may have several labels, shared; Gamma is never answered."""
    folder = tmp_path_factory.mktemp("multi-label") / "model"
    thresholds = {"Alpha": 0.5, "Beta": 0.45, "Gamma": None, "Delta": 0.55, "Epsilon": 0.5}
    return make_artifact(folder, classes=5, temperature=1.0, task="multi", thresholds=thresholds)


@pytest.fixture(scope="session")
def multi_label_predictor(multi_label_dir: Path) -> Predictor:
    """Return a predictor of that model."""
    plan = make_plan(cores=1, gpus=0, models=None, threads=None, requests=1)
    (loaded,) = load_predictors(multi_label_dir, plan, max_batch_tokens=128, precision="", metrics=Metrics())
    return loaded


@pytest.fixture(scope="session")
def pair_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny model of text pairs, shared."""
    return make_artifact(tmp_path_factory.mktemp("pairs") / "model", temperature=1.0, **OF_PAIRS)


@pytest.fixture(scope="session")
def pair_predictor(pair_dir: Path) -> Predictor:
    """Return a predictor of that model."""
    plan = make_plan(cores=1, gpus=0, models=None, threads=None, requests=1)
    (loaded,) = load_predictors(pair_dir, plan, max_batch_tokens=128, precision="", metrics=Metrics())
    return loaded


@pytest.fixture
def make_service() -> Iterator[Callable[..., ModelService]]:
    """Return a function that starts a service around a predictor and waits until it is ready."""
    services: list[ModelService] = []

    def make(*predictors: Any, **settings: Any) -> ModelService:
        config = ServeConfig(serving_max_batch_tokens=128, **settings)
        service = ModelService(lambda: predictors, _raise, config, Metrics())
        services.append(service)
        service.start()
        while not service.is_ready:
            time.sleep(0.001)
        return service

    yield make
    for service in services:
        assert service.close(timeout=PATIENCE_S)


def _raise(error: Exception) -> None:
    raise error
