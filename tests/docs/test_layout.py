"""What lies where: the visible top level, scripts that can be run, nothing of one machine in the files."""

import os
import re
from urllib.parse import urlsplit

from support.source_tree import ROOT, project_files, text_of

TOP_LEVEL = {
    "BertTextClassification.ipynb",
    "LICENSE",
    "Makefile",
    "README.md",
    "container",
    "docker",
    "local_test",
    "tests",
}
# Paths of one machine, and hosts of package registries.
FOREIGN = re.compile(
    r"(?<![\w.$}-])/(?:work|root|opt/wheels|opt/pypi)\b(?!-)"
    r"|\b(?:files\.pythonhosted\.org|pypi\.org|registry\.npmjs|deb\.debian\.org)\b"
)
INDEX_ADDRESS = re.compile(r"https?://[\w.:@-]+(?:/[\w.-]+)*/(?:simple|whl)\b")
LARGEST_FILE = 1_000_000  # bytes; weights and data sets are not part of the project


def test_the_visible_top_level_is_the_documented_one() -> None:
    """Nothing else is visible at the top, and what is there belongs to the repository."""
    tracked = {path.parts[0] for path in project_files()}
    assert {name for name in tracked if not name.startswith(".")} <= TOP_LEVEL
    assert {name for name in TOP_LEVEL if (ROOT / name).exists()} <= tracked


def test_docker_is_not_a_python_package() -> None:
    """docker/__init__.py would hide the package `docker` that the SageMaker SDK imports."""
    assert not (ROOT / "docker" / "__init__.py").exists()


def test_the_licence_is_mit_0() -> None:
    """The licence asks for no attribution and names its holders."""
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("MIT No Attribution")
    assert "Copyright BERT Text Classification contributors" in licence
    assert "copyright notice" not in licence


def test_a_file_is_executable_exactly_when_it_is_a_script() -> None:
    """A file that starts with #! can be run, and nothing else can."""
    scripts = {path for path in project_files() if (ROOT / path).read_bytes()[:2] == b"#!"}
    executable = {path for path in project_files() if os.access(ROOT / path, os.X_OK)}
    assert executable == scripts


def test_scripts_are_there() -> None:
    """The programs that other things call by name exist."""
    scripts = {str(path) for path in project_files() if text_of(path).startswith("#!")}
    assert {"container/train", "container/serve", ".ci/run", "local_test/train_local.sh"} <= scripts


def test_text_files_are_plain() -> None:
    """Text is UTF-8 with LF line ends and a line end at its end; a CR would break a script in the image."""
    texts = {path: text_of(path) for path in project_files()}
    assert [path for path, text in texts.items() if "\r" in text] == []
    assert [path for path, text in texts.items() if text and not text.endswith("\n")] == []


def test_files_know_no_machine() -> None:
    """No file holds an absolute path of one machine, nor the address of a package registry."""
    found = {path: FOREIGN.findall(text_of(path)) for path in project_files()}
    assert {str(path): names for path, names in found.items() if names} == {}


def test_the_only_index_address_is_torchs_own() -> None:
    """Packages come from where pip is configured to look; torch's public index is the one exception."""
    found = {(str(p), match[0]) for p in project_files() for match in INDEX_ADDRESS.finditer(text_of(p))}
    assert "Makefile" in {path for path, _ in found}
    assert {urlsplit(address).hostname for _, address in found} == {"download.pytorch.org"}


def test_no_file_is_large() -> None:
    """Weights, archives and data sets stay out of the repository."""
    assert [str(path) for path in project_files() if (ROOT / path).stat().st_size > LARGEST_FILE] == []
