"""NumPy arrays as bodies: strings in any of its types, and hostile headers that cost nothing."""

import contextlib
import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import NPY
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.body_records import RecordError


def _saved(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def _with_header(header: str, data: bytes = b"") -> bytes:
    raw = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + data


@pytest.mark.parametrize(
    "array",
    [
        np.array(["Süd", "", "a, b"]),
        np.array([["Süd"], [""], ["a, b"]]),
        np.array(["Süd".encode(), b"", b"a, b"]),
        np.asfortranarray(np.array([["Süd"], [""], ["a, b"]])),
        np.array(["Süd", "", "a, b"]).astype(">U9"),
    ],
)
def test_arrays_of_strings(array):
    """One dimension or one column, of characters or of UTF-8; a text that is empty is an error in its place."""
    first, second, third = codec.decode(NPY, _saved(array), 3).records
    assert (first, third) == ("Süd", "a, b")
    assert isinstance(second, RecordError)


def test_one_text_and_none():
    """A lone string counts as one, and an empty array has no records."""
    assert codec.decode(NPY, _saved(np.array("apple")), 1).records == ["apple"]
    assert codec.decode(NPY, _saved(np.array([], dtype="<U3")), 1).records == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"apple",
        _saved(np.array(["a", None], dtype=object), allow_pickle=True),
        _saved(np.arange(3)),
        _saved(np.array(["a", "b"]))[:-1],
        _saved(np.array(["a", "b"])) + b"x",
        _with_header("{'descr': '<U9', 'fortran_order': False, 'shape': (99999999999999,), }"),
        _with_header("{'descr': '<U0', 'fortran_order': False, 'shape': (3,), }"),
        _with_header("{'descr': '<U1', 'fortran_order': False, 'shape': (-1,), }"),
        _with_header("{'descr': [('a', '<U1')], 'fortran_order': False, 'shape': (1,), }", b"a\0\0\0"),
        _with_header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\xff\xff\xff\xff"),
        _with_header("(" * 5000),
        _with_header("__import__('os').abort()"),
        b"\x93NUMPY\x03\x00\xff\xff\xff\x7f{",
    ],
)
def test_anything_else_is_refused(body):
    """Objects are not unpickled, numbers are no texts, and a header that lies takes no memory."""
    with pytest.raises(RequestError) as caught:
        codec.decode(NPY, body, 10**9)
    assert (caught.value.status, caught.value.code) in ((400, "bad_npy"), (413, "too_many_records"))


@pytest.mark.parametrize("texts", [[["a", "b"]], [["a", "b"], ["c", "d"]], [["a", "b", "c"]]])
def test_a_row_of_several_texts_is_no_record(texts):
    """As in JSON: two answers to what may be one pair would be a surprise."""
    with pytest.raises(RequestError, match=r"^A record is a row of several texts") as caught:
        codec.decode(NPY, _saved(np.array(texts)), 10)
    assert caught.value.code == "second_text"


def test_too_many_texts():
    """Known before they are read."""
    with pytest.raises(RequestError) as caught:
        codec.decode(NPY, _saved(np.array(["a", "b"])), 1)
    assert caught.value.status == 413


@given(
    body=st.binary(max_size=60)
    | st.builds(lambda tail: _saved(np.array(["ab", "c"]))[:100] + tail, st.binary())
)
def test_any_body_is_read_or_refused(body):
    """No array is a bug of ours."""
    with contextlib.suppress(RequestError):
        assert len(codec.decode(NPY, body, 10).records) <= 10
