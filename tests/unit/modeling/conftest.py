"""Folders of toy encoders, whose tokenizer files a test may change."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.encoders import make_encoder


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the function from a model type to the folder of a toy encoder, which no test may change."""
    root = tmp_path_factory.mktemp("encoders")

    def folder_of(model_type: str) -> Path:
        folder = root / model_type
        return folder if folder.exists() else make_encoder(folder, model_type)

    return folder_of


@pytest.fixture
def copy_of(encoders: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return the function from a model type to a folder that a test may change."""
    return lambda model_type: shutil.copytree(encoders(model_type), tmp_path / model_type)
