"""Whatever several labels of a text hold: they come back exactly, or the file is refused."""

import csv
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.labels import normal_label
from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError

_LABEL = st.text(st.sampled_from("abc é0-_'\"[](){}<>|;,#"), min_size=1, max_size=5).map(normal_label)
_ROWS = st.lists(st.lists(_LABEL.filter(bool), max_size=4), min_size=2, max_size=12)


@given(_ROWS.filter(lambda rows: any(rows)))
def test_any_labels_of_lists_come_back(rows):
    """Whatever they hold: as they are, without surrounding blanks; or the file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        lines = (json.dumps({"labels": labels, "text": f"text {n}"}) for n, labels in enumerate(rows))
        path.write_text("".join(f"{line}\n" for line in lines))
        settings = ReaderSettings(task="multi", label_column="labels", missing_labels="keep")
        try:
            dataset = DbpediaDataset(DataFiles([path], settings))
        except UserError as error:
            refusal = str(error)
        else:
            refusal = ""
        reasons = ("list or an object written as text", "hold only 0 and 1")
        assert not refusal or any(reason in refusal for reason in reasons)
        if refusal:
            return
        assert [{*label} for _, label in (dataset[index] for index in range(len(dataset)))] == [
            {*row} for row in rows
        ]


@given(_ROWS.filter(lambda rows: any(len(row) > 1 for row in rows)), st.sampled_from("~^$"))
def test_any_labels_between_separators_come_back(rows, separator):
    """In cells of CSV, quoted where they must be; what looks like a list is one, or is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["labels", "text"])
            writer.writerows([separator.join(labels), f"a text {n}"] for n, labels in enumerate(rows))
        settings = ReaderSettings(
            label_separator=separator, label_column="labels", delimiter=",", missing_labels="keep"
        )
        try:
            dataset = DbpediaDataset(DataFiles([path], settings))
        except UserError:
            return
        for (_, found), row in zip((dataset[index] for index in range(len(dataset))), rows, strict=True):
            cell = separator.join(row)
            assert {*found} == {*row} or cell.strip()[:1] in "[{(<", (found, row)
