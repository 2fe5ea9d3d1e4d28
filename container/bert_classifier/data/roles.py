"""Which column holds the label, the text and the title: by the settings, or by names in use.

Standard library only.
"""

import functools
from collections.abc import Collection, Mapping, Sequence

from bert_classifier.data.columns import (
    LABEL_NAMES,
    LAST_TEXT_NAMES,
    TEXT_NAMES,
    TITLE_NAMES,
    Roles,
    Unclear,
    bare,
    matches,
    told_position,
)
from bert_classifier.data.label_columns import label_positions
from bert_classifier.data.pair_columns import pairs_in
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.shapes import quoted_value
from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

_HEADERLESS = {2: ("label", "text"), 3: ("label", "title", "text")}


def roles_of(
    names: Sequence[str], settings: ReaderSettings, *, is_named: bool = True, needs_label: bool = True
) -> Roles:
    """Return which columns are label, text and title.

    Args:
        names: of the columns; anything for unnamed ones.
        is_named: whether the file itself names them.
        needs_label: False for files that may hold texts only.
    Raises:
        UserError: when a setting names a column that is not there.
        Unclear: when names and settings leave it open.
    """

    def position_of(setting: str, value: str) -> int:
        return told_position(names, setting, value, is_named=is_named)

    labels: tuple[int, ...] = ()
    if settings.label_columns and needs_label:
        labels = label_positions(settings.label_columns, functools.partial(position_of, "label_columns"))
    told = {
        role: position_of(f"{role}_column", value)
        for role in ("label", "text", "title", "text_pair")
        if (value := getattr(settings, f"{role}_column")) and not (role == "label" and labels)
    }
    _refuse_two_roles(names, told, labels)
    open_roles = _by_name if is_named else _by_position
    found = open_roles(names, told, needs_label=needs_label, labels=labels)
    return Roles(
        None if labels else found["label"],
        found["text"] or 0,
        found.get("title"),
        "title" in told,
        found.get("text_pair"),
        labels,
    )


def _refuse_two_roles(names: Sequence[str], told: Mapping[str, int], labels: Collection[int]) -> None:
    """Raise a UserError where the settings give two roles to one column."""
    if len(set(told.values())) < len(told):
        raise UserError(
            f"the settings give two roles to one column: {', '.join(f'{k}_column' for k in told)}.",
            "Give each role a column of its own.",
        )
    twice = next((role for role, at in told.items() if at in labels), "")
    if twice:
        raise UserError(
            f"label_columns and {twice}_column both take {shown(names[told[twice]].strip())}.",
            "Give each role a column of its own.",
        )


def _by_position(
    names: Sequence[str], told: dict[str, int], *, needs_label: bool, labels: Collection[int]
) -> dict[str, int | None]:
    free = [position for position in range(len(names)) if position not in {*told.values(), *labels}]
    needs_label = needs_label and not labels
    roles: dict[str, int | None] = {"label": None, **told}
    wanted = [role for role in ("label", "text") if role not in told and (role == "text" or not labels)]
    if not needs_label and not told and len(free) == 1:
        return {"label": None, "text": free[0]}
    if not needs_label and "text" in told:
        return roles
    if not told and not labels and len(names) in _HEADERLESS:
        return dict(zip(_HEADERLESS[len(names)], range(len(names)), strict=True))
    if len(wanted) > 1 or (wanted and len(free) != 1):
        raise Unclear(f"{len(names)} column{'s' if len(names) > 1 else ''} and no header that is known")
    return {**roles, **dict(zip(wanted, free, strict=False))}


