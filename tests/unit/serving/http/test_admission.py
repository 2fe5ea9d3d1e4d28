"""The budgets: taken before the work, refused at once, given back exactly once."""

import pytest

from bert_classifier.errors import RequestError
from bert_classifier.serving.http.admission import Admission, Budget


def _refused(action, *arguments):
    with pytest.raises(RequestError) as caught:
        action(*arguments)
    return caught.value.status, caught.value.code


def test_requests_are_limited():
    """A request beyond the limit is refused until another has ended; ending twice frees one place only."""
    requests, memory = Budget(2), Budget(0)
    first, _second = Admission(requests, memory).enter(), Admission(requests, memory).enter()
    assert _refused(Admission(requests, memory).enter) == (429, "overloaded")
    first.release()
    first.release()
    third = Admission(requests, memory).enter()
    assert _refused(Admission(requests, memory).enter) == (429, "overloaded")
    third.release()


def test_bodies_share_the_memory():
    """A body that does not fit beside the others is refused, and what was taken piece by piece comes back."""
    requests, memory = Budget(3), Budget(100)
    first, second = Admission(requests, memory).enter(), Admission(requests, memory).enter()
    first.take_bytes(40)
    first.take_bytes(40)
    assert _refused(second.take_bytes, 21) == (429, "overloaded")
    second.take_bytes(20)
    first.release()
    second.take_bytes(80)
    second.release_bytes()
    second.release()
    assert memory.try_take(100)


def test_a_request_that_was_refused_gives_nothing_back():
    """release() after a refusal does not free a place that somebody else has."""
    requests = Budget(1)
    holder = Admission(requests, Budget(0)).enter()
    other = Admission(requests, Budget(0))
    assert _refused(other.enter) == (429, "overloaded")
    other.release()
    assert _refused(Admission(requests, Budget(0)).enter) == (429, "overloaded")
    holder.release()
