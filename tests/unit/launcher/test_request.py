"""The request of `invoke`: what the server has to decide goes as it is, what it cannot read is refused or converted."""

import gzip

import pytest

from bert_classifier.errors import UserError
from launcher.inputs.request import accept_of, request_of
from launcher.settings.invocation import InvokeSettings

ROWS = "".join(f"{'AB'[i % 2]};a text of some words {i}\n" for i in range(12))


@pytest.mark.parametrize(
    ("name", "content", "settings", "remedy"),
    [
        ("a.csv", "label;text\n7;ünder\n".encode("cp1252"), {}, "ENCODING=cp1252"),
        ("a.csv", b"kind;prose\n" + ROWS.encode(), {"header": "true"}, "TEXT_COLUMN=prose"),
        ("a.csv.gz", gzip.compress(b"kind;prose\n" + ROWS.encode(), mtime=0), {}, "TEXT_COLUMN=prose"),
        ("a.csv", b"PK\x03\x04\0\0", {}, "Save the table as CSV"),
        ("a.csv", b"label,text\n7,one\n", {"text_column": "txt"}, "Did you mean TEXT_COLUMN=text?"),
        (".", b"", {}, "Correct FILE"),
    ],
)
def test_what_the_server_could_not_tell_is_refused(tmp_path, name, content, settings, remedy):
    """With what mends it, by the settings of the command."""
    path = tmp_path / name
    if name != ".":
        path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        request_of(InvokeSettings(file=str(path), **settings))
    assert remedy in refusal.value.remedy
    assert "label_column" not in refusal.value.remedy


@pytest.mark.parametrize("content", ["kind;prose\n" + ROWS, 'one\n"two\n', "a,b,c,d\n1,2,3,4\n"])
def test_what_only_the_model_knows_goes_as_it_is(tmp_path, content):
    """The server knows the training's names and classes, and says what is wrong."""
    path = tmp_path / "a.csv"
    path.write_text(content)
    request = request_of(InvokeSettings(file=str(path)))
    assert (request.content_type, request.body) == ("text/csv", content.encode())


@pytest.mark.parametrize(
    ("settings", "accept"),
    [
        ({"file": "a.csv"}, "application/json"),
        ({"file": "a.csv", "top_k": "all"}, "application/json; top_k=all"),
        ({"text": "one", "top_k": 3}, "application/json"),
        ({"file": "a.csv", "top_k": 3, "accept": "text/csv; top_k=2"}, "text/csv; top_k=2"),
    ],
)
def test_classes_are_asked_for_where_the_body_has_no_place(settings, accept):
    """Beside the form of the answer; in JSON they stand in the body."""
    assert accept_of(InvokeSettings(**settings)) == accept


@pytest.mark.parametrize("accept", ["text/csv, application/json;q=0.5", "text/csv,*/*"])
def test_classes_cannot_be_asked_of_several_forms(accept):
    """The server may answer in the one that does not say how many."""
    with pytest.raises(UserError) as refusal:
        accept_of(InvokeSettings(file="a.csv", top_k=3, accept=accept))
    assert "several media types in ACCEPT" in refusal.value.cause
    assert accept_of(InvokeSettings(file="a.csv", accept=accept)) == accept


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_refused(tmp_path, content):
    """Rather than answered with nothing."""
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError) as refusal:
        request_of(InvokeSettings(file=str(tmp_path / "a.csv")))
    assert "holds no text" in refusal.value.cause


def test_what_is_understood_of_a_table_is_said(tmp_path, capsys):
    """Though the server reads it itself."""
    (tmp_path / "a.csv").write_text("label,text\n7,one\n")
    request_of(InvokeSettings(file=str(tmp_path / "a.csv")))
    assert "a.csv: CSV; text: text; label: label, ignored; sent as it is" in capsys.readouterr().err
