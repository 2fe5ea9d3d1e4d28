"""The part of the report about the data: what the data doctor counted and found."""

from collections.abc import Iterator, Mapping
from typing import Any

from bert_classifier.evaluation.report import html, plots

_COLUMNS = ("texts", "empty", "duplicates", "conflicting", "encoding")
_MOST_CLASSES = 60


def data_section(data: Mapping[str, Any]) -> html.Markup:
    """Return the section; `data` is what data_report.json holds."""
    return html.section("The data", *_parts(data))


def _parts(data: Mapping[str, Any]) -> Iterator[object]:
    channels = data["channels"]
    yield from map(_finding, data["findings"])
    header = ("channel", *_COLUMNS, "also in train", "tokens: mean", "median", "99 %", "longest", "cut")
    rows = [
        (
            name,
            *(channel.get(column, "–") for column in _COLUMNS),
            data["leakage"].get(name, "–"),
            float(channel["tokens"]["mean"]),
            *(channel["tokens"][key] for key in ("p50", "p99", "max")),
            html.percent(channel["tokens"]["truncated_share"]),
        )
        for name, channel in channels.items()
    ]
    yield html.table(header, rows)
    tokens = channels["train"]["tokens"]
    svg = plots.length_histogram(tokens, data["max_seq_length"])
    caption = _length_caption(data, tokens)
    yield html.element("figure", html.Markup(svg), html.element("figcaption", caption), class_="plot")
    yield html.element("h3", "Texts by class")
    yield _classes(channels)


def _length_caption(data: Mapping[str, Any], tokens: Mapping[str, Any]) -> str:
    """Return what is true of the lengths: how many texts are cut, and what would leave 99 % of them whole."""
    length, wanted, most = (data[f"{name}max_seq_length"] for name in ("", "recommended_", "longest_"))
    cut = html.percent(tokens["truncated_share"])
    told = f"Lengths of the training texts. With max_seq_length={length}, {cut} of them are cut;"
    if data["recommended_whole_share"] >= 0.99:
        return f"{told} {wanted} would leave 99 % of them whole."
    share = html.percent(data["recommended_whole_share"])
    return f"{told} {most}, the most that the model takes, would leave {share} of them whole."


def _finding(told: Mapping[str, Any]) -> html.Markup:
    places = html.element("p", html.element("small", ", ".join(told["places"]))) if told["places"] else ""
    return html.element(
        "div",
        html.element("b", told["message"]),
        html.element("p", told["remedy"]),
        places,
        class_=f"finding {told['severity']}",
    )


def _classes(channels: Mapping[str, Any]) -> html.Markup:
    """Return the texts by class and channel, the rarest first."""
    counts = channels["train"]["classes"]
    largest = max(1, *counts.values())
    rarest = sorted(counts, key=lambda label: counts[label])
    rows = [
        (
            label,
            html.bar(counts[label] / largest, html.number(counts[label])),
            *(channel["classes"].get(label, 0) for name, channel in channels.items() if name != "train"),
        )
        for label in rarest[:_MOST_CLASSES]
    ]
    table = html.table(("class", *channels), rows)
    left = len(rarest) - len(rows)
    return html.joined(
        [table, html.element("p", f"… and {left} more, none of them with fewer texts.", class_="note")]
        if left
        else [table]
    )