def _by_name(
    names: Sequence[str], told: dict[str, int], *, needs_label: bool, labels: Collection[int]
) -> dict[str, int | None]:
    taken = {*told.values(), *labels}
    needs_label = needs_label and not labels
    roles: dict[str, int | None] = {**told, **_pair_by_name(names, told, taken, needs_label=needs_label)}
    taken |= {at for at in roles.values() if at is not None}
    for role, known in (("label", LABEL_NAMES), ("text", TEXT_NAMES), ("title", TITLE_NAMES)):
        if role in roles or (role == "label" and labels):
            continue
        found = [position for position in matches(names, known) if position not in taken]
        if len(found) > 1 and role != "title" and (role == "text" or needs_label):
            columns = " and ".join(dict.fromkeys(shown(names[position].strip()) for position in found))
            raise Unclear(f"{len(found)} columns could be the {role}: {columns}")
        roles[role] = found[0] if found else None
    roles.setdefault("label", None)
    if "title" not in told and roles.get("text_pair") is not None:
        roles["title"] = None  # no title stands for the first of two texts
    return _with_last_text(names, roles, told, taken, needs_label=needs_label)


def _pair_by_name(
    names: Sequence[str], told: Mapping[str, int], taken: Collection[int], *, needs_label: bool
) -> dict[str, int | None]:
    """Return the two texts that are called like those of a pair, unless a column outside it may be the text."""
    if not needs_label or {"text", "text_pair"} & {*told}:
        return {}
    found = pairs_in([*map(bare, names)], taken)
    texts = [at for at in matches(names, TEXT_NAMES) if at not in taken]
    if not found or any(at not in found[0] for at in texts):
        return {}
    if len(found) > 1:
        if texts and len({first for first, _ in found}) > 1:  # one is the text where there are no pairs
            return {}
        columns = " or ".join(" and ".join(shown(names[at].strip()) for at in pair) for pair in found)
        raise Unclear(f"{len(found)} pairs of columns could be the texts: {columns}")
    return dict(zip(("text", "text_pair"), found[0], strict=True))


def _with_last_text(
    names: Sequence[str],
    roles: dict[str, int | None],
    told: Mapping[str, int],
    taken: Collection[int],
    *,
    needs_label: bool,
) -> dict[str, int | None]:
    """Return the roles with a text under one of the last names, or refuse what is missing."""
    if roles["text"] is None:
        roles["text"] = _last_text(names, roles, taken)
        if roles["text"] == roles["title"] and "title" not in told:
            roles["title"] = None
    missing = [role for role in ("label", "text") if roles[role] is None and (role == "text" or needs_label)]
    if "title" in told and (missing or roles["text"] == roles["title"]):
        raise UserError(
            f"title_column takes {shown(names[told['title']].strip())}, and no other column is known as the"
            f" {missing[0] if missing else 'text'}.",
            "Set label_column and text_column too, or give title_column another column.",
        )
    if missing:
        raise Unclear(f"no column is known as the {' or the '.join(missing)}")
    return roles


def _last_text(names: Sequence[str], roles: Mapping[str, int | None], taken: Collection[int]) -> int | None:
    """Return the column `source`, or a title where label and title are all there is; None without one."""
    used = {*taken, roles["label"], roles["title"]}
    others = [p for p, name in enumerate(names) if name.strip() and p not in used]
    sources = [p for p in others if bare(names[p]) == LAST_TEXT_NAMES[0]]
    if sources:
        return sources[0]
    return roles["title"] if not others else None


def pair_doubts(names: Sequence[str], roles: Roles, settings: ReaderSettings) -> list[str]:
    """Return what to say where two columns are read as a pair though one could be the text alone, or the reverse."""
    if settings.text_column or settings.text_pair_column:
        return []
    text = names[roles.text].strip()
    if roles.pair is not None:
        if not matches(names, TEXT_NAMES) or bare(names[roles.pair]) == f"{bare(text)}pair":
            return []
        second = names[roles.pair].strip()
        alone = next(name for name in (text, second) if matches([name], TEXT_NAMES))
        given = f"text_column={quoted_value(alone)}"
        return [
            f"{shown(text)} and {shown(second)} are read as a pair of texts; {given} reads that column alone"
        ]
    pairs = pairs_in([*map(bare, names)], [at for at in roles.used if at not in (None, roles.text)])
    seconds = [names[second].strip() for first, second in pairs if first == roles.text]
    return [
        f"{shown(text)} and {shown(second)} could be a pair of texts;"
        f" text_pair_column={quoted_value(second)} reads both"
        for second in seconds
    ]
