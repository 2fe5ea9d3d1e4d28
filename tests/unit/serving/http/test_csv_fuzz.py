"""Whatever the csv module writes in any layout: the server answers exactly the texts that were written, or refuses."""

import csv
import io
import random

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm

CLASSES = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon")
FORM = CsvForm.of("", CLASSES, is_part=False)
WORDS = (
    "good",
    "bad",
    "message",
    "text",
    "label",
    "help",
    "Alpha",
    "2026",
    "7",
    "a;b",
    "so,so",
    'a "b"',
    "x\ty",
    "p|q",
    "1,5",
)
HEADERS = {
    "label": ("label", "category", "stars"),
    "text": ("text", "message", "review"),
    "title": ("title",),
    "date": ("date",),
    "index": ("",),
}
LAYOUTS = (
    "text",
    "label text",
    "text label",
    "label title text",
    "label text date",
    "index text",
    "index label text",
)
NAMES = ("message", "message text")  # one of them alone is a header above longer texts
BODIES = 2500  # per seed


def _text(rng: random.Random) -> str:
    """Return one to eight words; no digit is at an end: it may be part of a number beside another cell."""
    text = rng.choice(("", "", "", ", ")) + rng.choice((" ", " ", " ", ", ", "\n")).join(
        rng.choices(WORDS, k=rng.choice((1, 2, 3, 5, 8)))
    )
    return f"so {text} it" if text[0].isdigit() or text[-1].isdigit() else text


def _begins_with_name(texts: list[str]) -> bool:
    """Return whether the first of texts alone is a header by what is documented."""
    is_above = texts[0] in NAMES and all(len(text.split()) > 2 for text in texts[1:])
    return texts[0] == "text" or is_above


def _cell(role: str, at: int, rng: random.Random, are_numbers: bool) -> str:
    if role == "label":
        number = rng.randrange(len(CLASSES))
        return str(number) if are_numbers else CLASSES[number]
    return {"index": str(at), "date": f"2026-01-{at + 1:02}"}.get(role) or _text(rng)


def _body(rng: random.Random) -> tuple[str, list[str], bool]:
    """Return a body, the texts in it, and whether its columns can be told from names or labels."""
    roles = rng.choice(LAYOUTS).split()
    are_numbers, has_header = rng.random() < 0.3, rng.random() < 0.5
    rows = [
        [_cell(role, at, rng, are_numbers) for role in roles] for at in range(rng.choice((1, 2, 3, 4, 12)))
    ]
    header = [[rng.choice(HEADERS[role]) for role in roles]] if has_header else []
    file = io.StringIO()
    end = rng.choice(("\n", "\r\n", "\r", "\r\r\n"))
    quoting = csv.QUOTE_ALL if end == "\r" or rng.random() < 0.3 else csv.QUOTE_MINIMAL
    writer = csv.writer(file, delimiter=rng.choice(",;\t|"), quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows(header + rows)
    texts = [row[roles.index("text")] for row in rows]
    is_told = has_header or "label" in roles or (len(roles) == 1 and not _begins_with_name(texts))
    return file.getvalue(), texts, is_told


@pytest.mark.parametrize("seed", range(4))
def test_the_texts_that_were_written_are_answered_or_the_body_is_refused(seed):
    """Whatever the layout, delimiter, quotes and line ends, with few rows; and enough bodies are answered."""
    rng = random.Random(seed)
    answered, statuses = 0, set()
    for _ in range(BODIES):
        body, texts, is_told = _body(rng)
        try:
            records = codec.decode("text/csv", body.encode(), 1000, FORM).records
        except RequestError as error:
            statuses.add(error.status)
            continue
        answered += 1
        found = [record if isinstance(record, str) else None for record in records]
        if is_told:
            assert found == texts, repr(body)
    assert statuses == {400}
    assert answered > BODIES / 4
