"""NumPy's own format (.npy): texts in, probabilities out. numpy is imported only when a request needs it."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bert_classifier.errors import RequestError
from bert_classifier.serving.http.body_records import second_text_error, too_many_records

if TYPE_CHECKING:
    from bert_classifier.serving.model.predictor import Prediction  # it loads torch

_SEND_STRINGS = 'Send numpy.array(["first text", "second text"]), one dimension of strings.'


def texts_of(body: bytes, max_records: int, *, is_paired: bool = False) -> list[str | bytes]:
    """Return the strings of an array of one dimension, or of one column; of pairs row by row, of two columns.

    Nothing is unpickled, and no memory is taken for more than the body holds.

    Raises:
        RequestError: 400 for any other array, such as one with several texts in a row where the model reads one; 413
            for more than `max_records`.
    """
    import numpy as np

    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, is_by_column, dtype = read(file)
    except Exception as error:
        raise _error("The body is not a file of numpy.save.", _SEND_STRINGS) from error
    if dtype.hasobject:
        raise _error(
            "The array holds Python objects, which are not unpickled.",
            'Send numpy.array(texts, dtype="U") without None and NaN, which would become texts.',
        )
    records = _pairs_in(shape) if is_paired else _length_of(shape)
    if dtype.kind in "US" and not is_paired and len(shape) == 2 and shape[1] > 1:
        raise second_text_error("A record is a row of several texts.")
    if dtype.kind not in "US" or not dtype.itemsize or records is None:
        raise _wrong_array(f"{dtype.kind}, {len(shape)}-d", is_paired=is_paired)
    if records > max_records:
        raise too_many_records(f"The request holds more than {max_records} records.")
    length = 2 * records if is_paired else records
    data = body[file.tell() :]
    if len(data) != length * dtype.itemsize:
        raise _error("The array's shape is not that of its data.", "Send it whole.")
    texts = _texts(data, dtype)
    if is_paired and is_by_column:  # as pandas' tables are
        return [text for pair in zip(texts[:records], texts[records:], strict=True) for text in pair]
    return texts


def _texts(data: bytes, dtype: Any) -> list[str | bytes]:
    """Return the texts without the zeros that fill them up; not by numpy, which fails on what is not Unicode."""
    size = dtype.itemsize
    if dtype.kind == "S":
        return [data[start : start + size].rstrip(b"\0") for start in range(0, len(data), size)]
    try:
        text = data.decode("utf-32-be" if dtype.str.startswith(">") else "utf-32-le", "surrogatepass")
    except UnicodeError as error:
        raise _error("The array holds characters that are not Unicode.", _SEND_STRINGS) from error
    size //= 4
    return [text[start : start + size].rstrip("\0") for start in range(0, len(text), size)]


def _length_of(shape: Sequence[int]) -> int | None:
    """Return the number of texts of an array; None for a table."""
    return math.prod(shape) if sum(size != 1 for size in shape) <= 1 else None


def _pairs_in(shape: Sequence[int]) -> int | None:
    """Return the number of pairs of an array; None if it does not have two columns."""
    return shape[0] if len(shape) == 2 and shape[1] == 2 else None


def _wrong_array(found: str, *, is_paired: bool) -> RequestError:
    if is_paired:
        return _error(
            f"The array holds no pairs of texts in two columns ({found}).",
            'Send numpy.array([["first text", "second text"]]), two columns of strings.',
        )
    return _error(f"The array holds no texts in one dimension ({found}).", _SEND_STRINGS)


def probabilities_of(answers: "Sequence[Prediction | Any]", classes: int) -> bytes:
    """Return the file of a float64 array (records, classes): NaN where a record has no prediction."""
    import numpy as np

    missing = [math.nan] * classes
    rows = [getattr(answer, "scores", missing) for answer in answers]
    file = io.BytesIO()
    np.save(file, np.array(rows, dtype=np.float64).reshape(len(rows), classes), allow_pickle=False)
    return file.getvalue()


def _error(cause: str, remedy: str) -> RequestError:
    return RequestError(400, "bad_npy", cause, remedy)
