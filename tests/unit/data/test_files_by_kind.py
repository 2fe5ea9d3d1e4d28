"""Further files of each kind that people have: headers, orders, numbers, delimiters, encodings, packings, labels."""

import gzip
import json
import unicodedata
from pathlib import Path

import pytest

from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError
from support.clear_text import assert_clear
from support.tool_files.made import (
    LETTERS,
    NAMES,
    NUMBER_OF,
    PLAIN,
    labels_first,
    numbered,
    objects,
    renamed,
    table,
    texts_first,
)

_HEADED = table("label,text", labels_first())
_NFC, _NFD = (unicodedata.normalize(form, "réclamation") for form in ("NFC", "NFD"))
_OBJECT = {"label": "praise", "text": "Thank you for the lamp."}
_CHINESE = [(label, f"这是第{i}个句子，谢谢你们") for i, (label, _) in enumerate(PLAIN)]
_ACCENTED = renamed(LETTERS, dict(zip(NAMES, (_NFC, _NFC, "praise"), strict=True)))
_TWO_FORMS = renamed(LETTERS, dict(zip(NAMES, (_NFC, _NFD, "praise"), strict=True)))

# File, content, settings, the pairs that must come back.
READ: dict[str, tuple[str, str | bytes, dict[str, str], list[tuple[str, str]]]] = {
    "capitals and blanks": ("a.csv", table("LABEL ,Review Text", labels_first()), {}, LETTERS),
    "names with underscores": ("a.csv", table("class_label,tweet_text", labels_first()), {}, LETTERS),
    "a second column of labels": (
        "a.csv",
        table("text,label,label_text", [[text, NUMBER_OF[label], label] for label, text in LETTERS]),
        {},
        renamed(LETTERS, NUMBER_OF),
    ),
    "a second column of texts": (
        "a.csv",
        table("text,clean_text,label", [[text, text.lower(), label] for label, text in LETTERS]),
        {},
        LETTERS,
    ),
    "a date before both": (
        "a.csv",
        table("date,label,text", [["2026-01-02", *r] for r in labels_first()]),
        {},
        LETTERS,
    ),
    "a score beside the label": (
        "a.csv",
        table("label,score,text", [[n, "0.9", t] for n, t in LETTERS]),
        {},
        LETTERS,
    ),
    "blank lines first": ("a.csv", "\n\n" + _HEADED, {}, LETTERS),
    "four rows without a header": ("a.csv", table("", labels_first(PLAIN[:4])), {}, PLAIN[:4]),
    "Chinese texts without a header": ("a.csv", table("", labels_first(_CHINESE)), {}, _CHINESE),
    "given by name in other case": (
        "a.csv",
        table("Kategorie,Nachricht", labels_first()),
        {"label_column": "kategorie", "text_column": "NACHRICHT"},
        LETTERS,
    ),
    "given by number below a header": (
        "a.csv",
        table("Kategorie,Nachricht", labels_first()),
        {"label_column": "1", "text_column": "2", "header": "true"},
        LETTERS,
    ),
    "semicolons, commas in every text": (
        "a.csv",
        "".join(f"{label};{text}, yes\n" for label, text in PLAIN),
        {},
        [(label, f"{text}, yes") for label, text in PLAIN],
    ),
    "commas, bars in every text": (
        "a.csv",
        "".join(f"{label},{text} | yes\n" for label, text in PLAIN),
        {},
        [(label, f"{text} | yes") for label, text in PLAIN],
    ),
    "tabs, semicolons in every text": (
        "a.csv",
        "".join(f"{label}\t{text}; yes\n" for label, text in PLAIN),
        {},
        [(label, f"{text}; yes") for label, text in PLAIN],
    ),
    "decimal commas": (
        "a.csv",
        table("rating;review".replace(";", ","), [["1,5", text] for _, text in PLAIN], delimiter=";"),
        {},
        [("1,5", text) for _, text in PLAIN],
    ),
    "UTF-16, the high byte first": ("a.csv", b"\xfe\xff" + _HEADED.encode("utf-16-be"), {}, LETTERS),
    "UTF-16 without a mark": ("a.csv", _HEADED.encode("utf-16-le"), {"encoding": "utf-16-le"}, LETTERS),
    "gzipped UTF-16": ("a.csv.gz", gzip.compress(_HEADED.encode("utf-16")), {}, LETTERS),
    "gzip in two members": (
        "a.csv.gz",
        gzip.compress(table("label,text", labels_first(LETTERS[:9])).encode())
        + gzip.compress(table("", labels_first(LETTERS[9:])).encode()),
        {},
        LETTERS,
    ),
    "named gzip, but plain": ("a.csv.gz", _HEADED, {}, LETTERS),
    "two Unicode forms": ("a.csv", table("label,text", labels_first(_TWO_FORMS)), {}, _ACCENTED),
    "two Unicode forms in JSON": (
        "a.jsonl",
        objects([{"label": label, "text": text} for label, text in _TWO_FORMS], ascii_only=True),
        {},
        _ACCENTED,
    ),
    "no-break spaces around labels": (
        "a.csv",
        table("label,text", [[f"\u00a0{label} ", text] for label, text in LETTERS]),
        {},
        LETTERS,
    ),
    "words that only contain a missing value": (
        "a.csv",
        table(
            "label,text",
            [[("nana", "nullify", "none of these")[i % 3], text] for i, (_, text) in enumerate(PLAIN)],
        ),
        {},
        [(("nana", "nullify", "none of these")[i % 3], text) for i, (_, text) in enumerate(PLAIN)],
    ),
    "fastText with tabs": ("a.txt", "".join(f"__label__{n}\t{t}\n" for n, t in PLAIN), {}, PLAIN),
    "numbers and booleans": (
        "a.jsonl",
        objects([{"label": (False, 2.0, 3)[i % 3], "text": text} for i, (_, text) in enumerate(LETTERS)]),
        {},
        [(("false", "2", "3")[i % 3], text) for i, (_, text) in enumerate(LETTERS)],
    ),
}

