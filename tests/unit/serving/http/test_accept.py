"""Content negotiation: which form an answer takes, and what an Accept header asks it to hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.errors import RequestError, UserError
from bert_classifier.job import answer_form
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.accept import AnswerType, check_default_accept, of_accept
from bert_classifier.serving.http.parameters import Wanted

BOTH = Wanted(fields=("predicted_label", "probabilities"))


def of(
    accept: str | None, request_type: str = "application/json", default: str = "", **settings: bool
) -> AnswerType:
    """Return what is answered."""
    config = ServeConfig(sagemaker_default_invocations_accept=default, **settings)  # type: ignore[arg-type]
    return of_accept(accept, request_type, config)


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
    assert of(accept, request_type).name == expected


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("text/csv; header=present; top_k=all", AnswerType("text/csv", Wanted("all"), has_header=True)),
        ('text/csv; Output="predicted_label, probabilities"; charset=utf-8', AnswerType("text/csv", BOTH)),
        ("text/csv; return_all_scores=True", AnswerType("text/csv", Wanted(in_model_order=True))),
        ("text/csv; top_k=null; profile=x; odata=y", AnswerType("text/csv", Wanted("all"))),
        ("*/*; top_k=3", AnswerType("text/csv", Wanted(3))),
        ("*/*; top_k=3, text/*; top_k=2, text/csv; top_k=1", AnswerType("text/csv", Wanted(1))),
        ("image/png; top_k=3, text/csv; q=1", AnswerType("text/csv")),
        ("text/csv; header=absent", AnswerType("text/csv")),
        ("application/x-npy; top_k=all", AnswerType("application/x-npy", Wanted("all"))),
    ],
)
def test_the_range_that_accepts_the_answer_has_its_parameters(accept, found):
    """The most specific one; what other ranges ask for, or other servers know, is ignored."""
    assert of(accept, "text/csv") == found


@pytest.mark.parametrize(
    ("accept", "words"),
    [
        ("text/csv; top_k=0", "top_k"),
        ("text/csv; top_k=many", "top_k"),
        ("text/csv; top_k=", "the parameter top_k has no value. Give it one, or leave it out."),
        ("text/csv; top_k=3; threshold=", "the parameter threshold has no value"),
        ('text/csv; output=""', "the parameter output has no value"),
        ("text/csv; threshold=2", "from 0 to 1. Accept, for example, application/json; threshold=0.5"),
        ("text/csv; topk=3", "Did you mean top_k"),
        ("text/csv; output=label", "output"),
        ('text/csv; output="labels,labels"', "output"),
        ("text/csv; output=labels; top_k=2", "output"),
        ("text/csv; output=predicted_label,probabilities", "without quotes"),
        ("text/csv; output=predicted_label, application/json; q=0.1", ""),
        ("text/csv; return_all_scores=yes", "return_all_scores"),
        ("application/x-npy; top_k=2", "an array holds all"),
        ("application/x-npy; output=labels", "an array holds all"),
    ],
)
def test_what_cannot_be_honoured_is_refused(accept, words):
    """A wrong value, a name that is nearly one, a choice where there is none."""
    if not words:
        assert of(accept).wanted == Wanted(fields=("predicted_label",))
        return
    with pytest.raises(RequestError, match="In the Accept header, ") as caught:
        of(accept)
    assert (caught.value.status, caught.value.code) == (406, "not_acceptable")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "accept", ["text/csv; header=maybe", "application/json; header=present", "*/*; header=present"]
)
def test_a_header_is_for_csv_only(accept):
    """It is refused where it cannot be given."""
    with pytest.raises(RequestError) as caught:
        of(accept, "application/json")
    assert caught.value.status == 406


@pytest.mark.parametrize("accept", [None, "", "*/*", "*", "*/*;q=0.5"])
def test_a_default_stands_in_for_an_accept_header_that_says_nothing(accept):
    """SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, with its parameters; a client that says what it wants gets that."""
    found = of(accept, "application/json", "text/csv; header=present")
    assert (found.name, found.has_header) == ("text/csv", True)
    assert of("application/json", "text/csv", "text/csv").name == "application/json"


def test_what_a_request_asks_of_any_type_goes_before_the_default():
    """The type is the default's; a weight of 0 accepts nothing."""
    found = of("*/*;top_k=1", "application/json", "application/jsonlines; top_k=all")
    assert found == AnswerType("application/jsonlines", Wanted(1))
    with pytest.raises(RequestError):
        of("*/*;q=0", "application/json", "text/csv")


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "image/*;q=1", "nonsense", "*/*;q=2"]
)
def test_an_accept_header_that_allows_nothing(accept):
    """When no form is allowed the answer is 406, with a sentence that names the forms."""
    with pytest.raises(RequestError) as caught:
        of(accept, "application/json")
    assert (caught.value.status, caught.value.code) == (406, "not_acceptable")
    assert "text/csv" in str(caught.value)


@given(accept=st.text(max_size=60), request_type=st.sampled_from(answer_form.READ))
def test_any_accept_header_is_answered(accept, request_type):
    """Whatever the header holds, the outcome is a form that is written here, or 406."""
    try:
        outcome: object = of(accept, request_type).name
    except RequestError as error:
        outcome = error.status
    assert outcome in (*answer_form.WRITTEN, 406)


def test_a_header_has_no_place_in_batch_transform():
    """Every mini-batch would have one."""
    with pytest.raises(RequestError, match="every mini-batch"):
        of("text/csv; header=present", sagemaker_batch=True)
    assert of("text/csv; header=present").has_header


@pytest.mark.parametrize(
    "default", ["text/xml", "text/csv; top_k=0", "application/json; header=present", "text/csv; tok_k=3"]
)
def test_a_default_that_cannot_be_answered_stops_the_start(default):
    """Under the variable's name, as no request would be answered."""
    with pytest.raises(UserError, match="SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT=") as caught:
        check_default_accept(ServeConfig(sagemaker_default_invocations_accept=default))
    assert not isinstance(caught.value, RequestError)
    check_default_accept(ServeConfig(sagemaker_default_invocations_accept="text/csv; header=present"))
    check_default_accept(ServeConfig())
