"""Every file that a tool writes comes out as it should: the right labels and texts, or a refusal that helps."""

from pathlib import Path

import pytest

from bert_classifier.data.reader_settings import DataFiles, ReaderSettings
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import UserError
from bert_classifier.job.environment import Channel
from support.clear_text import assert_clear
from support.tool_files import STRAIGHT_FROM_TOOLS, TOOL_FILES
from support.tool_files.made import Labels, ToolFile, write_files


def dataset_of(folder: Path, case: ToolFile) -> DbpediaDataset:
    """Return the dataset of a tool's files in the train channel, as a job with the case's settings reads them."""
    write_files(folder, case)
    files = Channel("train", folder).files()
    return DbpediaDataset(DataFiles(files, ReaderSettings(**case.settings), root=folder))


def pairs_of(dataset: DbpediaDataset) -> list[tuple[Labels, str]]:
    """Return (label, text), or (labels, text), of all items, in order."""
    return [(label, text) for text, label in (dataset[index] for index in range(len(dataset)))]


def cases(*outcomes: str) -> list[str]:
    """Return the keys of the files that should come out so."""
    return [key for key, case in TOOL_FILES.items() if case.outcome in outcomes]


@pytest.mark.parametrize("key", cases("read"))
def test_a_tools_file_is_read(tmp_path, key):
    """Label and text of each row are those that the tool was given, and each column's role is said."""
    dataset = dataset_of(tmp_path, TOOL_FILES[key])
    assert pairs_of(dataset) == list(TOOL_FILES[key].pairs)
    for understood in dataset.understood:
        assert understood["columns"]["label"] or understood["label_columns"]
        assert understood["columns"]["text"]


@pytest.mark.parametrize("key", cases("refused"))
def test_a_tools_file_is_refused(tmp_path, key):
    """What cannot be read right is refused with what was understood, and quotes no text."""
    with pytest.raises(UserError) as refusal:
        dataset_of(tmp_path, TOOL_FILES[key])
    assert_refused_well(refusal.value, TOOL_FILES[key])


@pytest.mark.parametrize("key", cases("either"))
def test_a_tools_file_is_never_read_wrong(tmp_path, key):
    """Where a file breaks its form's rules, it is read as it was meant, or refused."""
    try:
        dataset = dataset_of(tmp_path, TOOL_FILES[key])
    except UserError as error:
        assert_refused_well(error, TOOL_FILES[key])
    else:
        assert pairs_of(dataset) == list(TOOL_FILES[key].pairs)


def assert_refused_well(error: UserError, case: ToolFile) -> None:
    """Assert that a message is clear, holds what it must, names a file and quotes no text."""
    message = str(error)
    assert_clear(error)
    assert [word for word in case.says if word.lower() not in message.lower()] == [], message
    texts = [line for content in case.files.values() for line in content.decode("latin-1").split("\n")]
    assert not any(line in message for line in texts if len(line.split()) > 5)


def test_twenty_files_straight_from_their_tools_need_no_setting():
    """The commonest file of each of twenty tools is read at the first try."""
    assert len({*STRAIGHT_FROM_TOOLS}) == 20
    assert [key for key in STRAIGHT_FROM_TOOLS if TOOL_FILES[key].settings] == []
    assert {TOOL_FILES[key].outcome for key in STRAIGHT_FROM_TOOLS} == {"read"}
