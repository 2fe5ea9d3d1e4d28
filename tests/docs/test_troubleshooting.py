"""The README explains every error that a person can meet, by its exact text, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.source_tree import PACKAGE, ROOT, tree_of

README = (ROOT / "README.md").read_text(encoding="utf-8")
# What raises or lists an error, and which of its arguments is the cause.
CAUSE_OF = {
    "UserError": 0, "PlatformError": 0, "PeerLostError": 0, "RowError": 1, "RequestError": 2, "Finding": 2,
    "_overloaded": 0, "mistakes.append": 0, "found.append": 0,
}  # fmt: skip
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "local_test").glob("*.py")])
SCRIPTS = [*(ROOT / "local_test").glob("*.sh"), *(ROOT / "docker").glob("*.sh"), ROOT / "Makefile"]


def pattern_of(node: ast.expr) -> str:
    """Return a message as it is written in the code, with … for every part that varies."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return pattern_of(node.left) + pattern_of(node.right)
    return "…"


def tidy(pattern: str) -> str:
    """Return a pattern as the README quotes it: without the full stop, and one … where several meet."""
    return re.sub(r"…(?:[ :;]*…)+", "…", pattern).rstrip(".").replace("`", "'").strip()


def messages_of(path: Path) -> Iterator[str]:
    """Yield the cause of each error that a file can raise, as far as it is written there."""
    for node in ast.walk(tree_of(path)):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and len(node.args) > CAUSE_OF.get(name, 99):
            pattern = tidy(pattern_of(node.args[CAUSE_OF[name]]))
            if (
                re.search(r"[a-z]{3}", pattern) and pattern != "… line …"
            ):  # the frame around a row's own error
                yield pattern


def documented() -> list[str]:
    """Return the texts that the README explains, in its order."""
    section = re.search(r"(?s)<!-- messages:.*?-->\n(.*?)<!-- end -->", README)
    assert section is not None
    return re.findall(r"(?m)^\| `([^`]+)` \|", section[1])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_is_explained(path: Path) -> None:
    """Each cause stands in the README's troubleshooting: what a person reads in a log can be looked up."""
    assert [message for message in messages_of(path) if message not in documented()] == []


def test_nothing_is_explained_that_nobody_says() -> None:
    """Each text of the troubleshooting is one that the code or a script can say."""
    said = {message for path in SOURCES for message in messages_of(path)}
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    stale = []
    for text in set(documented()) - said:
        parts = [part.strip(" .:;()") for part in text.split("…")]
        if not (all(part in scripts for part in parts) or all(part in source for part in parts)):
            stale.append(text)
    assert stale == []


def test_no_text_is_explained_twice() -> None:
    """One row each."""
    assert len(documented()) == len(set(documented())) > 100


def test_every_row_says_what_to_do() -> None:
    """A row has its text, and a sentence or two about it."""
    section = README.split("\n## Troubleshooting\n")[1].split("\n## ")[0]
    rows = re.findall(r"(?m)^\| `[^`]+` \| (.*) \|$", section)
    assert len(rows) > len(documented())
    for row in rows:
        assert len(row) > 15, row
        assert row.endswith((".", "?", "`")), row
