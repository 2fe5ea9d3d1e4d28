"""The look at the first rows of a data file."""

import pytest

from bert_classifier.job.findings import Severity
from launcher.inputs.table import ROWS, check_table


@pytest.mark.parametrize(
    ("name", "content", "level", "expected"),
    [
        ("a.csv", "Alpha,a text\nBeta,another\n", None, ""),
        ("a.csv", "", Severity.ERROR, "a.csv has no rows"),
        ("a.csv", "alone\nagain\n", Severity.WARNING, "a.csv has one column"),
        ("a.csv", "a,b\nc,d,e\n", Severity.WARNING, "a.csv line 2 has 3 cells instead of 2"),
        ("a.csv", 'a,"b\n', Severity.ERROR, "a.csv line 1: "),
        ("a.csv", "a,\xe9\n", Severity.ERROR, ""),
        ("a.jsonl", '{"label": "a", "text": "b"}\n', None, ""),
        ("a.jsonl", "", Severity.ERROR, "a.jsonl has no rows"),
        ("a.jsonl", '{"label": \n', Severity.ERROR, "a.jsonl line 1: "),
        ("a.jsonl", '["a", "b"]\n', Severity.WARNING, "a.jsonl line 1 is not an object"),
        ("a.csv", "a,b\n" * ROWS + "c,d,e\n", None, ""),
    ],
)
def test_what_no_job_could_read_is_found(tmp_path, name, content, level, expected):
    """File and line; what may be meant so is only doubted; rows beyond the first ones are the job's."""
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    found = list(check_table("train", name, path))
    assert [finding.severity for finding in found] == ([level] if level else [])
    assert all(expected in finding.message and finding.remedy for finding in found)
