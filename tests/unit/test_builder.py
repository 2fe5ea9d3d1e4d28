"""The builder: which files become which part of the data, and what is said of jobs whose parts do not fit."""

import logging
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.builder import build_data, build_model
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Channel, Environment
from support.clear_text import assert_clear

ROWS = "1,apple\n2,river\n1,cherry\n2,ocean\n1,lemon\n"


def environment_of(folder: Path, **channels: dict[str, str]) -> Environment:
    """Return a job with these channels; each is a dict of file names and contents."""
    for name, files in channels.items():
        (folder / name).mkdir(parents=True)
        for file, content in files.items():
            (folder / name / file).parent.mkdir(exist_ok=True)
            (folder / name / file).write_text(content, encoding="utf-8", newline="")
    found = {name: Channel(name, folder / name) for name in channels}
    return Environment(root=folder, hyperparameters={}, channels=found)


def test_channels_become_parts_of_the_data(tmp_path):
    """Train, validation and test are read apart, with the classes of classes.txt in its order."""
    environment = environment_of(
        tmp_path,
        train={"a.csv": ROWS, "b.jsonl": '{"label": "Water", "text": "lake"}\n'},
        validation={"v.csv": "Water,sea\n"},
        test={"t.csv": "1,pear\n2,pond\n"},
        **{"class": {"classes.txt": "Fruit\nWater\n"}},
    )
    data = build_data(TrainConfig(), environment)
    assert list(data.labels) == ["Fruit", "Water"]
    assert list(data.train.texts) == ["apple", "river", "cherry", "ocean", "lemon", "lake"]
    assert data.train.targets.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.validation is not None
    assert (list(data.validation.texts), data.validation.targets.tolist()) == (["sea"], [1])
    assert data.test is not None
    assert (list(data.test.texts), data.test.targets.tolist()) == (["pear", "pond"], [0, 1])


def test_one_file_of_a_channel_can_be_named(tmp_path):
    """train_file and validation_file pick one file where a channel holds several."""
    environment = environment_of(
        tmp_path,
        train={"a.csv": ROWS, "b.csv": "1,only\n2,these\n"},
        validation={"x.csv": "9,wrong\n", "y.csv": "1,right\n"},
    )
    data = build_data(TrainConfig(train_file="b.csv", validation_file="y.csv"), environment)
    assert list(data.train.texts) == ["only", "these"]
    assert data.validation is not None
    assert list(data.validation.texts) == ["right"]


def test_without_validation_a_part_of_train_is_held_out(tmp_path, caplog):
    """The split has the share and the seed of the settings, and the log says that it was made."""
    environment = environment_of(tmp_path, train={"a.csv": ROWS * 4})
    parts = []
    for seed in (1, 1, 2):
        with caplog.at_level(logging.INFO, logger="bert_classifier"):
            data = build_data(TrainConfig(validation_split=0.25, seed=seed), environment)
        assert data.validation is not None
        assert (len(data.train), len(data.validation), data.test) == (15, 5, None)
        parts.append((data.train.fingerprint(), data.validation.fingerprint()))
    assert parts[0] == parts[1] != parts[2]
    assert "no validation channel: holding out 5 texts of train" in caplog.text


def test_with_cross_validation_nothing_is_held_out(tmp_path, caplog):
    """All texts are trained on; more than a fold can pay for are warned of, far more refused."""
    config = TrainConfig(cross_validation=5)
    data = build_data(config, environment_of(tmp_path / "few", train={"a.csv": ROWS * 4}))
    assert (len(data.train), data.validation, data.is_held_out) == (20, None, False)
    assert caplog.text == ""
    build_data(config, environment_of(tmp_path / "many", train={"a.csv": ROWS * 601}))
    assert "cross_validation=5 trains 6 models on 3,005 texts" in caplog.text
    with pytest.raises(
        UserError, match=r"on 10,005 texts, one after the other; it is for up to 10,000"
    ) as error:
        build_data(config, environment_of(tmp_path / "too_many", train={"a.csv": ROWS * 2001}))
    assert_clear(error.value)


def test_labels_are_learnt_without_a_class_file(tmp_path):
    """Where nobody lists the classes, the labels of the training data are the classes, numbers by size."""
    environment = environment_of(tmp_path, train={"a.csv": "10,a\n9,b\n10,c\n9,d\n"})
    data = build_data(TrainConfig(), environment)
    assert list(data.labels) == ["9", "10"]


def test_class_file_may_lie_beside_the_training_data(tmp_path):
    """classes.txt in the train channel does; that of the class channel comes first."""
    beside = {"a.csv": ROWS, "classes.txt": "\ufeffFruit \r\nWater\r\n\r\n"}
    environment = environment_of(tmp_path / "one", train=beside)
    assert list(build_data(TrainConfig(), environment).labels) == ["Fruit", "Water"]
    environment = environment_of(tmp_path / "two", train=beside, **{"class": {"classes.txt": "A\nB\n"}})
    assert list(build_data(TrainConfig(), environment).labels) == ["A", "B"]


def test_class_file_of_another_name(tmp_path):
    """class_file names it."""
    environment = environment_of(tmp_path, train={"a.csv": ROWS}, **{"class": {"names": "A\nB"}})
    assert list(build_data(TrainConfig(class_file="names"), environment).labels) == ["A", "B"]


