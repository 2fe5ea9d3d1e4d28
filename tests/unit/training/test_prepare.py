"""The data of a job, prepared by one process and mapped by others."""

import json
import logging
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bert_classifier import builder
from bert_classifier.data.class_words import ClassWords
from bert_classifier.data.doctor.doctor import REPORT_FILE
from bert_classifier.dbpedia import DbpediaDataset
from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.training.prepare import PreparedData, prepare
from bert_classifier.training.signals import Stopped, StopSignal
from support.clear_text import assert_clear
from support.toy_trainer import make_trainer


@pytest.fixture
def prepared(ml_root, tmp_path_factory):
    """Return the data of a toy job."""
    environment = Environment.read(ml_root, {})
    scratch = tmp_path_factory.mktemp("scratch")
    return prepare(TrainConfig(max_seq_length=64), environment, StopSignal(), scratch)


def test_what_was_saved_is_what_is_mapped(prepared, tmp_path):
    """Labels, digests and every array; the arrays stay on disk until they are used, and cannot be changed."""
    prepared.save(tmp_path)
    mapped = PreparedData.load(tmp_path)
    assert list(mapped.labels) == list(prepared.labels)
    assert (mapped.positive, mapped.fingerprints) == (prepared.positive, prepared.fingerprints)
    assert mapped.columns == prepared.columns == {}
    assert list(mapped.splits) == list(prepared.splits) == ["train", "validation", "test"]
    for name, split in prepared.splits.items():
        for field in ("ids", "offsets", "truncated"):
            found = getattr(mapped.splits[name].encoded, field)
            assert isinstance(found, np.memmap)
            assert not found.flags.writeable
            assert np.array_equal(found, getattr(split.encoded, field))
            assert found.dtype == getattr(split.encoded, field).dtype
        assert np.array_equal(mapped.splits[name].targets, split.targets)


