"""The table of forms says of each tool's files what tests show of them."""

import collections

from support.tool_files import TOOL_FILES
from support.tool_files.forms_table import FORM_ROWS

MOST_ROWS = 35


def test_each_file_stands_in_one_row():
    """Nothing is tested without being documented, nor documented twice; the table stays one that people read."""
    keys = collections.Counter(key for row in FORM_ROWS for key in row.keys.split())
    assert {*keys} ^ {*TOOL_FILES} == set()
    assert [key for key, times in keys.items() if times > 1] == []
    assert len(FORM_ROWS) <= MOST_ROWS


def test_each_row_says_what_happens_to_its_files():
    """A row says "read", "refused" and "read with" settings of which its files, run by other tests, are examples."""
    assert {row.form: row.promised for row in FORM_ROWS} == {row.form: row.shown for row in FORM_ROWS}


def test_each_setting_in_a_row_is_one_that_was_tried():
    """The settings that a row names are given to one of its files, with these values."""
    for row in FORM_ROWS:
        given = {pair for case in row.files for pair in case.settings.items()}
        assert row.settings <= given, row.form
