"""The error families, their exit codes, and the text that ends up in /opt/ml/output/failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.errors import (
    FAILURE_LIMIT,
    ContainerError,
    PlatformError,
    RequestError,
    UserError,
    exit_code_of,
    failure_text,
)

REMEDY = "Correct the hyperparameters of the job."


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("Bad data.", "Correct it."), 2),
        (RequestError(400, "bad_json", "It is not JSON."), 2),
        (PlatformError("The disk is full.", "Use a larger one."), 3),
        (ContainerError("Something.", "Do something."), 1),
        (ZeroDivisionError("division by zero"), 1),
        (KeyboardInterrupt(), 1),
    ],
)
def test_exit_code_by_family(error, code):
    """Each family has the exit code that the documentation promises; any other exception has 1."""
    assert exit_code_of(error) == code


def test_message_is_cause_then_remedy():
    """The exception's own text is the cause followed by the remedy, and both can be asked for."""
    error = UserError("The disk is full.", "Use a larger one.")
    assert str(error) == "The disk is full. Use a larger one."
    assert (error.cause, error.remedy) == ("The disk is full.", "Use a larger one.")


def test_message_without_remedy_ends_with_the_cause():
    """An error without a remedy leaves no trailing blank."""
    assert str(UserError("The disk is full.")) == "The disk is full."
    assert failure_text(UserError("The disk is full.")) == "UserError: The disk is full."


def test_request_error_carries_status_and_code():
    """A request's error knows the HTTP status and the stable code, and is still a UserError."""
    error = RequestError(413, "too_large", "The body is too large.", "Send fewer texts.")
    assert (error.status, error.code) == (413, "too_large")
    assert isinstance(error, UserError)


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (UserError("Cause.", "Remedy."), "UserError: Cause. Remedy."),
        (RequestError(400, "x", "Cause.", "Remedy."), "UserError: Cause. Remedy."),
        (PlatformError("Cause.", "Remedy."), "PlatformError: Cause. Remedy."),
        (KeyError("gone"), "InternalError: KeyError: 'gone'"),
        (RuntimeError(), "InternalError: RuntimeError This is a bug"),
    ],
)
def test_failure_text_starts_with_family_and_cause(error, start):
    """The text names the family first, so that a reader knows whose turn it is."""
    assert failure_text(error).startswith(start)


def test_failure_text_of_a_bug_asks_for_a_report():
    """A bug's text says that it is one and what to send."""
    assert "report it with the log" in failure_text(AssertionError("x != y"))


@pytest.mark.parametrize("length", [FAILURE_LIMIT - 60, FAILURE_LIMIT, FAILURE_LIMIT + 1, 100_000])
def test_long_cause_is_cut_and_the_remedy_kept(length):
    """However long the cause, the text fits, keeps the cause's beginning and the whole remedy."""
    text = failure_text(UserError("x" * length, REMEDY))
    assert len(text) <= FAILURE_LIMIT
    assert text.startswith("UserError: xxx")
    assert text.endswith(f" {REMEDY}")


def test_remedy_longer_than_the_limit_is_cut():
    """Even a book-length remedy makes no longer text than SageMaker keeps."""
    text = failure_text(PlatformError("x" * 5000, "y" * 5000))
    assert len(text) == FAILURE_LIMIT
    assert "yyy" in text


def test_cause_that_just_fits_is_not_cut():
    """A text of exactly the limit is passed on whole; one character more is cut and says so."""
    cause = "x" * (FAILURE_LIMIT - len(f"UserError:  {REMEDY}"))
    assert failure_text(UserError(cause, REMEDY)) == f"UserError: {cause} {REMEDY}"
    assert failure_text(UserError(cause + "x", REMEDY)).endswith(f"x … {REMEDY}")


def test_long_text_of_a_bug_is_cut_too():
    """A foreign exception with a book-length message fits as well and still asks for a report."""
    text = failure_text(RuntimeError("y" * 5000))
    assert len(text) <= FAILURE_LIMIT
    assert text.endswith("report it with the log of this job.")


@given(st.text(max_size=3000), st.text(max_size=3000), st.sampled_from([UserError, PlatformError]))
def test_failure_text_always_fits(cause, remedy, family):
    """No cause and no remedy makes a text longer than SageMaker keeps, nor loses the family."""
    text = failure_text(family(cause, remedy))
    assert len(text) <= FAILURE_LIMIT
    assert text.startswith(family.__name__) or len(remedy) > FAILURE_LIMIT // 2