def test_the_columns_of_the_training_data_are_known(ml_root, tmp_path):
    """By role, for training.json, also in other processes; without a header there are none."""
    (ml_root / "input" / "data" / "train" / "train.csv").write_text(
        "id;intent;utterance\n"
        + "".join(f"{n};{'Alpha' if n % 2 else 'Beta'};words of {n}\n" for n in range(40))
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = prepare(TrainConfig(), Environment.read(ml_root, {}), StopSignal(), scratch)
    found.save(tmp_path)
    assert PreparedData.load(tmp_path).columns == {"label": "intent", "text": "utterance"}


def test_rows_of_what_is_judged_come_along(prepared, tmp_path):
    """Texts and places of validation and test, in order, for the reports; those of train stay where they are."""
    prepared.save(tmp_path)
    mapped = PreparedData.load(tmp_path)
    assert list(mapped.records) == list(prepared.records) == ["validation", "test"]
    for name in mapped.records:
        records = mapped.records[name]()
        assert list(records.texts) == list(prepared.records[name]().texts)
        assert list(records.places) == list(prepared.records[name]().places)
        assert len(records.texts) == len(mapped.splits[name].targets)
        assert records.places[3] == f"{name}.csv line 4"


def test_the_words_of_the_training_texts_come_along(prepared, tmp_path):
    """For the report, whose process has no training texts: the words that decide in toy texts."""
    prepared.save(tmp_path)
    words = ClassWords.from_json(PreparedData.load(tmp_path).words)
    assert words == ClassWords.from_json(prepared.words)
    assert words.texts == words.looked_at == len(prepared.splits["train"].targets)
    found = dict(zip(prepared.labels, ({word.word for word in of} for of in words.by_class), strict=True))
    assert found["Alpha"] & {"apple", "cherry", "lemon"}
    assert not found["Alpha"] & {"river", "ocean", "harbour", "engine", "wheel", "piston"}


def test_training_from_the_map_is_the_same(tmp_path):
    """A trainer does not notice where its arrays lie."""
    trainer = make_trainer(tmp_path, global_batch_size=8)
    split = trainer.train
    PreparedData(["a", "b", "c"], None, {"train": split}, {}).save(tmp_path)
    mapped = PreparedData.load(tmp_path).splits["train"]
    rows = trainer.order.batch(0)
    expected = trainer.accumulate_gradients(rows, 0).loss
    trainer.engine.planner.split = mapped
    assert trainer.accumulate_gradients(rows, 0).loss == expected
    assert trainer.evaluate(mapped).loss == trainer.evaluate(split).loss


def test_training_texts_without_any_token_are_refused(ml_root, tmp_path):
    """They would be computed as their neighbours, where the tokenizer adds no token to begin a text."""
    path = ml_root / "input" / "data" / "model" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    path.write_text(json.dumps({**tokenizer, "post_processor": {"type": "Sequence", "processors": []}}))
    environment = Environment.read(ml_root, {})
    sound = prepare(TrainConfig(max_seq_length=64), environment, StopSignal(), tmp_path)
    assert sound.splits["train"].encoded.lengths.min() > 0
    with (ml_root / "input" / "data" / "train" / "train.csv").open("a") as file:
        file.write('1,"","\u0301"\n2,"","\u0301\u0301"\n')
    with pytest.raises(
        UserError, match="2 training texts have no token, and the tokenizer adds none"
    ) as caught:
        prepare(TrainConfig(max_seq_length=64), environment, StopSignal(), tmp_path)
    assert_clear(caught.value)


class Killer(logging.Handler):
    """Sends this process SIGTERM as soon as a message begins so."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning = beginning
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        if record.getMessage().startswith(self._beginning):
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def listening() -> Iterator[StopSignal]:
    """Return a stop signal that hears SIGTERM; the test's own handler comes back."""
    before = signal.getsignal(signal.SIGTERM)
    stop = StopSignal()
    stop.listen([signal.SIGTERM])
    yield stop
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("phase", ["reading the data", "tokenising the texts", "examining the data"])
def test_a_signal_in_any_phase_ends_it_there(ml_root, tmp_path, monkeypatch, listening, phase):
    """Nothing of the next phase begins, and no report is left, not even by half."""
    killer, logger = Killer(phase), logging.getLogger("bert_classifier")
    monkeypatch.setattr(logger, "handlers", [killer])
    monkeypatch.setattr(logger, "level", logging.INFO)
    with pytest.raises(Stopped, match="SIGTERM"):
        prepare(TrainConfig(), Environment.read(ml_root, {}), listening, tmp_path)
    assert killer.messages[-1].startswith(phase)
    assert not (ml_root / "output" / "data" / "data_report.json").exists()


def test_what_needs_no_data_begins_when_the_model_is_in_order(ml_root, tmp_path, caplog):
    """Before the data are read; not at all beside a model that cannot be loaded."""
    caplog.set_level(logging.INFO)
    begun: list[list[str]] = []

    def prepare_it() -> None:
        prepare(
            TrainConfig(),
            Environment.read(ml_root, {}),
            StopSignal(),
            tmp_path,
            lambda: begun.append(caplog.messages[:]),
        )

    prepare_it()
    assert len(begun) == 1
    assert "reading the data" not in begun[0]
    assert "reading the data" in caplog.messages
    (ml_root / "input" / "data" / "model" / "config.json").write_text('{"model_type": "nonesuch"}')
    with pytest.raises(UserError):
        prepare_it()
    assert len(begun) == 1


def test_a_dataset_that_never_asks_is_left_too(ml_root, tmp_path, monkeypatch, listening):
    """Own data may take an hour to read: the signal does not wait for its end."""
    read = []

    class Own(DbpediaDataset):
        def __getitem__(self, index: int) -> Any:
            read.append(index)
            if len(read) == 3:
                signal.raise_signal(signal.SIGTERM)
            return super().__getitem__(index)

    monkeypatch.setattr(builder, "build_dataset", Own)
    with pytest.raises(Stopped, match="SIGTERM"):
        prepare(TrainConfig(), Environment.read(ml_root, {}), listening, tmp_path)
    assert read == [0, 1, 2]


def test_a_disk_without_room_for_the_tokens_is_reported(ml_root, tmp_path):
    """The environment's fault, with the two settings that mend it."""
    (tmp_path / "train.ids").symlink_to("/dev/full")
    with pytest.raises(
        PlatformError, match=r"tokens of the texts cannot be .*: No space left on device"
    ) as caught:
        prepare(TrainConfig(), Environment.read(ml_root, {}), StopSignal(), tmp_path)
    assert_clear(caught.value)
    assert "volume_size" in caught.value.remedy
    assert "TMPDIR" in caught.value.remedy


def test_ids_lie_on_the_disk_once(ml_root, tmp_path):
    """They are mapped from the folder that other processes map them from, and saving does not write them again."""
    prepared = prepare(TrainConfig(max_seq_length=64), Environment.read(ml_root, {}), StopSignal(), tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.ids")}
    prepared.save(tmp_path)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.ids")}
    assert before == after
    assert set(before) == {"train.ids", "validation.ids", "test.ids"}
    tokens = sum(len(split.encoded.ids) for split in prepared.splits.values())
    assert sum(path.stat().st_size for path in tmp_path.glob("*.ids")) == 4 * tokens


def test_a_stop_ends_reading(ml_root, tmp_path):
    """A signal during the start is heeded between the steps of reading."""
    stop = StopSignal()
    stop.number = 15
    with pytest.raises(Stopped, match="SIGTERM"):
        prepare(TrainConfig(), Environment.read(ml_root, {}), stop, tmp_path)


def test_a_data_report_that_cannot_be_written_does_not_end_the_job(ml_root, tmp_path, caplog):
    """The model comes first: a warning names the file."""
    environment = Environment.read(ml_root, {})
    (environment.output_dir / REPORT_FILE).mkdir(parents=True)
    found = prepare(TrainConfig(max_seq_length=64), environment, StopSignal(), tmp_path)
    assert found.data_report
    assert f"{environment.output_dir / REPORT_FILE} cannot be written: " in caplog.text
