"""Input channels: which folders count, which files in them, and what is said when there are none."""

import gzip
import json
import os

import pytest

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.environment import Channel, Environment


@pytest.fixture
def folder(tmp_path):
    """Return the empty folder of a train channel."""
    path = tmp_path / "input" / "data" / "train"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def channel(folder):
    """Return a train channel without files."""
    return Channel("train", folder)


def fill(folder, *names, content="1,a,b\n"):
    """Put files into a folder, making folders on the way."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def read(root, **declared):
    """Read the channels of a tree, of which some are declared."""
    config = root / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "inputdataconfig.json").write_text(json.dumps(declared))
    return Environment.read(root, {}).channels


def names(channel, **options):
    """Return the data files of a channel, relative to its folder."""
    return [str(path.relative_to(channel.path)) for path in channel.files(**options)]


def refusal(channel, **options):
    """Return the whole sentence that a channel without data is refused with."""
    with pytest.raises(UserError) as caught:
        channel.files(**options)
    return str(caught.value)


@pytest.mark.parametrize(("given", "own"), [("training", "train"), ("val", "validation"), ("train", "train")])
def test_channel_names_and_their_aliases(tmp_path, given, own):
    """The SDK's `training` and the older sample's `val` mean train and validation."""
    (tmp_path / "input" / "data" / given).mkdir(parents=True)
    channels = read(tmp_path, **{given: {"TrainingInputMode": "FastFile"}})
    assert channels == {own: Channel(own, tmp_path / "input" / "data" / given)}


@pytest.mark.parametrize(("first", "second"), [("train", "training"), ("val", "validation")])
def test_channel_and_its_alias_together_are_refused(tmp_path, first, second):
    """Two folders for one channel leave open which is meant."""
    fill(tmp_path / "input" / "data", f"{first}/a.csv", f"{second}/a.csv")
    with pytest.raises(UserError, match=f"Channels {first} and {second} are the same channel"):
        read(tmp_path)


def test_folders_count_without_being_declared(tmp_path):
    """On a laptop a folder is a channel by being there; hidden ones and files beside them are not."""
    fill(tmp_path / "input" / "data", "train/a.csv", "test/a.csv", ".cache/a.csv", "notes.csv")
    assert sorted(read(tmp_path)) == ["test", "train"]


def test_declared_channel_without_folder_is_refused(tmp_path, folder):
    """A channel that the job declares but that did not arrive is named with its place."""
    with pytest.raises(UserError, match=r"Channel test is declared, but .*/input/data/test is not a folder"):
        read(tmp_path, train={}, test={"TrainingInputMode": "File"})


@pytest.mark.parametrize(
    "declared", [{}, None, "text", {"ContentType": "text/csv"}, {"TrainingInputMode": "File"}]
)
def test_incomplete_declaration_means_file_mode(tmp_path, folder, declared):
    """A declaration may leave out everything, as the local mode of the SDK does."""
    assert list(read(tmp_path, train=declared)) == ["train"]


def test_pipe_mode_is_refused(tmp_path):
    """Pipe mode is refused by name, with the modes that work, even though no folder is there."""
    with pytest.raises(UserError, match="Channel train has input mode Pipe") as caught:
        read(tmp_path, train={"TrainingInputMode": "Pipe"})
    assert "FastFile" in caught.value.remedy


@pytest.mark.parametrize("name", ["../../etc", "a/b", "nul\0", "\ud800", ".", "x" * 300])
def test_impossible_channel_name_is_refused(tmp_path, folder, name):
    """A declared name that is no folder's name is refused like one that did not arrive."""
    with pytest.raises(UserError, match="is declared, but"):
        read(tmp_path, **{name: {}})


def test_missing_required_channel_lists_those_there_are(tmp_path, folder):
    """The message lists the job's channels and says how to add one."""
    environment = Environment.read(tmp_path, {})
    assert environment.required_channel("train").path == folder
    with pytest.raises(UserError, match=r"no validation channel \(channels: train\)") as caught:
        environment.required_channel("validation")
    assert "fit({'validation': 's3://" in caught.value.remedy


def test_no_channels_at_all(tmp_path):
    """Without any channel the message says none."""
    (tmp_path / "input").mkdir()
    with pytest.raises(UserError, match=r"no train channel \(channels: none\)"):
        Environment.read(tmp_path, {}).required_channel("train")


def test_files_are_found_recursively_and_in_a_fixed_order(folder, channel):
    """CSV and JSON Lines files count at any depth, in any case of suffix, sorted by their path."""
    fill(folder, "b.csv", "a.jsonl", "deep/er/c.CSV", "deep/a.csv")
    assert names(channel) == ["a.jsonl", "b.csv", "deep/a.csv", "deep/er/c.CSV"]


def test_hidden_files_and_markers_do_not_count(folder, channel):
    """Hidden files and folders, S3 consoles' empty markers and other kinds of files are passed over."""
    fill(
        folder, "a.csv", ".hidden.csv", ".ipynb_checkpoints/a.csv", "classes.txt", "a.csv.gz", "manifest.json"
    )
    fill(folder, "empty.csv", "deep_$folder$", "sub/empty.jsonl", content="")
    assert names(channel) == ["a.csv"]


