"""What to set where the roles of a file's columns are unclear, and which data have no classes to learn.

Standard library only.
"""

from collections.abc import Sequence

from bert_classifier.data.columns import LABEL_NAMES, bare
from bert_classifier.data.pair_columns import pairs_in
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.shapes import Shape, quoted_value
from bert_classifier.job.settings import shown

_MOST_COLUMNS = 12  # in one message
_MOST_RUN = 4  # columns in a row that are named one by one
# Labels of well-known collections, which are too particular to be taken unasked, without case and separators.
_COLLECTION_LABELS = ("goldlabel", "quality", "isduplicate")
_SCORES = ("score", "similarity", "similarityscore", "relatedness", "relatednessscore", "goldscore")
_WITH_UNKNOWN = "0, 1 or -1"  # -1 where nobody judged
_TRIPLET = {"anchor", "positive", "negative"}


def suggested_roles(shapes: Sequence[Shape], settings: ReaderSettings, label: str = "") -> dict[str, str]:
    """Return the settings that name the likeliest label and text or texts; empty for those that nothing suggests.

    Args:
        label: the column to suggest for the label if no other looks like one.
    """
    texts = _suggested_texts(shapes, settings)
    others = [shape for shape in shapes if shape.name not in texts.values()]
    labels = [shape for shape in others if shape.recurs]
    if any(shape.may_be_label for shape in labels) or "text_pair_column" in texts:
        labels = [
            shape for shape in labels if shape.may_be_label
        ]  # in a table of pairs a constant is no label
    labels = labels or [shape for shape in others if shape.kind == "list"]
    label = settings.label_column or min(labels, key=_label_rank, default=Shape(label, 0, 0, 0, "")).name
    return {name: value for name, value in (("label_column", label), *texts.items()) if value}


def _suggested_texts(shapes: Sequence[Shape], settings: ReaderSettings) -> dict[str, str]:
    """Return the settings of a pair whose names are known, or of the column with the longest texts."""
    texts = [shape for shape in shapes if shape.kind == "text" and shape.filled]
    if settings.text_column or settings.text_pair_column:
        told = {"text_column": settings.text_column, "text_pair_column": settings.text_pair_column}
        return {name: value for name, value in told.items() if value}
    pairs = pairs_in([bare(shape.name) for shape in texts])
    if pairs:
        first, second = pairs[0]
        return {"text_column": texts[first].name, "text_pair_column": texts[second].name}
    longest = max(texts, key=lambda shape: shape.words, default=Shape("", 0, 0, 0, ""))
    return {"text_column": longest.name}


def _label_rank(shape: Shape) -> tuple[bool, bool, bool, int]:
    is_named = bare(shape.name) in {*LABEL_NAMES[0], *_COLLECTION_LABELS}
    return not shape.may_be_label, not is_named, shape.kind == "0 or 1", shape.distinct


def multi_label_columns(shapes: Sequence[Shape]) -> list[str]:
    """Return the columns that hold 0 and 1 only, perhaps -1 too, or true and false, if several have both."""
    found = [shape for shape in shapes if shape.kind in ("0 or 1", _WITH_UNKNOWN, "true or false")]
    return [shape.name for shape in found] if sum(shape.distinct > 1 for shape in found) > 1 else []


def unclear_roles(
    why: str,
    shapes: Sequence[Shape],
    settings: ReaderSettings,
    *,
    form: str,
    header: str = "",
    label: str = "",
) -> tuple[str, str]:
    """Return cause and remedy for columns whose roles are unclear.

    Args:
        why: begins the message: file, and the reason in words.
        form: how the file was read, such as "CSV with ','".
        header: what to add to the remedy about the first row.
        label: the column to suggest for the label if no other looks like one.
    """
    columns = ", ".join(map(str, shapes[:_MOST_COLUMNS])) + (", …" if len(shapes) > _MOST_COLUMNS else "")
    cause = f"{why}. It was read as {form}, with the columns {columns}."
    unlearnable = "" if settings.label_column or settings.label_columns else _without_classes(shapes)
    if unlearnable:
        texts = " ".join(_written(_suggested_texts(shapes, settings)))
        return (
            f"{cause} {unlearnable}",
            f"Add a column of classes, and set label_column to it{texts and f', {texts}'}.",
        )
    wide = multi_label_columns(shapes)
    if wide and not settings.label_column and not settings.label_columns:
        return f"{cause} {_wide_cause(wide, shapes)}", _wide_remedy(wide, shapes, settings)
    suggested = suggested_roles(shapes, settings, label)
    given = " ".join(_written({"label_column": "…", "text_column": "…", **suggested}))
    condition = " if that is right" if {"label_column", "text_column"} <= {*suggested} else ""
    others = _or_other_texts(shapes, settings, suggested)
    return cause, f"Set {given}{condition}{header}{others}."


