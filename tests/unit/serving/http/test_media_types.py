"""Which form a request is in, by its Content-Type."""

import encodings

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http import media_types
from bert_classifier.serving.http.app import create_app


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=UTF-8", "application/json"),
        ('text/csv; header=absent; charset="utf-8"', "text/csv"),
        ("text/plain;charset=us-ascii", "text/plain"),
        ("text/csv; charset=utf-8-sig", "text/csv"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/jsonl", "application/jsonl"),
    ],
)
def test_content_types_that_are_read(header, expected):
    """The type counts, not its letters' case nor parameters other than a charset."""
    assert media_types.of_content_type(header).name == expected


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "unsupported_media_type"),
        ("", "unsupported_media_type"),
        (";", "unsupported_media_type"),
        ("application/octet-stream", "unsupported_media_type"),
        ("multipart/form-data; boundary=x", "unsupported_media_type"),
        ("application/json; charset=latin-9000", "unsupported_charset"),
        ("text/csv; charset=punycode", "unsupported_charset"),
        ("text/csv; charset=rot13", "unsupported_charset"),
        ("text/csv; header=maybe", "unsupported_media_type"),
    ],
)
def test_content_types_that_are_not_read(header, code):
    """Everything else is 415, with a sentence that names what is read."""
    with pytest.raises(RequestError) as caught:
        media_types.of_content_type(header)
    assert (caught.value.status, caught.value.code) == (415, code)
    assert any(word in str(caught.value) for word in ("application/json", "UTF-8", "header=absent"))
    if code == "unsupported_media_type" and (header or ";") != ";" and "header=" not in (header or ""):
        assert f"'{header.split(';')[0]}'" in str(caught.value), "the type that was refused is named"


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("latin-1", "Süd"),
        ("ISO_8859-15", "Süd €"),
        ("windows-1252", "Süd €"),
        ("macintosh", "Süd"),
        ("utf-16", "Süd"),
        ("utf-16le", "Süd"),
        ("UTF8", "Süd"),
        ("shift_jis", "南"),
        ("EUC-JP", "南"),
    ],
)
def test_a_charset_is_honoured(charset, text):
    """The body is read in it."""
    request_type = media_types.of_content_type(f"text/plain; charset={charset}")
    assert request_type.decoded(text.encode(charset)).decode() == text


def test_unknown_charsets_are_not_remembered():
    """Python keeps each name that it is asked for, and clients may send any number."""
    before = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(50):
        with pytest.raises(RequestError):
            media_types.of_content_type(f"text/csv; charset=cp{number}a")
    assert len(encodings._cache) == before  # type: ignore[attr-defined]


def test_a_body_in_another_charset_is_refused():
    """Not one character is guessed."""
    with pytest.raises(RequestError, match="not in the charset utf-16") as caught:
        media_types.of_content_type("text/csv; charset=utf-16").decoded(b"a")
    assert (caught.value.status, caught.value.code) == (400, "bad_encoding")


@pytest.mark.parametrize("coding", ["", "identity", "Identity, identity"])
def test_a_coding_that_changes_nothing_is_no_compression(make_service, predictor, coding):
    """Proxies and some clients name identity, or nothing at all."""
    client = create_app(make_service(predictor), ServeConfig()).test_client()

    def ask(value):
        response = client.post("/invocations", json=["a"], headers={"Content-Encoding": value}, buffered=True)
        return response.status_code

    assert (ask(coding), ask("gzip"), ask("identity, gzip")) == (200, 415, 415)
