"""Content negotiation: which form a request is in, and which its answer takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.errors import RequestError
from bert_classifier.job.config import ServeConfig
from bert_classifier.serving.http import media_types
from bert_classifier.serving.http.app import create_app


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=UTF-8", "application/json"),
        ('text/csv; header=absent; charset="utf-8"', "text/csv"),
        ("text/plain;charset=us-ascii", "text/plain"),
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
    ("accept", "request_type", "expected"),
    [
        (None, "application/json", "application/json"),
        ("", "application/json", "application/json"),
        ("*/*", "text/csv", "text/csv"),
        ("*/*", "application/x-ndjson", "application/x-ndjson"),
        (None, "text/plain", "application/jsonlines"),
        ("application/*", "text/csv", "application/jsonlines"),
        ("application/*", "application/json", "application/json"),
        ("text/*", "application/json", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.9", "text/csv", "application/json"),
        ("text/csv, application/json", "application/json", "application/json"),
        ("application/json; charset=utf-8", "text/csv", "application/json"),
        ("text/csv, application/json", "text/csv", "application/json"),
        ("application/json, text/csv", "application/jsonlines", "application/json"),
        ("text/csv, application/json;q=0.9", "text/plain", "text/csv"),
        ("text/csv, application/json, */*;q=0.1", "text/csv", "application/json"),
        ("*/*;q=0.1, text/csv", "application/json", "text/csv"),
        ("application/json;q=0, */*", "application/json", "application/jsonlines"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json", "application/json"),
        ("nonsense, text/csv;q=high, application/json;q=0.3", "text/csv", "application/json"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json", "application/json"),
        ("text/html, *; q=.2", "text/csv", "text/csv"),
        ("*", "text/plain", "application/jsonlines"),
        ("text/csv; q=.1, application/json; Q=.9", "text/csv", "application/json"),
        ("application/x-npy", "application/json", "application/x-npy"),
        ("application/x-npy;q=0.1, */*", "application/json", "application/json"),
        ("*/*", "application/x-npy", "application/x-npy"),
        ("application/json", "application/x-npy", "application/json"),
    ],
)
def test_the_answer_takes_the_form_the_client_likes_best(accept, request_type, expected):
    """Qualities decide, specific ranges win over wildcards, and the form that came in breaks a tie."""
    assert media_types.of_answer(accept, request_type).name == expected


@pytest.mark.parametrize(
    ("accept", "parameters"),
    [
        ("text/csv; header=present; top_k=all", {"header": "present", "top_k": "all"}),
        ('text/csv; Output="labels,probability"; charset=utf-8', {"output": "labels,probability"}),
        ("*/*; top_k=3", {"top_k": "3"}),
        ("*/*; top_k=3, text/*; top_k=2, text/csv; top_k=1", {"top_k": "1"}),
        ("application/json; top_k=3, text/csv; q=1", {}),
    ],
)
def test_the_range_that_accepts_the_answer_has_its_parameters(accept, parameters):
    """The most specific one; what another range asks for is none of this answer's business."""
    found = media_types.of_answer(accept, "text/csv") if "json" not in accept else None
    found = found or media_types.of_answer(accept.replace("application/json", "image/png"), "text/csv")
    kept = {name: value for name, value in found.parameters.items() if value and name != "charset"}
    assert (found.name, kept) == ("text/csv", parameters)


@pytest.mark.parametrize(
    "accept", ["text/csv; header=maybe", "application/json; header=present", "*/*; header=present"]
)
def test_a_header_is_for_csv_only(accept):
    """It is refused where it cannot be given."""
    with pytest.raises(RequestError) as caught:
        media_types.of_answer(accept, "application/json")
    assert caught.value.status == 406


@pytest.mark.parametrize("accept", [None, "", "*/*", "*", "*/*;q=0.5"])
def test_a_default_stands_in_for_an_accept_header_that_says_nothing(accept):
    """SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, with its parameters; a client that says what it wants gets that."""
    found = media_types.of_answer(accept, "application/json", "text/csv; header=present")
    assert (found.name, found.has_header) == ("text/csv", True)
    assert media_types.of_answer("application/json", "text/csv", "text/csv").name == "application/json"


@pytest.mark.parametrize(
    ("charset", "text"),
    [("latin-1", "Süd"), ("windows-1252", "Süd €"), ("utf-16", "Süd"), ("UTF-8", "Süd"), ("shift_jis", "南")],
)
def test_a_charset_is_honoured(charset, text):
    """The body is read in it."""
    request_type = media_types.of_content_type(f"text/plain; charset={charset}")
    assert request_type.decoded(text.encode(charset)).decode() == text


def test_a_body_in_another_charset_is_refused():
    """Not one character is guessed."""
    with pytest.raises(RequestError, match="not in the charset utf-16") as caught:
        media_types.of_content_type("text/csv; charset=utf-16").decoded(b"a")
    assert (caught.value.status, caught.value.code) == (400, "bad_encoding")


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "image/*;q=1", "nonsense", "*/*;q=2"]
)
def test_an_accept_header_that_allows_nothing(accept):
    """When no form is allowed the answer is 406, with a sentence that names the forms."""
    with pytest.raises(RequestError) as caught:
        media_types.of_answer(accept, "application/json")
    assert (caught.value.status, caught.value.code) == (406, "not_acceptable")
    assert "text/csv" in str(caught.value)


@given(accept=st.text(max_size=60), request_type=st.sampled_from(media_types.READ))
def test_any_accept_header_is_answered(accept, request_type):
    """Whatever the header holds, the outcome is a form that is written here, or 406."""
    try:
        outcome: object = media_types.of_answer(accept, request_type).name
    except RequestError as error:
        outcome = error.status
    assert outcome in (*media_types.WRITTEN, 406)


@pytest.mark.parametrize("coding", ["", "identity", "Identity, identity"])
def test_a_coding_that_changes_nothing_is_no_compression(make_service, predictor, coding):
    """Proxies and some clients name identity, or nothing at all."""
    client = create_app(make_service(predictor), ServeConfig()).test_client()

    def ask(value):
        response = client.post("/invocations", json=["a"], headers={"Content-Encoding": value}, buffered=True)
        return response.status_code

    assert (ask(coding), ask("gzip"), ask("identity, gzip")) == (200, 415, 415)