def _or_other_texts(shapes: Sequence[Shape], settings: ReaderSettings, suggested: dict[str, str]) -> str:
    """Return what else a suggested pair could be, where its first text stands in further pairs; "" if nothing."""
    if settings.text_column or settings.text_pair_column or "text_pair_column" not in suggested:
        return ""
    names = [shape.name for shape in shapes]
    pairs = [(names[first], names[second]) for first, second in pairs_in([*map(bare, names)])]
    told = (suggested["text_column"], suggested["text_pair_column"])
    seconds = [pair[1] for pair in pairs if pair[0] == told[0] and pair != told]
    other = " or ".join(f"text_pair_column={quoted_value(second)}" for second in seconds)
    return (
        f"; {other} reads that text instead, and text_column without text_pair_column one text"
        if other
        else ""
    )


def _written(settings: dict[str, str]) -> list[str]:
    return [f"{name}={quoted_value(value)}" for name, value in settings.items() if value]


def _without_classes(shapes: Sequence[Shape]) -> str:
    """Return why the data of a known kind have no classes: triplets, or pairs with a number; "" where they may have."""
    names = {bare(shape.name) for shape in shapes}
    known = {*LABEL_NAMES[0], *LABEL_NAMES[1], *_COLLECTION_LABELS}
    if names >= _TRIPLET:
        return "" if names & known else "Triplets of anchor, positive and negative have no label."
    scores = [shape for shape in shapes if _is_score(shape)]
    if not scores or any(shape.may_be_label and bare(shape.name) in known for shape in shapes):
        return ""
    named = shown(scores[0].name)
    return f"The numbers in {named} are no classes: to predict a number (regression) is not supported."


def _is_score(shape: Shape) -> bool:
    """Return whether a column holds numbers to predict: fractions under the name of a score, or of a label."""
    name = bare(shape.name)
    return shape.is_fractional and (name in _SCORES or (name in LABEL_NAMES[0] and shape.varies_like_texts))


def _wide_cause(wide: Sequence[str], shapes: Sequence[Shape]) -> str:
    named = ", ".join(wide[:_MOST_COLUMNS]) + (", …" if len(wide) > _MOST_COLUMNS else "")
    has_unknown = any(shape.kind == _WITH_UNKNOWN for shape in shapes if shape.name in wide)
    marks = "0, 1 and -1" if has_unknown else "0 and 1"
    return f"{named} hold only {marks}, as data with several labels per text (multi-label) do."


def _wide_remedy(wide: Sequence[str], shapes: Sequence[Shape], settings: ReaderSettings) -> str:
    """Return how to read columns of 0 and 1 as labels, or one of them as the label."""
    names = [shape.name for shape in shapes]
    places = [names.index(name) for name in wide]
    is_run = len(wide) > _MOST_RUN and places == [*range(places[0], places[0] + len(wide))]
    parts = [name if "," not in name and ".." not in name else str(names.index(name) + 1) for name in wide]
    value = f"{parts[0]}..{parts[-1]}" if is_run else ",".join(parts)
    texts = {} if settings.text_column else _suggested_texts(shapes, settings)
    given = "".join(f" {text}" for text in _written({"label_columns": value, **texts}))
    unnamed = names[0] == "1"
    called = " A header row names the labels; without one they are called by number." if unnamed else ""
    return f"Set{given} to learn all of them, or label_column to one of them.{called}"
