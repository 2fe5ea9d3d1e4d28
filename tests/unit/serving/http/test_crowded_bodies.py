"""Bodies of very many small parts, which parsed would take a hundred times their memory and block all threads."""

import json

import pytest

from bert_classifier.data import columns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.errors import RequestError
from bert_classifier.serving.http import codec, pair_records

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"


def _records(media_type: str, body: str) -> list[str | None]:
    """Return the records of a body, None for each that is wrong."""
    records = codec.decode(media_type, body.encode(), 100).records
    return [record if isinstance(record, str) else None for record in records]


@pytest.mark.parametrize("part", ["{}", "1", '"a"', "[[]]", '{"a":1,"b":2,"c":3}'])
def test_a_body_of_very_many_parts_is_not_even_parsed(part):
    """Far more values than records are allowed are 413, before memory and time go into them."""
    with pytest.raises(RequestError) as caught:
        codec.decode(JSON, f"[{','.join([part] * 200)}]".encode(), 2)
    assert (caught.value.status, caught.value.code) == (413, "too_many_records")


def test_a_line_of_very_many_parts_is_not_even_parsed():
    """A line alone is an error, and costs no more than looking at it; its neighbours are read."""
    line = json.dumps({"text": "a", "x": [[]] * 20_000})
    assert _records(LINES, f'"a"\n{line}\n"b"') == ["a", None, "b"]
    assert _records(LINES, json.dumps({"text": "a", "x": "[" * 20_000, "y": [1] * 5000})) == ["a"]


def test_a_row_of_very_many_cells_is_not_cut():
    """It is one text, or an error where it has quotes: as many cells would take a hundred times its memory."""
    for cell in ("ab,", "ab;", "a;b|c\td,"):
        assert _records(CSV, f"first\n{cell * 200_000}\nlast") == ["first", cell * 200_000, "last"]
    assert _records(CSV, f"""first\n{'"ab",' * 200_000}\nlast""") == ["first", None, "last"]


def test_each_field_of_a_huge_object_is_looked_at_once(monkeypatch):
    """An object of very many fields costs little more than to parse it."""
    seen: list[str] = []
    own = TextFields("claim", is_paired=True, text_pair="Abstract text")
    monkeypatch.setattr(pair_records, "bare", lambda name: seen.append(name) or columns.bare(name))
    others = {f"field {number}": 1 for number in range(1000)}
    assert pair_records.of_pair_value({**others, "CLAIM": "a", "abstract_text": "b"}, own) == TextPair(
        "a", "b"
    )
    assert len(seen) < 1010
