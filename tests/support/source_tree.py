"""The project's own files for the tests in tests/docs: what git would carry, and the code's syntax trees."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "container"
PACKAGE = CONTAINER / "bert_classifier"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def project_files() -> list[Path]:
    """Return the files that are in the repository or would be added to it, relative to its root."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git repository, so the project's files are not known")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return sorted(path for path in {Path(name) for name in names if name} if (ROOT / path).is_file())


def text_of(path: Path) -> str:
    """Return the text of a project file, line ends as they are; empty for a file that is not text."""
    content = (ROOT / path).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8")


def package_files() -> list[Path]:
    """Return the Python files of the package."""
    return sorted(PACKAGE.rglob("*.py"))


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions_of(path: Path) -> Iterator[Function]:
    """Yield every function of a file, methods and nested ones too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield node


def module_name(path: Path) -> str:
    """Return a package file's name inside the package, such as training.launch; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
