"""What to set for well-known collections of pairs, whose columns have names of their own."""

import pytest

from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.data.text_pair import TextPair
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError
from support.clear_text import assert_clear

_ROWS = 30
_FIRST, _SECOND = "a man sleeps {0} times", "he rests {0} hours"
# The values of a row {0}; {1} is its class, {2} a score.
TABLES = {
    "mrpc": (
        "#1 ID,#2 ID,#1 String,#2 String,Quality",
        f"1,{{0}}1,{_FIRST},{_SECOND},{{1}}",
        'label_column=Quality text_column="#1 String" text_pair_column="#2 String"',
    ),
    "two seconds": (
        "question,context,answer,label",
        f"{_FIRST},{_SECOND},{_SECOND},{{1}}",
        "text_column=question text_pair_column=answer if that is right; text_pair_column=context reads",
    ),
    "sts": (
        "split,genre,sid,score,sentence1,sentence2",
        f"train,main,{{0}},{{2}},{_FIRST},{_SECOND}",
        "regression",
    ),
    "scores as labels": ("text,text_pair,label", f"{_FIRST},{_SECOND},{{2}}", "regression"),
    "triplets": ("anchor,positive,negative", f"{_FIRST},{_SECOND},no {{1}}", "have no label"),
}
# With the annotators' own labels beside the one that they agreed on.
UNDERSTOOD = {
    "snli": (
        "gold_label,sentence1_binary_parse,sentence1,sentence2,captionID,label1",
        f"{{1}},( ( a man ) sleeps {{0}} times ),{_FIRST},{_SECOND},c,opposed",
    ),
    "mnli": (
        "index,genre,sentence1_parse,sentence1,sentence2,label1,gold_label",
        f"{{0}},fiction,(ROOT a man sleeps {{0}} times),{_FIRST},{_SECOND},opposed,{{1}}",
    ),
}


def collection(path, header: str, row: str) -> DataFiles:
    """Return a file of 30 rows of a collection: {0} is a row's number, {1} its class, {2} a score."""
    rows = [row.format(at, ("neutral", "opposed")[at % 2], f"0.{at:03d}5") for at in range(_ROWS)]
    path.write_text("\n".join([header, *rows, ""]))
    return DataFiles([path], ReaderSettings())


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_collection_is_read_by_its_usual_names(tmp_path, name):
    """Both texts, and the label that annotators agreed on."""
    dataset = DbpediaDataset(collection(tmp_path / "data.csv", *UNDERSTOOD[name]))
    example = next(iter(dataset))
    assert example[0] == TextPair(_FIRST.format(0), _SECOND.format(0))
    assert example[1] == "neutral"


@pytest.mark.parametrize("name", TABLES)
def test_collection_gets_a_remedy_that_works(tmp_path, name):
    """A table of pairs names both texts and the label; data without classes are called so, and never given a label."""
    header, row, expected = TABLES[name]
    files = collection(tmp_path / "data.csv", header, row)
    with pytest.raises(UserError) as caught:
        DbpediaDataset(files)
    assert_clear(caught.value)
    assert expected in str(caught.value)
    assert ("label_column=" in str(caught.value)) is ("text_column=" in expected)
    if "regression" in expected:
        assert "text_pair_column=" in str(caught.value)
