"""Labels of a column are read once for each value, up to a number of values where rows may have several."""

from pathlib import Path

from bert_classifier.data.columns import Roles
from bert_classifier.data.forms import Form
from bert_classifier.data.label_lists import is_several
from bert_classifier.data.label_reader import LabelReader
from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.table_base import Table

SETTINGS = ReaderSettings(task="multi", label_separator="|")


def test_sets_of_labels_are_kept_by_value():
    """The same value gives the same labels without reading it again, and counts each time."""
    reader = LabelReader(SETTINGS, (), is_multi=True)
    first, second = reader.of("b|a"), reader.of("b|a")
    assert first == ("a", "b")
    assert first is second
    assert reader.assigned == 4
    assert reader.has_separated


def test_only_so_many_values_are_kept():
    """Sets may differ in every row: what comes later is read anew, to the same labels."""
    reader = LabelReader(SETTINGS, (), is_multi=True)
    values = [f"{number % 7}|{number}" for number in range(10_200)]
    expected = [tuple(sorted({str(number % 7), str(number)})) for number in range(10_200)]
    assert [reader.of(value) for value in values] == expected
    assert len(reader._whole) == 10_000
    assert reader.of(values[-1]) == expected[-1]


def test_a_table_with_roles_of_its_own_reads_wide_labels():
    """Nothing is left to be set by whoever finds the roles."""
    table = Table(Path("x"), "x", Form("CSV"), ReaderSettings(), ())
    table.names, table.roles = ["good", "bad", "text"], Roles(None, 2, labels=(0, 1))
    row = table._row(1, ["1", "0", "a text"])
    assert row is not None
    assert getattr(row, "label", None) == ("good",)


def test_a_known_class_is_no_list():
    """A model of an earlier version, or a class file, has classes that look like lists: files are read alike."""
    for name in ("(0, 18)", "<a><b>"):
        assert LabelReader(ReaderSettings(), (name,), is_multi=False).of(name) == name
        assert LabelReader(ReaderSettings(), (name,), is_multi=True).of(name) == (name,)
        assert is_several(name)
        assert not is_several(name, (name,))
