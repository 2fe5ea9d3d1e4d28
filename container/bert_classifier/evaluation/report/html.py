"""HTML of which every word is escaped: small pieces that reports are put together from."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


class Markup(str):
    """A string that is HTML already; any other is escaped."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """Return a value as HTML: markup as it is, anything else as text."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def element(tag: str, *parts: object, **attributes: object) -> Markup:
    """Return an element; of attributes, `class_` stands for class."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for name, value in attributes.items()
    )
    return Markup(f"<{tag}{told}>{joined(parts)}</{tag}>")


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Return the parts, each escaped, one after the other."""
    return Markup(between.join(map(escaped, parts)))


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table in a box of its own that scrolls; numbers and their heads stand to the right."""
    cells = [list(map(_cell, row)) for row in rows]
    of_numbers = (
        [cell.startswith('<td class="number') for cell in cells[0]] if cells else [False] * len(header)
    )
    heads = (
        element("th", words, scope="col", class_="number" if is_number else "words")
        for words, is_number in zip(header, of_numbers, strict=True)
    )
    head = element("thead", element("tr", *heads))
    body = element("tbody", *(element("tr", *row) for row in cells))
    return element("div", element("table", head, body), class_="scroll")


def _cell(value: object) -> Markup:
    if isinstance(value, Markup) and value.startswith("<td"):
        return value
    if isinstance(value, int | float):
        return element("td", number(value), class_="number")
    return element("td", value)


def number(value: float) -> str:
    """Return a number as people write it: 12,345 or 0.0123."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share in per cent."""
    return f"{100 * share:.{digits}f} %"


def bar(share: float, words: str | None = None) -> Markup:
    """Return a table cell with a share, in per cent unless told in other words, and a bar of that length."""
    style = f"--share:{100 * max(0.0, min(1.0, share)):.1f}%"
    return element("td", words or percent(share), class_="number bar", style=style)


def facts(told: Mapping[str, Any]) -> Markup:
    """Return names and values as a list of two columns."""
    pairs = (joined([element("dt", name), element("dd", value)]) for name, value in told.items())
    return element("dl", *pairs)


def section(title: str, *parts: object) -> Markup:
    """Return a section under a heading."""
    return element("section", element("h2", title), *parts)


def note(words: str) -> Markup:
    """Return a remark in small print."""
    return element("p", words, class_="note")


def confusion_table(labels: Sequence[str], confusion: np.ndarray) -> Markup:
    """Return a confusion matrix as a table, each cell as dark as its share of the true class."""
    totals = np.maximum(1, confusion.sum(axis=1))
    names = (element("th", element("span", label), scope="col") for label in labels)
    head = element("thead", element("tr", element("th", "true ╲ predicted", scope="col"), *names))
    rows = [
        element(
            "tr", element("th", label, scope="row"), *_confusion_row(labels, index, confusion[index], totals)
        )
        for index, label in enumerate(labels)
    ]
    return element(
        "div", element("table", head, element("tbody", *rows), class_="confusion"), class_="scroll"
    )


def _confusion_row(
    labels: Sequence[str], true: int, counts: np.ndarray, totals: np.ndarray
) -> Iterable[Markup]:
    for said, count in enumerate(counts.tolist()):
        kind = "right" if said == true else "wrong" if count else "none"
        # Even one mistake among thousands must be seen.
        share = count / totals[true] if said == true else (count / totals[true]) ** 0.5
        title = f"{labels[true]} taken for {labels[said]}: {count}"
        yield element("td", count or "·", class_=kind, title=title, style=f"--share:{100 * share:.0f}%")
