"""Bars for the code's size and documentation, so that they hold without a reviewer."""

import ast
import functools
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

from support.source_tree import ROOT, Function, functions_of, package_files, project_files, text_of, tree_of

LONGEST_FILE = 300  # lines
LONG_FUNCTION = 50
MEDIAN_FUNCTION = 10
SHARE_OF_LONG_FUNCTIONS = 0.02
# What raises an error, and which of its arguments is the cause; the remedy follows it.
CAUSE_OF = {"UserError": 0, "PlatformError": 0, "PeerLostError": 0, "RequestError": 2}
# A caller that has left reads no answer; a list of findings holds a remedy for each.
WITHOUT_REMEDY = ("'caller_left'", "listed")
SOURCES = [path for path in project_files() if path.suffix in (".py", ".sh") or path.parent == Path(".ci")]


def length_of(function: Function) -> int:
    """Return a function's lines without decorators and docstring."""
    docstring = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    explained = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - explained


def test_files_are_short() -> None:
    """A source file, a test's too, has at most 300 lines."""
    assert len(SOURCES) > 200
    assert [str(path) for path in SOURCES if len(text_of(path).splitlines()) > LONGEST_FILE] == []


def test_functions_are_short() -> None:
    """Half of the package's functions have at most 10 lines, and hardly any has more than 50."""
    lengths = [length_of(function) for path in package_files() for function in functions_of(path)]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
    assert sum(length > LONG_FUNCTION for length in lengths) <= SHARE_OF_LONG_FUNCTIONS * len(lengths)


def test_everything_public_is_documented() -> None:
    """Each module, public class, function and method says what it is for."""
    bare = [
        str(path) for path in package_files() if not ast.get_docstring(tree_of(path)) and tree_of(path).body
    ]
    bare += [
        f"{path}: {name}"
        for path in package_files()
        for name, node in _public(tree_of(path))
        if not ast.get_docstring(node)
    ]
    assert bare == []


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
    bases = [ast.unparse(base).split(".")[-1] for base in node.bases]
    return {name for base in bases for name in _documented_methods().get(base, ())}


@functools.cache
def _documented_methods() -> dict[str, set[str]]:
    """Return the names of the documented methods of each class of the package."""
    classes = [c for path in package_files() for c in ast.walk(tree_of(path)) if isinstance(c, ast.ClassDef)]
    return {c.name: {m.name for m in _methods(c) if ast.get_docstring(m)} for c in classes}


def test_nothing_is_printed() -> None:
    """The package logs: what it prints would be lost to the log's level, format and escaping."""
    assert [place for place, call in calls_of(package_files()) if ast.unparse(call.func) == "print"] == []


def calls_of(paths: Iterable[Path]) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in some files, with its place."""
    for path in paths:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)} line {node.lineno}", node


def test_every_error_has_a_remedy() -> None:
    """Whoever reads an error's cause reads what helps in the next sentence, and looks nothing up."""
    sources = [*package_files(), *(ROOT / "docker").rglob("*.py"), *(ROOT / "local_test").glob("*.py")]
    raised = [(place, call) for place, call in calls_of(sources) if ast.unparse(call.func) in CAUSE_OF]
    bare = [
        (place, ast.unparse(call))
        for place, call in raised
        if not call.keywords
        and not any(map(_may_hold_text, call.args[CAUSE_OF[ast.unparse(call.func)] + 1 :]))
    ]
    assert len(raised) > 150
    assert [found for found in bare if not any(word in found[1] for word in WITHOUT_REMEDY)] == []


def _may_hold_text(node: ast.expr) -> bool:
    return not isinstance(node, ast.Constant) or bool(node.value)


def test_every_test_says_what_must_hold() -> None:
    """Each test function has a docstring, and each test file a test."""
    tests = {
        p: [f for f in functions_of(ROOT / p) if f.name.startswith("test_")]
        for p in SOURCES
        if p.name[:5] == "test_"
    }
    assert [str(path) for path, found in tests.items() if not found] == []
    assert [f"{p}: {f.name}" for p, found in tests.items() for f in found if not ast.get_docstring(f)] == []
