"""What was understood of a channel's files, as data_report.json has it, and in sentences.

Standard library only. Names of files, columns and classes occur in it, but no text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bert_classifier.data.dialect import delimiter_name
from bert_classifier.job.settings import shown
from bert_classifier.job.wording import counted, enumerated, listed

_MOST_FILES = 10  # in the log, of those that were understood alike
_MOST_IN_REPORT = 3
_MOST_GROUPS = 10
_MOST_CLASSES = 10
_OF_ONE_FILE = ("file", "rows", "left_out")
_OF_ALL = ("form", "compression", "encoding", "delimiter", "header", "columns", "ignored", "notes")


def channel_understood(
    understood: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    num_empty: int,
    classes: Mapping[str, int],
    labels_per_text: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return what was understood of a channel, in JSON values.

    Args:
        understood: of each file, from the Dataset; empty if it does not say.
        names: of the channel's files.
        num_empty: rows without a text, which are left out.
        classes: texts per class.
        labels_per_text: how many texts have 0, 1, 2, … labels; None where each has one.
    Returns:
        groups: of files that were understood alike, with the first of their files; classes: texts of the largest
        classes; num_classes; texts: all of them; with several labels per text also task, labels and unlabelled: all
        labels given, and texts without any.
    """
    texts = sum(classes.values() if labels_per_text is None else labels_per_text)
    by_size = sorted(classes, key=lambda name: -classes[name])
    named = list(classes) if len(classes) <= _MOST_CLASSES else by_size[:_MOST_CLASSES]
    return {
        "groups": _grouped(understood) or [_unexplained(names, texts, num_empty)],
        "classes": {name: classes[name] for name in named},
        "num_classes": len(classes),
        "texts": texts,
        **({} if labels_per_text is None else _several(labels_per_text)),
    }


def _several(labels_per_text: Sequence[int]) -> dict[str, Any]:
    labels = sum(number * texts for number, texts in enumerate(labels_per_text))
    return {"task": "multi", "labels": labels, "unlabelled": labels_per_text[0]}


