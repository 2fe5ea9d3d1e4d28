"""Bars for the code's size and documentation, so that they hold without a reviewer."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.source_tree import ROOT, Function, functions_of, package_files, project_files, tree_of

LONGEST_FILE = 300  # lines
LONG_FUNCTION = 50
MEDIAN_FUNCTION = 10
SHARE_OF_LONG_FUNCTIONS = 0.02
SOURCES = [path for path in project_files() if path.suffix in (".py", ".sh") or path.parent == Path(".ci")]


def length_of(function: Function) -> int:
    """Return a function's lines without decorators and docstring."""
    docstring = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    explained = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - explained


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_files_are_short(path: Path) -> None:
    """A source file, a test's too, has at most 300 lines."""
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_functions_are_short() -> None:
    """Half of the package's functions have at most 10 lines, and hardly any has more than 50."""
    lengths = [length_of(function) for path in package_files() for function in functions_of(path)]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
    assert sum(length > LONG_FUNCTION for length in lengths) <= SHARE_OF_LONG_FUNCTIONS * len(lengths)


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.name)
def test_everything_public_is_documented(path: Path) -> None:
    """Each module, public class, function and method says what it is for."""
    tree = tree_of(path)
    assert ast.get_docstring(tree) or not tree.body, "the module has no docstring"
    assert [name for name, node in _public(tree) if not ast.get_docstring(node)] == []


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef | Function]]:
    """Yield a module's public classes, functions and methods that inherit no documentation, by name."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                inherited = _inherited_documentation(node)
                yield from ((f"{node.name}.{m.name}", m) for m in _methods(node) if m.name not in inherited)


def _methods(node: ast.ClassDef) -> list[Function]:
    return [m for m in node.body if isinstance(m, Function) and not m.name.startswith("_")]


def _inherited_documentation(node: ast.ClassDef) -> set[str]:
    """Return the methods that a base class of this package documents."""
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    known = (c for path in package_files() for c in ast.walk(tree_of(path)) if isinstance(c, ast.ClassDef))
    return {m.name for c in known if c.name in bases for m in _methods(c) if ast.get_docstring(m)}


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.name)
def test_nothing_is_printed(path: Path) -> None:
    """The package logs: what it prints would be lost to the log's level, format and escaping."""
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if ast.unparse(call.func) == "print"] == []


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name.startswith("test_")], ids=str)
def test_every_test_says_what_must_hold(path: Path) -> None:
    """Each test function has a docstring."""
    tests = [f for f in functions_of(ROOT / path) if f.name.startswith("test_")]
    assert tests
    assert [f.name for f in tests if not ast.get_docstring(f)] == []
