"""Bodies of text pairs as a server of pairs decodes them, for tests."""

import json

from bert_classifier.data.text_fields import TextFields
from bert_classifier.data.text_pair import TextPair
from bert_classifier.job.answer_form import JSON_LINES
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.csv_form import CsvForm

LINES = JSON_LINES[0]
PAIRED = TextFields(is_paired=True)
OWN = TextFields("claim", label="verdict", is_paired=True, text_pair="Abstract text")
CLASSES = ("entailment", "contradiction")
AB, CD = TextPair("a", "b"), TextPair("c", "d")


def decoded(media_type, body, fields=PAIRED, **form):
    """Return the query of a body for a model of pairs."""
    csv_form = CsvForm.of(form.pop("header", ""), CLASSES, **{"is_part": False, **form}, fields=fields)
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    return codec.decode(media_type, json.dumps(body).encode() if raw is None else raw, 100, csv_form)


def pairs_of(records):
    """Return the records, None for each that is wrong."""
    assert all(isinstance(record, TextPair | RecordError) for record in records)
    return [record if isinstance(record, TextPair) else None for record in records]
