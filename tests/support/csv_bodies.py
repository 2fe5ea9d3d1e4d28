"""CSV bodies read as by the server of a model with three classes."""

import dataclasses
from typing import Any

from bert_classifier.data.text_fields import TextFields
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.http.query import Query

FORM = CsvForm.of("", ("Film", "No", "Company"), is_part=False)
NONE = TextFields()
MEDIA_TYPE = "text/csv"
WIDTH = "[the row has {} instead of 2{}]"
TOO_WIDE = WIDTH.format("3 cells", ": quote a text that has commas")
EMPTY, OPEN = "[the text is empty]", "[a quote opened in this row is never closed]"
REPEATED = "[the row repeats the header: files seem to have been joined]"


def query(body: str | bytes, form: CsvForm = FORM, **changes: Any) -> Query:
    """Return what a body asks for."""
    raw = body.encode() if isinstance(body, str) else body
    return codec.decode(MEDIA_TYPE, raw, 1000, dataclasses.replace(form, **changes))


def read(body: str | bytes, form: CsvForm = FORM, **changes: Any) -> list[str]:
    """Return the records of a body; errors in brackets."""
    records = query(body, form, **changes).records
    return [record if isinstance(record, str) else f"[{record.error}]" for record in records]