def test_links_to_files_count_and_loops_do_not_hang(folder, channel, tmp_path):
    """A link to a file is a file; links to folders, to nothing and to themselves are passed over."""
    fill(tmp_path, "elsewhere/real.csv")
    (folder / "link.csv").symlink_to(tmp_path / "elsewhere" / "real.csv")
    (folder / "loop").symlink_to(folder)
    (folder / "self.csv").symlink_to(folder / "self.csv")
    (folder / "gone.csv").symlink_to(folder / "nothing")
    assert names(channel) == ["link.csv"]


@pytest.mark.parametrize(
    ("present", "contents"),
    [
        ([], "with content: it is empty"),
        ([".hidden.csv"], "with content: it is empty"),
        (["train.csv.zip"], "by its name: it holds train.csv.zip"),
        (["_temporary/0/part-00000.csv"], "with content: it is empty"),
        (["README.txt", "dataset_info.json"], "by its name: it holds README.txt, dataset_info.json"),
        (["deep/a.txt"], "by its name: it holds deep/a.txt"),
        ([f"{n}.xlsx" for n in range(7)], "by its name: it holds 0.xlsx, 1.xlsx, 2.xlsx, 3.xlsx, 4.xlsx …"),
    ],
)
def test_channel_without_data_says_what_it_holds(folder, channel, present, contents):
    """A channel without usable files is named with its path, what is there and what is wanted."""
    fill(folder, *present)
    sentence = refusal(channel)
    assert f"Channel train ({folder}) has no data file {contents}." in sentence
    assert "files named .csv .jsonl .tsv" in sentence


@pytest.mark.parametrize(
    ("present", "read"),
    [
        ("a.csv b.JSONL c.csv.gz d.tsv e.parquet", "a.csv b.JSONL"),
        ("a.csv.gz b.jsonl.gzip c.tsv", "a.csv.gz b.jsonl.gzip"),
        ("a.tsv b.ndjson c.parquet d.manifest e.tsv.gz f.json", "a.tsv b.ndjson c.parquet d.manifest"),
        ("a.parquet.gzip b.tsv.gz train.json", "a.parquet.gzip b.tsv.gz"),
        ("train.json dataset_info.json README.txt train.json.gz", "train.json"),
        ("_SUCCESS ._SUCCESS.crc .part-0.csv.gz.crc part-0-1f.c000.csv.gz", "part-0-1f.c000.csv.gz"),
        ("part-0-1f.c000.snappy.parquet _metadata", "part-0-1f.c000.snappy.parquet"),
    ],
)
def test_other_suffixes_count_where_no_csv_or_json_lines_lie(folder, channel, present, read):
    """Plain files before packed ones, tables before JSON and text, and never what only describes data."""
    fill(folder, *present.split())
    assert names(channel) == read.split()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_text_is_data_in_the_form_of_fasttext_only(folder, channel, pack):
    """Its first line says so; the list of classes is no data, whatever it holds."""
    name = "a.txt" if pack is bytes else "a.txt.gz"
    (folder / name).write_bytes(pack(b"\xef\xbb\xbf\n__label__a some text\n"))
    (folder / f"notes-{name}").write_bytes(pack(b"some text\n"))
    (folder / "classes.txt").write_bytes(b"__label__a\n")
    assert names(channel, class_file="classes.txt") == [name]


def test_files_that_are_not_read_are_named(folder, channel):
    """A copy and a spreadsheet beside the data; not the list of classes, hidden or empty files, or descriptions."""
    fill(folder, "a.csv", "a.csv.gz", "b.xlsx", "classes.txt", "README.md", "LICENSE", ".c.csv", "_SUCCESS")
    fill(folder, "empty.tsv", content="")
    assert channel.passed_over(channel.files(), "classes.txt") == ["a.csv.gz", "b.xlsx"]
    (folder / "a.csv").unlink()
    (folder / "a.csv.gz").unlink()
    assert channel.passed_over([], "classes.txt") == []


def test_one_file_can_be_picked(folder, channel):
    """With a file's name only that file counts, also one without the usual suffix or in a folder."""
    fill(folder, "a.csv", "b.csv", "deep/c.txt")
    assert names(channel, only="b.csv") == ["b.csv"]
    assert names(channel, only="deep/c.txt") == ["deep/c.txt"]


@pytest.mark.parametrize("only", ["missing.csv", "../outside.csv", ".hidden.csv", "x" * 256])
def test_picked_file_that_is_not_there_is_refused(folder, channel, only):
    """A name that is not among the visible files of the channel is refused, listing what is there."""
    fill(folder, "a.csv", "../outside.csv", ".hidden.csv")
    assert f"has no file {only}: it holds a.csv." in refusal(channel, only=only)


def test_pipe_in_a_channel_is_refused(folder, channel):
    """A FIFO is refused by name instead of waiting for ever for its writer."""
    fill(folder, "a.csv")
    os.mkfifo(folder / "train_0")
    assert "holds the pipe" in refusal(channel)
    assert "train_0" in refusal(channel)


def test_find_returns_a_file_or_none(folder, channel):
    """A single file is found by name; a folder, nothing, and an impossible name are none."""
    fill(folder, "classes.txt", "folder/x")
    assert channel.find("classes.txt") == folder / "classes.txt"
    for name in ("folder", "missing.txt", "x" * 256):
        assert channel.find(name) is None


def test_channel_that_vanishes_is_the_platforms_fault(tmp_path):
    """A folder that is gone when it is read is reported as a mount to check, not as missing data."""
    with pytest.raises(PlatformError, match=r"Channel train cannot be read: .*gone") as caught:
        Channel("train", tmp_path / "gone").files()
    assert "mount" in caught.value.remedy
