"""Hostile bodies for the server, by media type: well-formed ones with odd values, and bombs."""

import base64
import gzip
import io
import json
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

CANARY = "kanarienvogel"  # in every part that a log could quote
_WORDS = (
    CANARY, "apple", "", " ", "\0", "\ufeff", "\u202e", "\u0301" * 50, "\u200b", "\U0001f600", '"', "'", ",",
    ";", "\t",
    "|", "\\", "\ud800", "NaN", "null", "é", "=1+1", "label", "text", "Alpha", "1", "a\nb", "a\r\nb",
    "\u2028",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, 2.5, 1e308, -0.0, 10**30, "", "1", "all", "ALL", "true", "none", CANARY,
    [], [1], {},
    {"a": {}}, "predicted_label,probabilities", "predicted_label;probability", ",", ["labels", "probability"],
    "probability," * 500, "softmax", "sigmoid", "longest_first", "do_not_truncate", float("nan"),
    float("inf"), "\ud800",
)  # fmt: skip
_PARAMETERS = (
    "top_k", "return_all_scores", "output", "function_to_apply", "truncation", "padding", "batch_size",
    "max_length", "threshold",
    CANARY, "", "parameters", "TOP_K",
)  # fmt: skip
_TEXT_NAMES = (
    "text", "inputs", "abstract", "review", "sentence", "title", "features", "instances", "data", "source",
    "content", "",
    "text_pair", "text_pair", "context", "premise", "hypothesis", "label", "parameters", "options", CANARY,
)  # fmt: skip
_RAW_JSON = (
    '{"inputs": [', "[" * 3000, "[" * 100_000 + "]" * 100_000, '{"inputs": NaN}', "{" * 50,
    '{"a":' * 3000 + "1" + "}" * 3000,
    '"\\ud800"', '{"inputs": 1e999}', "\ufeff[]", "", "'a'", "1" * 5000, "-" + "9" * 5000, '{"a":1,"a":2}',
    "null", "[[[]]]",
    '{"inputs":"a","inputs":"b"}', "true", "1e400", '"' + "\\u0000" * 1000 + '"', "[" + "," * 1000 + "]",
    "[null,null]",
    "[" + '"",' * 20_000 + '""]', '{"inputs": {"inputs": {"inputs": "a"}}}', '{"features": [["a"]]}', "\x00",
    "{}", "[{}]",
)  # fmt: skip


_DTYPES = (
    "<U5", "<U0", "|S5", "|S0", "|O", "<f8", ">U5", "=U5", "<U99999999999", "|V8", "<M8[s]", "|b1", "U",
    CANARY,
    [("a", "<U5")], [("a", "O")], ("<U5", (3,)),
)  # fmt: skip
_SHAPES = (
    "(2,)", "(1,)", "()", "(0,)", "(2, 1)", "(1, 2)", "(99999999999999,)", "(-1,)",
    "(9999999999, 9999999999)", "(True,)",
    "(1.5,)", "[2]", "2", "('a',)", "(0, 99999999999999)", "(" * 300 + ")" * 300, "(" + "1," * 100 + ")",
    "(2**99,)",
    "(__import__('os'),)", "None", "(" + "9" * 5000 + ",)",
)  # fmt: skip
_NPY_HEADERS = (
    "", "{", "{}", "[]", "\0" * 64, "9" * 5000, "{'descr': '<U5'}", "-" * 9000 + "1", f"'{CANARY}'",
    "(" * 9000, "a.b",
    "{'descr': '<U5', 'fortran_order': False, 'shape': (1,), 'more': 1}", "[" * 4000 + "]" * 4000,
)  # fmt: skip


def json_body(random_: random.Random) -> str:
    """Return JSON or nearly so: a request in one of the forms that have a meaning, with values of every type."""
    if random_.random() < 0.25:
        return random_.choice(_RAW_JSON)
    value: Any = _inputs(random_)
    if random_.random() < 0.7:
        value = {random_.choice(("inputs", "instances", "inputs", "text", "features")): value}
        if random_.random() < 0.6:
            value["parameters"] = parameters(random_)
        if random_.random() < 0.2:
            value["options"] = random_.choice(_VALUES)
        if random_.random() < 0.1:
            value[random_.choice(_TEXT_NAMES)] = random_.choice(_VALUES)
    return _dumps(value, random_)


def json_lines(random_: random.Random) -> str:
    """Return lines of JSON, with blank ones, broken ones and parameters of every type among them."""
    lines = []
    for _ in range(random_.randrange(7)):
        kind = random_.random()
        record = _record(random_)
        if isinstance(record, dict) and kind < 0.5:
            record = {**record, "parameters": parameters(random_)}
        lines.append(random_.choice(_RAW_JSON[:12]) if kind > 0.9 else _dumps(record, random_))
    return random_.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\u2028")).join(lines) + random_.choice(
        ("", "\n")
    )


def csv(random_: random.Random) -> str:
    """Return rows with any delimiter and quoting, of few columns or of ten thousand, with and without a header."""
    delimiter = random_.choice((",", ",", ",", ";", "\t", "|", "~", ""))
    width = random_.choice((1, 1, 2, 3, 3, 10, 10_000))
    rows = [
        [_cell(random_, delimiter) for _ in range(width + (random_.random() < 0.1))]
        for _ in range(random_.randrange(6) if width < 100 else 3)
    ]
    if random_.random() < 0.5:
        names = random_.choices((*_TEXT_NAMES, "class_index", "id"), k=width)
        rows.insert(0, names)
    end = random_.choice(("\n", "\n", "\r\n", "\r", "\n\n"))
    text = end.join(delimiter.join(row) for row in rows) + random_.choice(("", end, '"', '"\n', delimiter))
    return "\ufeff" * (random_.random() < 0.1) + text


