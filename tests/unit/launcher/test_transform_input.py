"""The files of a batch transform: their form, and whether SageMaker can cut them."""

import pytest

from bert_classifier.errors import UserError
from launcher.account import Account
from launcher.findings import Level
from launcher.model_settings import TransformSettings
from launcher.s3 import Location
from launcher.settings import AccountSettings
from launcher.transform_input import check_input, input_of

PREFIX = Location("a-bucket", "mine/")


def found(tmp_path, files: dict[str, str], **settings):
    """Return what is found about files of this machine."""
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    told = TransformSettings(input=str(tmp_path), **settings)
    return told, input_of(told, PREFIX, Account(AccountSettings()))


@pytest.mark.parametrize(
    ("name", "form", "split", "accept"),
    [
        ("a.csv", "text/csv", "Line", "text/csv"),
        ("a.jsonl", "application/jsonlines", "Line", "application/jsonlines"),
        ("a.txt", "text/plain", "Line", "application/jsonlines"),
        ("a.json", "application/json", "None", "application/json"),
    ],
)
def test_the_suffix_tells_the_form(tmp_path, name, form, split, accept):
    """Of the texts and of the answers; a JSON document is not cut."""
    settings, texts = found(tmp_path, {name: '"a text"'})
    assert (texts.content_type, texts.split_type, texts.accept(settings)) == (form, split, accept)
    assert texts.place.key.startswith("mine/transform/input/")


def test_files_of_several_forms_are_refused(tmp_path):
    """A job reads one; a form that is given counts."""
    files = {"a.csv": "x", "b.txt": "x"}
    with pytest.raises(UserError, match=r"The forms of a\.csv, b\.txt differ"):
        found(tmp_path, files)
    assert found(tmp_path, files, content_type="text/plain")[1].content_type == "text/plain"


@pytest.mark.parametrize(
    ("files", "settings", "told"),
    [
        ({"a.csv": '"one, text"\nanother\n'}, {}, ""),
        ({"a.csv": "fine\n"}, {"max_concurrent": 10, "max_payload": 10}, ""),
        ({"a.csv": "fine\n"}, {"max_concurrent": 10, "max_payload": 11}, "is above 100"),
        ({"a.csv": 'x\n"one\ntwo"\n'}, {}, "a.csv line 2 has a text with a line break"),
        ({"a.csv": 'x\n"one\n'}, {}, "a.csv line 2: "),
        ({"a.csv": "text\nfine\n"}, {}, "a.csv begins with a header row"),
        ({"a.csv": "label,text\n1,fine\n"}, {}, "a.csv begins with a header row"),
        ({"a.csv": "fine\ntext\n"}, {}, ""),
        ({"a.csv": "text\nfine\n"}, {"content_type": "text/csv; header=absent"}, ""),
        ({"a.csv": "x\nfine\n"}, {"content_type": 'text/csv; Header="present"'}, "header=present would cost"),
        ({"a.csv": 'x\n"one\ntwo"\n'}, {"content_type": "text/csv; charset=utf-8"}, "line 2 has a text with"),
        ({"a.txt": ""}, {}, "a.txt is empty"),
        (
            {"a.txt": "x" * 1_100_000},
            {"max_payload": 1},
            "a.txt has a record of 1.0 MB, more than MAX_PAYLOAD",
        ),
        ({"a.txt": "x\n" * 1_100_000}, {"max_payload": 1}, ""),
        ({"a.json": '["' + "x" * 1_100_000 + '"]'}, {"max_payload": 1}, "more than MAX_PAYLOAD"),
    ],
)
def test_what_sagemaker_cannot_cut_is_told(tmp_path, files, settings, told):
    """Line breaks in cells, records above the payload, empty files, more at a time than it holds."""
    findings = check_input(*found(tmp_path, files, **settings))
    wrong = "; ".join(finding.told for finding in findings if finding.level is Level.FAIL)
    assert told in wrong
    assert bool(told) == bool(wrong)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("7,one\n3,two\n7,three\n3,four\n", "every row has 2 cells, the first of few kinds"),
        ("Film,t,one\nFilm,t,two\n", "every row has 3 cells"),
        ("label,text\n7,one\n7,two\n", "every row has 2 cells"),
        ("No, thanks\nNo, thanks\n", ""),
        ("a,one\nb,two\nc,three\n", ""),
        ("one\ntwo\none\n", ""),
        ("a,one\na,two\nthree\n", ""),
    ],
)
def test_training_data_are_told_apart(tmp_path, content, told):
    """Rows that begin with one of a few words are doubtful: only the server knows the classes."""
    findings = list(check_input(*found(tmp_path, {"a.csv": content})))
    doubts = "; ".join(finding.told for finding in findings if finding.level is Level.WARN)
    assert told in doubts
    assert bool(told) == bool(doubts)


def test_parameters_of_a_form_are_not_the_form(tmp_path):
    """The answers' form is bare, whatever stands behind that of the texts."""
    settings, texts = found(tmp_path, {"a.txt": "x"}, content_type="text/plain; charset=utf-8")
    assert (texts.content_type, texts.accept(settings)) == (
        "text/plain; charset=utf-8",
        "application/jsonlines",
    )
    settings, texts = found(tmp_path, {"a.txt": "x"}, content_type="Application/JSON; charset=utf-8")
    assert (texts.split_type, texts.accept(settings)) == ("None", "application/json")