# File, content, settings, what the message must hold.
REFUSED: dict[str, tuple[str, str | bytes, dict[str, str], tuple[str, ...]]] = {
    "names in another language": (
        "a.csv",
        table("Kategorie,Nachricht", labels_first()),
        {},
        ("label_column=Kategorie text_column=Nachricht",),
    ),
    "names in Chinese": (
        "a.csv",
        table("标签,文本", [[label, f"这是第{i}个句子，谢谢"] for i, (label, _) in enumerate(PLAIN)]),
        {},
        ("label_column=标签 text_column=文本",),
    ),
    "Japanese texts first": (
        "a.csv",
        table(
            "", [[f"これは{i}番目の文章です、ありがとう。", label] for i, (label, _) in enumerate(PLAIN[:6])]
        ),
        {},
        ("label_column=2 text_column=1",),
    ),
    "names of one letter": ("a.csv", table("y,x", labels_first()), {}, ("label_column=y text_column=x",)),
    "names with blanks": (
        "a.csv",
        table("Label (final),Customer comment", labels_first()),
        {},
        ('label_column="Label (final)" text_column="Customer comment"',),
    ),
    "sorted by label below unknown names": (
        "a.csv",
        table("kind,prose", labels_first(sorted(PLAIN))),
        {},
        ("label_column=kind",),
    ),
    "the text's name twice": (
        "a.csv",
        table("text,text,label", [[t, t, n] for n, t in LETTERS]),
        {},
        ("2 columns",),
    ),
    "a misspelt setting": ("a.csv", _HEADED, {"text_column": "txt"}, ("'txt'", "text_column=text")),
    "a line above the header": (
        "a.csv",
        f"Letters of 2026\n{_HEADED}",
        {},
        ("line 2 looks like the header", "Remove the lines above it"),
    ),
    "two rows, text first": ("a.csv", table("", texts_first(PLAIN[:2])), {}, ("label_column",)),
    "six rows, text first": (
        "a.csv",
        table("", texts_first(PLAIN[:6])),
        {},
        ("label_column=2 text_column=1",),
    ),
    "a split behind label and text": (
        "a.csv",
        table("", [[label, text, "train"] for label, text in PLAIN]),
        {},
        ("label_column=1 text_column=2",),
    ),
    "numbers of rows before label and text": (
        "a.csv",
        table("", numbered(labels_first(PLAIN))),
        {},
        ("label_column=2 text_column=3",),
    ),
    "commas that are not quoted": (
        "a.csv",
        "label,text\n" + "".join(f"{n},{t}{', so' * (i % 5 == 1)}\n" for i, (n, t) in enumerate(PLAIN)),
        {},
        ("line 3", "3 cells instead of 2", "quote"),
    ),
    "a header where there is none": (
        "a.csv",
        table("", labels_first()),
        {"header": "true"},
        ("'complaint'", "'2'"),
    ),
    "another delimiter than the given one": ("a.csv", _HEADED, {"delimiter": ";"}, ("one column", "';'")),
    "UTF-16 without a mark, nothing given": (
        "a.csv",
        _HEADED.encode("utf-16-le"),
        {},
        ("encoding=utf-16-le",),
    ),
    "UTF-16 given where it is UTF-8": (
        "a.csv",
        _HEADED,
        {"encoding": "utf-16"},
        ("is not utf-16", "encoding"),
    ),
    "ASCII given where it is UTF-8": (
        "a.csv",
        _HEADED,
        {"encoding": "ascii"},
        ("is not ascii in line", "encoding"),
    ),
    "a gzip that is cut off": ("a.csv.gz", gzip.compress(_HEADED.encode())[:-9], {}, ("damaged or cut off",)),
    "a ZIP within gzip": ("a.csv.gz", gzip.compress(b"PK\x03\x04" + bytes(30)), {}, ("ZIP",)),
    "labels that are numbers of any kind": (
        "a.csv",
        table("rating,review", [[str(i * 0.37), text] for i, (_, text) in enumerate(PLAIN)]),
        {},
        ("'rating'", "number, all different"),
    ),
    "two JSON arrays": ("a.json", json.dumps([_OBJECT] * 3) * 2, {}, ("behind its JSON array",)),
    "a JSON array that is cut off": ("a.json", json.dumps([_OBJECT] * 3)[:-1], {}, ("not closed",)),
    "CSV named JSON Lines": ("a.jsonl", _HEADED, {}, ("line 1", "not valid JSON", "name it .csv")),
    "a table of Markdown": (
        "a.csv",
        "| label | text |\n|---|:--|\n| a | yes |\n| b | no |\n",
        {},
        ("Markdown",),
    ),
    "spans in a cell": (
        "a.csv",
        table("label,text", [[json.dumps([{"start": 0, "labels": ["a"]}]), text] for _, text in PLAIN]),
        {},
        ("the label is a list",),
    ),
    "texts that are numbers": (
        "a.jsonl",
        objects([{"label": "a", "text": 7}] * 3),
        {},
        ("line 1", "string, not a number"),
    ),
}


def dataset_of(folder: Path, name: str, content: str | bytes, settings: dict[str, str]) -> DbpediaDataset:
    """Return the dataset of one file."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return DbpediaDataset(DataFiles([folder / name], ReaderSettings(**settings)))


@pytest.mark.parametrize("kind", READ)
def test_a_file_of_this_kind_is_read(tmp_path, kind):
    """Each label and text comes back, in order."""
    name, content, settings, pairs = READ[kind]
    dataset = dataset_of(tmp_path, name, content, settings)
    assert [(label, text) for text, label in (dataset[i] for i in range(len(dataset)))] == pairs


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_of_this_kind_is_refused(tmp_path, kind):
    """The message says what was understood and which setting mends it, and quotes no text."""
    name, content, settings, says = REFUSED[kind]
    with pytest.raises(UserError) as refusal:
        dataset_of(tmp_path, name, content, settings)
    message = str(refusal.value)
    assert_clear(refusal.value)
    assert [word for word in says if word not in message] == [], message
    assert not any(text[:30] in message for _, text in (*LETTERS, *PLAIN))