def npy(random_: random.Random) -> bytes:
    """Return an array in numpy's format: an honest one, one with a byte changed, or one by hand."""
    kind = random_.random()
    if kind > 0.7:
        return _npy_by_hand(random_)
    words = np.array(random_.choices(_WORDS, k=random_.randrange(1, 6)))
    array = random_.choice(
        [
            words,
            words,
            words.reshape(-1, 1),
            words.reshape(1, -1),
            np.array([words, words]).T,
            np.stack([words, words], axis=1),
            words.astype(words.dtype.newbyteorder()),
            np.char.encode(words, "utf-8", "surrogatepass"),
            words.astype(object),
            words[:0],
            words[0],
            np.zeros((2, 3), order="F"),
        ]
    )
    file = io.BytesIO()
    np.save(file, array)
    made = bytearray(file.getvalue())
    if kind > 0.5:
        made[random_.randrange(len(made))] = random_.randrange(256)
    return bytes(made)


def _npy_by_hand(random_: random.Random) -> bytes:
    """Return a header that is honest or not, such as a giant shape, and data that do or do not belong to it."""
    header = random_.choice(_NPY_HEADERS)
    if random_.random() < 0.7:
        descr, shape = repr(random_.choice(_DTYPES)), random_.choice(_SHAPES)
        order = random_.choice(("False", "False", "True", "1", "None", CANARY))
        header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    encoded = (header + "\n").encode("latin-1", "replace")
    version = random_.choice((1, 1, 1, 2, 3, 9, 0, 255))
    size = len(encoded) + random_.choice((0, 0, 0, 0, -5, 1000, 60_000))
    length = struct.pack("<H", size % 65536)
    if version != 1:
        length = struct.pack("<I", random_.choice((size % 2**32, 2**32 - 1)))
    data = random_.choice((CANARY, "apple", "bread")).encode("utf-32-le") * random_.randrange(4)
    data += random_.choice((b"", b"", b"\x80\x04\x95.", random_.randbytes(40), b"\xff\xff\x11\x00" * 10))
    start = random_.choice((b"\x93NUMPY", b"\x93NUMPY", b"\x93NUMPY", b"PK\x03\x04", b"NUMPY", b""))
    return start + bytes([version, random_.choice((0, 0, 1))]) + length + encoded + data


def foreign(random_: random.Random) -> bytes:
    """Return what is of another kind: compressed, of another encoding, of a table, or of no form at all."""
    text = f"{CANARY} apple\nriver"
    kind = random_.randrange(6)
    if kind == 0:
        return gzip.compress(json.dumps([text] * random_.choice((1, 20_000))).encode())
    if kind == 1:
        return text.encode(
            random_.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "utf-7", "cp500"))
        )
    if kind == 2:
        return (
            random_.choice(
                (b"PAR1", b"ARROW1\0\0", b"%PDF-1.7", b"\x80\x04\x95", b"<?xml version='1.0'?><!DOCTYPE a [")
            )
            * 9
        )
    if kind == 3:
        return base64.b64encode(random_.randbytes(60))
    if kind == 4:
        return CANARY.encode() + random_.randbytes(random_.randrange(200))
    return b"\n" * random_.choice((0, 1, 50, 20_000))


def plain(random_: random.Random) -> str:
    """Return lines of words."""
    separator = random_.choice(("\n", "\r\n", ",", "\u2028", "\n\n", "\x0b", "\x85"))
    return separator.join(random_.choices(_WORDS, k=random_.randrange(12)))


def parameters(random_: random.Random) -> Any:
    """Return parameters of a request: names that have a meaning and others, with values of every type."""
    if random_.random() < 0.1:
        return random_.choice(_VALUES)
    return {random_.choice(_PARAMETERS): random_.choice(_VALUES) for _ in range(random_.randrange(4))}


BODIES: dict[str, Callable[[random.Random], str | bytes]] = {
    "application/json": json_body,
    "application/jsonlines": json_lines,
    "text/csv": csv,
    "application/x-npy": npy,
    "text/plain": plain,
    "application/octet-stream": foreign,
}


def _inputs(random_: random.Random) -> Any:
    kind = random_.random()
    if kind < 0.3:
        return random_.choice(_WORDS)
    if kind < 0.4:
        return _record(random_)
    if kind < 0.45:
        return [["a", "b"], [random_.choice(_VALUES)]]
    if kind < 0.5:
        return [
            random_.choices(_WORDS, k=2),
            random_.choices((*_WORDS, *_VALUES), k=random_.choice((2, 2, 3))),
        ]
    return [_record(random_) for _ in range(random_.randrange(10))]


def _record(random_: random.Random) -> Any:
    kind = random_.random()
    if kind < 0.4:
        return random_.choice(_WORDS)
    if kind < 0.5:
        return random_.choice(_VALUES)
    names = random_.choices(_TEXT_NAMES, k=random_.choice((1, 1, 2, 4)))
    return {name: random_.choice(_WORDS if random_.random() < 0.7 else _VALUES) for name in names}


def _cell(random_: random.Random, delimiter: str) -> str:
    word = random_.choice(_WORDS)
    if random_.random() < 0.6:
        return '"' + word.replace('"', '""') + '"'
    return word.replace(delimiter, "") if delimiter and random_.random() < 0.8 else word


def _dumps(value: Any, random_: random.Random) -> str:
    return json.dumps(value, ensure_ascii=random_.random() < 0.5)
