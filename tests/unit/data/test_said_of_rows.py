"""What is said of rows while reading: pairs with one text, empty labels beside several."""

import json

import pytest

from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError


@pytest.mark.parametrize(
    "half",
    [
        {"text": "a"},
        {"text": "a", "text_pair": None},
        {"text": "a", "text_pair": " "},
        {"text": "", "text_pair": "b"},
    ],
)
def test_pairs_with_one_text_are_counted(tmp_path, caplog, half):
    """A pair without one of its texts is read, and a warning and the notes say how many there are."""
    whole = {"text": "a man sleeps", "text_pair": "he rests"}
    records = [whole, whole, half]
    lines = [json.dumps({"label": "ab"[at % 2], **record}) for at, record in enumerate(records)]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(lines))
    data = DbpediaDataset(DataFiles([path], ReaderSettings()))
    assert len(data) == 3
    said = "1 of 3 rows have one of their two texts only"
    assert said in caplog.text
    assert said in data.understood[0]["notes"][-1]


@pytest.mark.parametrize(("mark", "is_named"), [("|", True), (";", True), (" or ", False)])
def test_separator_is_named_where_other_labels_are_joined(tmp_path, mark, is_named):
    """An empty label beside joined ones may be a text without labels: the separator is named before missing_labels."""
    labels = ["tech", f"tech{mark}food", f"food{mark}tech", "food", ""] * 4
    path = tmp_path / "data.csv"
    path.write_text(
        "\n".join(["text,labels", *(f"the text {at},{label}" for at, label in enumerate(labels))])
    )
    with pytest.raises(UserError) as caught:
        DbpediaDataset(DataFiles([path], ReaderSettings()))
    assert (f'label_separator="{mark}"' in caught.value.remedy) is is_named
    assert "missing_labels=drop" in caught.value.remedy.split("label_separator")[-1]


@pytest.mark.parametrize(
    "flags", [([1, 0, 0], [0, 1, 1]), ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), ("[1 0 0]", "[0 1 1]")]
)
def test_vectors_of_flags_are_no_labels(tmp_path, flags):
    """A list with 0 or 1 for each label is refused: 0 and 1 would be taken for the labels."""
    lines = [json.dumps({"labels": flags[at % 2], "text": f"the text {at}"}) for at in range(10)]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match="one place for each of 3 labels"):
        DbpediaDataset(DataFiles([path], ReaderSettings()))


def test_a_set_without_items_is_a_text_without_labels(tmp_path):
    """As pandas writes sets of Python into CSV."""
    path = tmp_path / "data.csv"
    path.write_text("text,labels\nthe first,\"{'a', 'b'}\"\nthe second,set()\nthe third,{'a'}\n")
    data = DbpediaDataset(DataFiles([path], ReaderSettings()))
    assert [data[at][1] for at in range(3)] == [("a", "b"), (), ("a",)]
