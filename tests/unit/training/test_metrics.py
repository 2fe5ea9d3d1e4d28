"""Metric lines that every metric service can read."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.training.metrics import metric_line

VALUES = st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e15, 1e15, allow_nan=False))


@given(values=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), VALUES, max_size=6))
def test_metric_lines_are_read_back(values):
    """Every value is plain decimals without an exponent, and close to what it was."""
    line = metric_line(values)
    pairs = re.findall(r"(?:^| )([a-z0-9_]+)=(-?[0-9]+(?:\.[0-9]+)?)(?= |$)", line)
    assert " ".join(f"{name}={number}" for name, number in pairs) == line
    assert [name for name, _ in pairs] == list(values)
    for (_, number), value in zip(pairs, values.values(), strict=True):
        assert math.isclose(
            float(number), value, rel_tol=1e-3, abs_tol=6e-5 if abs(value) >= 0.001 else 1e-10
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-5, "0.0000200000"), (1e-7, "0.0000001000"), (0.0, "0.0000"), (0.25, "0.2500"), (3, "3"),
        (12345.678, "12346"), (-0.5, "-0.5000"), (0.001, "0.0010"), (1e9, "1000000000"),
        (999.99999, "1000.0000"), (-2e-12, "-0.0000000000"),
    ],
)  # fmt: skip
def test_numbers_are_written_plainly(value, text):
    """A learning rate keeps its digits, a throughput loses its fraction."""
    assert metric_line({"x": value}) == f"x={text}"
