"""The files of a batch transform: their form, and whether SageMaker can cut them."""

import pytest

from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.findings import Severity
from bert_classifier.serving.http import codec
from bert_classifier.serving.http.csv_form import CsvForm
from launcher.aws.account import Account
from launcher.aws.s3 import Location
from launcher.inputs.transform import check_input, input_of
from launcher.settings.account import AccountSettings
from launcher.settings.inference import TransformSettings

PREFIX = Location("a-bucket", "mine/")


def found(tmp_path, files: dict[str, str], **settings):
    """Return what is found about files of this machine."""
    scratch = tmp_path / ".scratch"  # hidden, so no data
    scratch.mkdir(exist_ok=True)
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    expected = TransformSettings(input=str(tmp_path), **settings)
    return expected, input_of(expected, PREFIX, Account(AccountSettings()), scratch)


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
    assert texts.location.key.startswith("mine/transform/input/")


def test_a_linked_folder_is_named_and_not_sent(tmp_path):
    """Whose texts would be missing from the answers."""
    (tmp_path / "linked").symlink_to("/")
    settings, texts = found(tmp_path, {"a.txt": "x"})
    assert texts.names == ("a.txt",)
    (doubt,) = [f for f in check_input(settings, texts) if f.severity is Severity.WARNING]
    assert doubt.message == f"not uploaded, since links are not followed: {tmp_path / 'linked'}"


def test_a_form_that_is_given_counts_for_all_files(tmp_path):
    """Which are then sent as they are."""
    files = {"a.csv": "x", "b.txt": "x"}
    assert found(tmp_path, files)[1].names == ("a.csv",)
    _, texts = found(tmp_path, files, content_type="text/plain")
    assert (texts.content_type, texts.names) == ("text/plain", ("a.csv", "b.txt"))


AS_TEXTS = {"content_type": "text/csv"}


@pytest.mark.parametrize(
    ("files", "settings", "expected"),
    [
        ({"a.csv": '"one, text"\nanother\n'}, {}, ""),
        ({"a.csv": "fine\n"}, {"max_concurrent": 10, "max_payload": 10}, ""),
        ({"a.csv": "fine\n"}, {"max_concurrent": 10, "max_payload": 11}, "is above 100"),
        ({"a.csv": 'x\n"one\n'}, {}, "a.csv line 2: "),
        ({"a.csv": "text\nfine\n"}, AS_TEXTS, "a.csv begins with what the server takes for a header"),
        ({"a.csv": "title\nfine\n"}, AS_TEXTS, "a.csv begins with what the server takes for a header"),
        ({"a.csv": "\nUnnamed: 0,review\n0,fine\n"}, AS_TEXTS, "a.csv begins with what the server takes for"),
        ({"a.csv": "text\nfine\n"}, {}, ""),
        ({"a.csv": "fine\ntext\n"}, {}, ""),
        ({"a.csv": "text\nfine\n"}, {"content_type": "text/csv; header=absent"}, ""),
        ({"a.csv": 'x\n"one\ntwo"\n'}, {"content_type": "text/csv; charset=utf-8"}, "line 2 has a text with"),
        (
            {"a.txt": "x" * 1_100_000},
            {"max_payload": 1},
            "a.txt has a record of 1.0 MB, more than MAX_PAYLOAD",
        ),
        ({"a.txt": "x\n" * 1_100_000}, {"max_payload": 1}, ""),
        ({"a.json": '["' + "x" * 1_100_000 + '"]'}, {"max_payload": 1}, "more than MAX_PAYLOAD"),
    ],
)
def test_what_sagemaker_cannot_cut_is_reported(tmp_path, files, settings, expected):
    """Line breaks in cells, records above the payload, empty files, more at a time than it holds."""
    findings = check_input(*found(tmp_path, files, **settings))
    wrong = "; ".join(finding.message for finding in findings if finding.severity is Severity.ERROR)
    assert expected in wrong
    assert bool(expected) == bool(wrong)


SILENT = ["No, thanks\nNo, thanks\n", "one\ntwo\none\n", "a text, with a comma\n", '"Film,a text"\nanother\n']


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("7,one\n3,two\n5,three\n4,four\n", "4 of 4 rows, line 1 first,"),
        ("hello there\n1,one\n", "1 of 2 rows, line 2 first"),
        ("No, thanks\nCompany,a text of some more words\n", "1 of 2 rows, line 2 first"),
        ("money back please today or so,Refund\nhello,No\n", "2 of 2 rows"),
        *((silent, "") for silent in SILENT),
    ],
)
def test_what_may_be_a_label_is_reported(tmp_path, content, expected):
    """A few words beside a comma may be a class, which only the server knows: what follows then is said."""
    findings = list(check_input(*found(tmp_path, {"a.csv": content}, strategy="SingleRecord")))
    doubts = "; ".join(finding.message for finding in findings if finding.severity is Severity.WARNING)
    assert expected in doubts
    assert bool(expected) == bool(doubts) == ("answers each of them with an error" in doubts)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a text of more words\n" * 9_999 + "Yes,agreed\n", ""),
        ("7,one\n" * 3 + "a text of more words\n", "3 of 4 rows, line 1 first"),
        ("x" * 1_000_000 + "\n7," + "y" * 600_000 + "\n", "1 of 2 rows, line 2 first"),  # two requests
    ],
)
def test_labels_in_few_rows_of_a_request_are_no_doubt(tmp_path, content, expected):
    """The server looks at most rows of a request, which SageMaker fills up to MAX_PAYLOAD."""
    findings = check_input(*found(tmp_path, {"a.csv": content}, max_payload=1))
    doubts = "; ".join(finding.message for finding in findings if finding.severity is Severity.WARNING)
    assert expected in doubts
    assert bool(expected) == bool(doubts) == ("a request that has them in most rows" in doubts)


