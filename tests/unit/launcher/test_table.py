"""The look at the first rows of a data file."""

import pytest

from launcher.findings import Level
from launcher.inputs.table import ROWS, check_table


@pytest.mark.parametrize(
    ("name", "content", "level", "expected"),
    [
        ("a.csv", "Alpha,a text\nBeta,another\n", None, ""),
        ("a.csv", "", Level.FAIL, "a.csv has no rows"),
        ("a.csv", "alone\nagain\n", Level.WARN, "a.csv has one column"),
        ("a.csv", "a,b\nc,d,e\n", Level.WARN, "a.csv line 2 has 3 cells instead of 2"),
        ("a.csv", 'a,"b\n', Level.FAIL, "a.csv line 1: "),
        ("a.csv", "a,\xe9\n", Level.FAIL, ""),
        ("a.jsonl", '{"label": "a", "text": "b"}\n', None, ""),
        ("a.jsonl", "", Level.FAIL, "a.jsonl has no rows"),
        ("a.jsonl", '{"label": \n', Level.FAIL, "a.jsonl line 1: "),
        ("a.jsonl", '["a", "b"]\n', Level.WARN, "a.jsonl line 1 is not an object"),
        ("a.csv", "a,b\n" * ROWS + "c,d,e\n", None, ""),
    ],
)
def test_what_no_job_could_read_is_found(tmp_path, name, content, level, expected):
    """File and line; what may be meant so is only doubted; rows beyond the first ones are the job's."""
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    found = list(check_table("train", name, path))
    assert [finding.level for finding in found] == ([level] if level else [])
    assert all(expected in finding.message and finding.remedy for finding in found)
