"""What a batch transform uploads, cut by lines as SageMaker cuts it: the server finds the texts that training reads."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.data.reader_settings import ReaderSettings
from bert_classifier.data.table import open_table
from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields, named_columns
from bert_classifier.errors import RequestError
from bert_classifier.job.findings import Severity
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.body_records import RecordError
from bert_classifier.serving.http.csv_form import CsvForm
from launcher.aws.account import Account
from launcher.aws.s3 import Location
from launcher.inputs.transform import TransformInput, check_input, input_of
from launcher.settings.account import AccountSettings
from launcher.settings.inference import TransformSettings
from support.tool_files import TOOL_FILES
from support.tool_files.made import NAMES, NUMBER_OF, ToolFile, write_files

OF_READER = ("text_column", "title_column", "header", "delimiter", "encoding")
CLASSES = (*NAMES, *NUMBER_OF.values())


def uploads(given: Path, scratch: Path, **settings: str) -> TransformInput:
    """Return the texts at a path as they would be uploaded."""
    scratch.mkdir()
    told: dict[str, Any] = {name: value for name, value in settings.items() if name in OF_READER}
    chosen = TransformSettings(input=str(given), **told)
    return input_of(chosen, Location("a-bucket", "mine/"), Account(AccountSettings()), scratch)


def answered(found: TransformInput, fields: TextFields, lines: int) -> Iterator[str | RecordError]:
    """Yield the record of each row, if SageMaker puts so many lines into a request.

    Args:
        fields: of the data that the model was trained on.
    """
    columns = FixedColumns.of(found.columns, fields)
    form = CsvForm.of("", CLASSES, is_part=True, fields=fields, columns=columns)
    assert found.local
    for path in found.local.files.values():
        rows = path.read_bytes().splitlines(keepends=True)
        for begin in range(0, len(rows), lines):
            body = b"".join(rows[begin : begin + lines])
            yield from codec.decode(found.media_type, body, 10_000, form).records


def fields_of(folder: Path, case: ToolFile) -> TextFields:
    """Return what a model that was trained on the files remembers of their columns."""
    first = next(
        path
        for path in sorted(folder.rglob("*"))
        if str(path.relative_to(folder)) in case.files and path.name[0] != "."
    )
    columns = named_columns([open_table(first, ReaderSettings(**case.settings)).understood])
    return TextFields.of({"data": {"columns": columns}, "hyperparameters": dict(case.settings)})


@pytest.mark.parametrize("lines", [1, 5, 10_000])
@pytest.mark.parametrize(
    "key",
    [
        key
        for key, case in TOOL_FILES.items()
        if case.outcome == "read" and case.settings.get("missing_labels") != "drop"
    ],
)
def test_a_model_finds_the_texts_of_the_file_that_trained_it(tmp_path, key, lines):
    """Each with the title that stood before it, and none besides, wherever the file is cut."""
    case = TOOL_FILES[key]
    (tmp_path / "in").mkdir()
    write_files(tmp_path / "in", case)
    found = uploads(tmp_path / "in", tmp_path / "scratch", **case.settings)
    records = list(answered(found, fields_of(tmp_path / "in", case), lines))
    assert [one for one in records if isinstance(one, str)] == [text for _, text in case.pairs]


@pytest.mark.parametrize("lines", [1, 2, 10_000])
@pytest.mark.parametrize(
    "content", ["label,text\n7,one\n3,\n\n,\n9,three,four\n", 'text\none\n""\n\n \n\'\n']
)
def test_every_line_has_an_answer(tmp_path, content, lines):
    """Also one without a text, so that predictions and rows stay side by side."""
    (tmp_path / "a.csv").write_text(content)
    found = uploads(tmp_path / "a.csv", tmp_path / "scratch")
    assert not found.is_converted
    records = list(answered(found, TextFields(), lines))
    assert len(records) == 5
    assert records[0] == "one"
    assert [isinstance(record, RecordError) for record in records[1:4]] == [True] * 3


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        (TextFields(), ["one", "B", "three"]),
        (TextFields("text", "title", "label"), ["A one", "B", "three"]),
        (TextFields("body", "", "label"), ["one", "B", "three"]),
    ],
)
@pytest.mark.parametrize("delimiter", [*",;"])
def test_the_model_decides_what_becomes_of_a_title(tmp_path, fields, texts, delimiter):
    """Put before the text or in place of an empty one, as at training, also where JSON Lines are written."""
    (tmp_path / "a.csv").write_text("title,text\nA,one\nB,\n,three\n".replace(",", delimiter))
    found = uploads(tmp_path / "a.csv", tmp_path / "scratch")
    assert found.is_converted == (delimiter == ";")
    assert list(answered(found, fields, 2)) == texts


def any_table(choice: random.Random) -> str:
    """Return what may be a table, or texts with commas in them."""
    delimiter, width = choice.choice(",,,;\t"), choice.randint(1, 4)
    names = choice.choices(["label", "text", "title", "id", "review", "kind", "prose", "question"], k=width)
    cells = ["A", "B", "one two three", "x", '"q, r"', "", "longer words of text", "'", '"']
    rows = [choice.choices(cells, k=width + (choice.random() < 0.05)) for _ in range(choice.randint(1, 12))]
    begin = [names] if choice.random() < 0.6 else []
    return choice.choice(["\n", "\r\n"]).join(delimiter.join(row) for row in begin + rows)


def test_any_table_is_refused_doubted_or_answered_line_by_line(tmp_path):
    """Wherever SageMaker cuts it, no request is refused and no line is without an answer."""
    choice = random.Random(16)
    outcomes = set()
    for number in range(400):
        path = tmp_path / f"{number}.csv"
        path.write_text(any_table(choice))
        chosen = TransformSettings(input=str(path))
        found = uploads(path, tmp_path / f"scratch-{number}")
        findings = [one for one in check_input(chosen, found) if "answered with an error" not in one.message]
        is_clear = {finding.severity for finding in findings} == {Severity.OK}
        outcomes.add((is_clear, found.content_type, bool(found.columns)))
        assert found.local
        (content,) = (file.read_bytes() for file in found.local.files.values())
        for lines in (1, 3, 100) if is_clear else ():
            try:
                records = list(answered(found, TextFields(), lines))
            except RequestError:
                assert lines == 1, path.read_text()  # SageMaker puts many into a request
                assert not found.columns, path.read_text()
            else:
                assert len(records) == len(content.splitlines()), path.read_text()
    clear = {(kind, has_columns) for is_clear, kind, has_columns in outcomes if is_clear}
    assert clear == {("text/csv", True), ("text/csv", False), ("application/jsonlines", False)}
