"""What tests of the local commands share."""

from pathlib import Path

import pytest

from support.lay_out import CSV, Make


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes a file below the test's folder."""

    def made(name: str, content: str = CSV) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return made
