"""The project's documents: their sections, blocks, commands, links and quoted names."""

import re
from collections.abc import Iterator
from pathlib import Path

from support.source_tree import project_files, text_of

_FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")


def documents() -> list[Path]:
    """Return the documents that people read, relative to the project's root."""
    return [path for path in project_files() if path.suffix == ".md" and "earlier_runs" not in path.parts]


def section(path: Path, heading: str) -> str:
    """Return the text under a heading of the second level."""
    (found,) = re.findall(rf"(?ms)^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text_of(path))
    return str(found)


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks in a language."""
    return [body for name, body in _FENCED.findall(text) if name == language]


def commands(text: str) -> list[str]:
    """Return the commands of all bash blocks, one a string, without comments."""
    lines = "".join(blocks(text, "bash")).replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := re.sub(r"(?:^|\s)\s*# .*$", "", line).strip())]


def apply_diff(diff: str, text: str) -> str:
    """Replace each group of - lines, which must be there once, by the + lines after it."""
    for change in re.findall(r"(?m)((?:^-.*\n)+)((?:^\+.*\n)+)", diff):
        before, after = (re.sub(r"(?m)^[-+]", "", part) for part in change)
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


def prose(text: str) -> str:
    """Return a document without its fenced blocks."""
    return _FENCED.sub("", text)


def anchors(text: str) -> set[str]:
    """Return the names by which links reach a document's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links(text: str) -> Iterator[str]:
    """Yield what a document's links and pictures lead to within the project."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(text)) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    yield from (target for target in found if not re.match(r"[a-z]+:", target))


def quoted(text: str) -> set[str]:
    """Return what stands in back quotes."""
    return set(re.findall(r"`([^`\n]+)`", prose(text)))
