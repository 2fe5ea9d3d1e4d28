"""The columns that SERVING_CSV_COLUMNS gives to all CSV bodies."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.app import create_app
from bert_classifier.serving.http.csv_form import CsvForm
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.service import ModelService
from support.clear_text import assert_clear
from support.csv_bodies import EMPTY, FORM, MEDIA_TYPE, NONE, OPEN, REPEATED, TOO_WIDE, WIDTH, read


def fixed(setting: str, fields: TextFields = NONE, **changes: Any) -> CsvForm:
    """Return a form with the columns of a setting."""
    return dataclasses.replace(FORM, columns=FixedColumns.of(setting, fields), **changes)


@pytest.mark.parametrize("is_part", [True, False])
@pytest.mark.parametrize("header", ["", "present", "absent"])
def test_the_setting_gives_the_columns_of_every_body(is_part, header):
    """A first row that is the setting is left out, in each part of a file; whatever else it holds is data."""
    form = fixed("label,text", is_part=is_part, header=header)
    rows = 'Film,a\nNo,"b, c"\n\nx\nNo,d, e\nlabel,text\nNo,"open\nanything,z\n'
    expected = ["a", "b, c", EMPTY, WIDTH.format("1 cell", ""), TOO_WIDE, REPEATED, OPEN, "z"]
    assert read(f"Label, TEXT\n{rows}", form) == expected
    if header != "present" or is_part:
        assert read(rows, form) == expected
        assert read("1,text\n", form) == ["text"]
    else:
        with pytest.raises(RequestError, match="announced, but it is not that of SERVING_CSV_COLUMNS"):
            read(rows, form)
    assert read("", form) == read("label,text", form) == []


def test_the_setting_may_have_any_delimiter_and_the_columns_of_the_training():
    """One column alone is a text per row, as ever."""
    assert read("Film;a, b\n", fixed("label;text")) == ["a, b"]
    assert read("a\tx\tt\n", fixed("Review\tid\tHeadline", TextFields("review", "headline"))) == ["t a"]
    assert read("Film\ta, b\n", fixed(r"label\ttext")) == ["a, b"]
    assert read("t|\n", fixed("title|text")) == ["t"]
    assert read('text\na, b\n"c, d"\nFilm,x\n', fixed("text")) == ["a, b", "c, d", "Film,x"]
    assert read("text\n", fixed("text", header="absent")) == ["text"]
    assert FixedColumns.of(" ", NONE) is None


@pytest.mark.parametrize(
    ("setting", "fields", "words"),
    [
        (
            "a,b",
            NONE,
            "SERVING_CSV_COLUMNS names 2 columns, but not a name in use for texts. Call the column of texts",
        ),
        (
            "text,comment",
            NONE,
            "SERVING_CSV_COLUMNS names 2 columns that may be the text: 'text' and 'comment'",
        ),
        ("label,review", TextFields("review", "headline"), "SERVING_CSV_COLUMNS has no column 'headline'"),
        ("label,text\nx", NONE, "not one row of CSV"),
        ('label,"text', NONE, "not one row of CSV"),
        ("sep=;", NONE, "not one row of CSV"),
    ],
)
def test_a_setting_that_leaves_the_text_open_stops_the_start(setting, fields, words, predictor):
    """With the cause; the model is not served."""
    with pytest.raises(UserError, match=words) as caught:
        FixedColumns.of(setting, fields)
    assert_clear(caught.value)
    failures: list[Exception] = []
    config = ServeConfig(serving_csv_columns=setting)
    own = _WithFields(predictor, fields)
    service = ModelService(lambda: [own], failures.append, config, Metrics())  # type: ignore[list-item]
    service.start()
    while not service.close(timeout=0):
        pass
    assert not service.is_ready
    assert [str(failure) for failure in failures] == [str(caught.value)]


class _WithFields:
    """A predictor of a model that was trained on other columns."""

    def __init__(self, predictor: object, fields: TextFields) -> None:
        self._predictor, self.fields = predictor, fields

    def __getattr__(self, name: str) -> object:
        return getattr(self._predictor, name)


def test_a_served_model_has_the_columns_of_the_setting(make_service, predictor):
    """For each part of a batch transform's file."""
    config = ServeConfig(sagemaker_batch=True, serving_csv_columns="label,text")
    client = create_app(make_service(predictor, serving_csv_columns="label,text"), config).test_client()
    plain = create_app(make_service(predictor), ServeConfig()).test_client()

    def ask(to, body):
        return to.post("/invocations", data=body, content_type=MEDIA_TYPE, buffered=True).text.splitlines()

    parts = ask(client, 'label,text\n1,"apple, river"\n') + ask(client, "Alpha,ocean\n2,moon\n")
    assert parts == ask(plain, '"apple, river"\nocean\nmoon\n')


@given(
    st.lists(
        st.sampled_from(["Film,good", 'No,"a, b"', "x", "Film,a,b", 'No,"o" p', "\0,\0", ""]), max_size=12
    )
)
def test_each_row_is_read_alone(rows):
    """What the others hold does not matter."""
    form = fixed("label,text", is_part=True)
    alone = [read(f"{row}\n", form)[0] for row in rows]
    assert read("".join(f"{row}\n" for row in rows), form) == alone


def test_a_title_that_the_training_took_by_number_is_joined():
    """Its data had no names: where there are names now, the column called title is put before the text."""
    told = {"title_column": "2", "text_column": "3", "label_column": "1"}
    fields = TextFields.of({"data": {"columns": {}}, "hyperparameters": told})
    columns = FixedColumns.of("label,title,text", fields)
    assert columns is not None
    assert columns.columns.text_of(["x", "a title", "a text"]) == "a title a text"
    with pytest.raises(UserError, match="no column 'title'"):
        FixedColumns.of("label,text", fields)
    named = TextFields.of({"data": {"columns": {"text": "review"}}, "hyperparameters": told})
    assert named.title == ""