BAD_JOBS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no train channel": ({"validation": {"v.csv": ROWS}}, {}, "The job has no train channel"),
    "empty train channel": (
        {"train": {}},
        {},
        r"Channel train .* has no data file with content: it is empty",
    ),
    "one column": ({"train": {"a.csv.gz": "x"}}, {}, r"^a\.csv\.gz has one column"),
    "half a Parquet file": (
        {"train": {"sub/a.parquet": "PAR1"}},
        {},
        r"^sub/a\.parquet is Parquet, but its end is missing",
    ),
    "a file in a sub-folder": (
        {"train": {"2026/a.csv": ROWS + "1,two,three\n"}},
        {},
        r": 2026/a\.csv line 6: it has 3 cells",
    ),
    "train_file not there": ({"train": {"a.csv": ROWS}}, {"train_file": "b.csv"}, r"has no file b\.csv"),
    "header only": ({"train": {"a.csv": "label,text\n"}}, {}, "The train channel has no usable row"),
    "texts all empty": ({"train": {"a.csv": "1,\n2,\n"}}, {}, "The train channel has no usable row"),
    "one class only": (
        {"train": {"a.csv": "1,a\n1,b\n"}},
        {},
        r"needs at least two classes, and the only label is '1'",
    ),
    "one class of two": (
        {"train": {"a.csv": "1,a\n1,b\n"}, "class": {"classes.txt": "A\nB\n"}},
        {},
        "The training data hold only one class",
    ),
    "class channel without its file": (
        {"train": {"a.csv": ROWS}, "class": {"names.txt": "A\nB\n"}},
        {},
        r"No channel, class or train, has the file classes\.txt",
    ),
    "class_file not there": (
        {"train": {"a.csv": ROWS}},
        {"class_file": "names.txt"},
        r"No channel, class or train, has the file names\.txt",
    ),
    "blank line among the classes": (
        {"train": {"a.csv": ROWS}, "class": {"classes.txt": "A\n \nB\n"}},
        {},
        r"classes\.txt line 2 is empty",
    ),
    "no class listed": (
        {"train": {"a.csv": ROWS}, "class": {"classes.txt": "\n\n"}},
        {},
        r"needs at least two classes, and class/classes\.txt lists no class",
    ),
    "a class listed twice": (
        {"train": {"a.csv": ROWS}, "class": {"classes.txt": "A\nB\nA\n"}},
        {},
        "gives several classes the name 'A'",
    ),
    "class file not UTF-8": (
        {"train": {"a.csv": ROWS, "classes.txt": "A\nB\n"}, "class": {"classes.txt": "A\n\x00\n"}},
        {},
        r"reverse_map\(1\) gives",
    ),
    "label beyond the classes": (
        {"train": {"a.csv": ROWS + "3,x\n"}, "class": {"classes.txt": "A\nB\n"}},
        {},
        r"a\.csv line 6: label '3' is neither a class name nor a number from 1 to 2",
    ),
    "label of validation only": (
        {"train": {"a.csv": ROWS}, "validation": {"v.csv": "1,a\n0,b\n"}},
        {},
        r"v\.csv line 2: label '0' is not a class name",
    ),
    "label of test only": (
        {"train": {"a.csv": "a,x\nb,y\na,x\nb,y\n"}, "test": {"t.csv": "c,z\n"}},
        {},
        r"t\.csv line 1: label 'c' is not a class name\. ",
    ),
    "too few rows to split": (
        {"train": {"a.csv": "1,a\n2,b\n"}},
        {},
        "Every label of train occurs only once",
    ),
}


@pytest.mark.parametrize("name", BAD_JOBS)
def test_bad_job_is_refused(tmp_path, name):
    """Before a model is loaded, the message names channel, file and line, and what to do."""
    channels, settings, expected = BAD_JOBS[name]
    environment = environment_of(tmp_path, **channels)
    with pytest.raises(UserError, match=expected) as caught:
        build_data(TrainConfig(**settings), environment)
    assert_clear(caught.value)


def test_model_channel_comes_before_the_name(pretrained):
    """With a model channel nothing is looked up by name, and freeze_encoder is obeyed."""
    environment = Environment(
        root=pretrained, hyperparameters={}, channels={"model": Channel("model", pretrained)}
    )
    config = TrainConfig(model_name="no/such-model", max_seq_length=32, freeze_encoder=True)
    model, tokenizer = build_model(config, environment, ["a", "b", "c", "d"])
    assert model.config.id2label == {0: "a", 1: "b", 2: "c", 3: "d"}
    assert len(tokenizer) <= model.config.vocab_size
    assert not model.bert.embeddings.word_embeddings.weight.requires_grad
    assert model.classifier.weight.requires_grad


def test_model_name_may_be_a_folder(pretrained, tmp_path):
    """Without a model channel, model_name is a folder or a name on the hub."""
    environment = Environment(root=tmp_path, hyperparameters={}, channels={})
    config = TrainConfig(model_name=str(pretrained), max_seq_length=32)
    model, _ = build_model(config, environment, ["a", "b"])
    assert model.num_labels == 2
    assert all(p.requires_grad for p in model.parameters())


def test_model_that_is_not_there_is_refused(tmp_path):
    """A model that neither a folder nor the hub has is refused with the way around the network."""
    environment = Environment(root=tmp_path, hyperparameters={}, channels={})
    with pytest.raises(UserError, match=r"There is no folder \./missing") as caught:
        build_model(TrainConfig(model_name="./missing"), environment, ["a", "b"])
    assert_clear(caught.value)