def _grouped(understood: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    if not all(
        isinstance(of_file, Mapping) and {*_OF_ONE_FILE, *_OF_ALL} <= {*of_file} for of_file in understood
    ):
        return []  # something else that a user's Dataset calls so
    for of_file in understood:
        alike = {name: value for name, value in of_file.items() if name not in _OF_ONE_FILE}
        empty = {**alike, "files": [], "num_files": 0, "rows": 0, "left_out": {}}
        group = groups.setdefault(json.dumps(alike, sort_keys=True, default=str), empty)
        group["num_files"] += 1
        group["rows"] += of_file["rows"]
        for reason, count in of_file["left_out"].items():
            group["left_out"][reason] = group["left_out"].get(reason, 0) + count
        if len(group["files"]) < _MOST_FILES:
            group["files"].append({name: of_file[name] for name in _OF_ONE_FILE})
    return list(groups.values())


def _unexplained(names: Sequence[str], texts: int, num_empty: int) -> dict[str, Any]:
    """Return the group of all files of a Dataset that does not say how it reads them."""
    return {
        "files": [{"file": name} for name in names[:_MOST_FILES]],
        "num_files": len(names),
        "rows": texts,
        "left_out": {"without a text": num_empty} if num_empty else {},
    }


def lines_of(channel: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences about a channel: a line per file, a summary of very many, and the classes at the end."""
    for group in channel["groups"][:_MOST_GROUPS]:
        yield from _lines_of_group(group)
    yield from filter(None, (_other_groups(channel), classes_line(channel)))


def entries_of(channel: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names of files that were understood alike, and a sentence about them; the last may be a summary."""
    for group in channel["groups"][:_MOST_GROUPS]:
        names = [of_file["file"] for of_file in group["files"][:_MOST_IN_REPORT]]
        description = description_of(group)
        sentence = f"{description[0].upper()}{description[1:]}. " if description else ""
        yield (
            enumerated(names, _MOST_IN_REPORT, group["num_files"]),
            f"{sentence}{rows_phrase(group)}{notes_of(group)}.",
        )
    if others := _other_groups(channel):
        yield "…", f"{others[2:].capitalize()}."


def _other_groups(channel: Mapping[str, Any]) -> str:
    rest = channel["groups"][_MOST_GROUPS:]
    files = counted(sum(group["num_files"] for group in rest), "more file")
    return f"… and {files}, understood in {counted(len(rest), 'other way')}" if rest else ""


def _lines_of_group(group: Mapping[str, Any]) -> Iterator[str]:
    description = description_of(group)
    if not description:
        yield from (f"{names}: {sentence[:-1]}" for names, sentence in entries_of({"groups": [group]}))
        return
    for number, of_file in enumerate(group["files"]):
        is_what = "likewise:" if number else f"is {description}."
        yield f"{of_file['file']} {is_what} {rows_phrase(of_file)}{'' if number else notes_of(group)}"
    more = group["num_files"] - len(group["files"])
    if more > 0:
        yield f"… and {more:,} more likewise; in all {rows_phrase(group)}"


def description_of(group: Mapping[str, Any]) -> str:
    """Return form and columns, such as "CSV with ';' and a header, in UTF-8: the label is 'class'"; "" if unknown."""
    if "form" not in group:
        return ""
    cells = f" with {delimiter_name(group['delimiter'])}" if group["delimiter"] else ""
    header = {True: " and a header", False: " and no header"}.get(group["header"], "") if cells else ""
    encoding = f"{',' if header else ''} in {group['encoding']}" if group["encoding"] else ""
    article = "a " if group["form"] == "JSON array" else ""
    packed = "gzipped " if group["compression"] else ""
    form = f"{article}{packed}{group['form']}{cells}{header}{encoding}"
    columns = "; ".join(filter(None, (_roles(group), _not_used(group["ignored"]))))
    return f"{form}: {columns}" if columns and group["form"] != "fastText" else form


def _roles(group: Mapping[str, Any]) -> str:
    columns = group["columns"]
    is_named = group["header"] is not False
    label, text, title, second = (
        (shown(columns[role]) if is_named else f"column {columns[role]}") if columns.get(role) else ""
        for role in ("label", "text", "title", "text_pair")
    )
    if title:
        text += (
            f" after the title {title}" if group.get("title_joined") else f" or, where it is empty, {title}"
        )
    labels = _labels_phrase(group, label)
    verb = "" if labels else "is "
    named = [labels, f"the text {verb}{text}" if text else ""]
    if second:
        named[1] = f"the two texts {'' if labels else 'are '}{text} and {second}"
    return ", ".join(filter(None, named))


def _labels_phrase(group: Mapping[str, Any], label: str) -> str:
    """Return where the label or the labels of a row are."""
    if group.get("task") != "multi":
        return f"the label is {label}" if label else ""
    if group["label_columns"]:
        return f"the labels are the columns {listed(group['label_columns'])} that hold 1"
    separated = f" between {delimiter_name(group['label_separator'])}" if group["label_separator"] else ""
    return f"the labels are {label}{separated}, any number per row" if label else ""


def _not_used(names: Sequence[str]) -> str:
    return f"not used: {listed(names)}" if names else ""


def notes_of(group: Mapping[str, Any]) -> str:
    """Return a sentence for what is unusual about the files, with a blank before; "" if nothing is."""
    return f". Note: {'; '.join(group['notes'])}" if group.get("notes") else ""


def rows_phrase(counts: Mapping[str, Any]) -> str:
    """Return the rows read and left out, such as "90 rows, 3 left out (2 without a text, 1 without a label)"."""
    left_out = {reason: count for reason, count in counts["left_out"].items() if count}
    rows = counted(counts["rows"], "row")
    if not left_out:
        return rows
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    if len(left_out) == 1:
        return f"{rows}, {reasons} left out"
    return f"{rows}, {sum(left_out.values()):,} left out ({reasons})"


def classes_line(channel: Mapping[str, Any]) -> str:
    """Return the numbers of texts and classes, and those of the largest classes."""
    classes = [f"{shown(name)} {count:,}" for name, count in channel["classes"].items()]
    is_part = len(classes) < channel["num_classes"]
    head = f"{counted(channel['texts'], 'text')} of {counted(channel['num_classes'], 'class', 'classes')}"
    if channel.get("task") == "multi":
        head = (
            f"{counted(channel['texts'], 'text')} with any number of {channel['num_classes']:,} labels"
            f" ({channel['labels'] / max(1, channel['texts']):.2f} on average, {channel['unlabelled']:,} without any)"
        )
    named = enumerated(classes, _MOST_CLASSES, channel["num_classes"])
    return f"{head}{', the largest' if is_part else ''}: {named}"