@pytest.mark.parametrize(
    ("strategy", "level"), [("SingleRecord", Severity.ERROR), ("MultiRecord", Severity.WARNING)]
)
def test_a_later_row_that_reads_like_a_header_is_reported(tmp_path, strategy, level):
    """It may be the first of a request, and alone it is; header=absent says that it is a text."""
    files = {"a.csv": "hello there\ncontent\nbye\n"}
    (finding,) = [f for f in check_input(*found(tmp_path, files, strategy=strategy)) if "line 2" in f.message]
    assert finding.severity is level
    settings = {"strategy": strategy, "content_type": "text/csv; header=absent"}
    assert not [f for f in check_input(*found(tmp_path, files, **settings)) if f.severity is not Severity.OK]


FORM = CsvForm.of("", ("Film", "No", "Company", "Refund"), is_part=True)


@pytest.mark.parametrize(
    "content",
    [
        *("hello\ncontent\nbye\n", "Film,stop it\nhello there\n", "Film,money back now\nNo,stop it all\n"),
        *(",text\n0,hello\n1,bye\n", "money back,refund\nhello,No\n", "1,hello\n2,hey\n3,you\n"),
        *("title\n", "review\nfine\n", "0,hello\n", "utterance,intent\nhello,no\n", "text;label\n"),
        *SILENT,
    ],
)
def test_the_server_refuses_only_what_was_reported(tmp_path, content):
    """Whether SageMaker sends a file as a whole or each row alone: silence here means that no request is refused."""

    def is_silent(strategy):
        findings = check_input(*found(tmp_path, {"a.csv": content}, strategy=strategy, **AS_TEXTS))
        return all(finding.severity is Severity.OK for finding in findings)

    def is_refused(body):
        try:
            records = codec.decode("text/csv", body.encode(), 100, FORM).records
        except RequestError:
            return True
        return len(records) == 1 and not isinstance(
            records[0], str
        )  # a part of one row answers what is wrong

    refused = [row for row in content.splitlines() if is_refused(row)]
    assert is_silent("SingleRecord") == (not refused), refused
    assert not (is_refused(content) and is_silent("MultiRecord"))


def test_a_folder_without_texts_is_refused(tmp_path):
    """An empty file is none."""
    with pytest.raises(UserError, match=r"holds no file with content that is named \.csv"):
        found(tmp_path, {"a.csv": "", "b.doc": "x"})


def test_parameters_of_a_form_are_not_the_form(tmp_path):
    """The answers' form is bare, whatever stands behind that of the texts."""
    settings, texts = found(tmp_path, {"a.txt": "x"}, content_type="text/plain; charset=utf-8")
    assert (texts.content_type, texts.accept(settings)) == (
        "text/plain; charset=utf-8",
        "application/jsonlines",
    )
    settings, texts = found(tmp_path, {"a.txt": "x"}, content_type="Application/JSON; charset=utf-8")
    assert (texts.split_type, texts.accept(settings)) == ("None", "application/json")


def test_records_without_a_known_text_are_a_doubt(tmp_path):
    """The model may know them; strings and known names are none."""
    files = {
        "a.jsonl": '{"memo": "one", "nr": 1}\n',
        "b.jsonl": '{"text": "one", "nr": 1}\n',
        "c.jsonl": '"{one"\n',
    }
    (doubt,) = [f for f in check_input(*found(tmp_path, files)) if f.severity is not Severity.OK]
    assert doubt.severity is Severity.WARNING
    assert doubt.message.startswith("a.jsonl")
    assert "own text column" in doubt.remedy


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.txt", "a.parquet"])
def test_a_file_without_a_byte_is_called_empty(tmp_path, name):
    """It has no line 1."""
    path = tmp_path / name
    path.touch()
    settings = TransformSettings(input=str(path))
    texts = input_of(settings, PREFIX, Account(AccountSettings()), tmp_path)
    (failure,) = [one for one in check_input(settings, texts) if one.severity is Severity.ERROR]
    assert failure.message.removesuffix(".") == f"{name} is empty"
