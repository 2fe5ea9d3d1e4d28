"""The data of a job, prepared by one process and mapped by others."""

import numpy as np
import pytest

from bert_classifier.config import TrainConfig
from bert_classifier.environment import Environment
from bert_classifier.training.prepare import Prepared, prepare
from bert_classifier.training.signals import Stopped, StopSignal
from toy_trainer import make_trainer


@pytest.fixture
def prepared(ml_root):
    """Return the data of a toy job."""
    environment = Environment.read(ml_root, {})
    return prepare(TrainConfig(max_seq_length=64), environment, StopSignal())


def test_what_was_saved_is_what_is_mapped(prepared, tmp_path):
    """Labels, digests and every array; the arrays stay on disk until they are used, and cannot be changed."""
    prepared.save(tmp_path)
    mapped = Prepared.load(tmp_path)
    assert list(mapped.labels) == list(prepared.labels)
    assert (mapped.positive, mapped.fingerprints) == (prepared.positive, prepared.fingerprints)
    assert list(mapped.splits) == list(prepared.splits) == ["train", "validation", "test"]
    for name, split in prepared.splits.items():
        for field in ("ids", "offsets", "truncated"):
            found = getattr(mapped.splits[name].encoded, field)
            assert isinstance(found, np.memmap)
            assert not found.flags.writeable
            assert np.array_equal(found, getattr(split.encoded, field))
            assert found.dtype == getattr(split.encoded, field).dtype
        assert np.array_equal(mapped.splits[name].targets, split.targets)


def test_rows_of_what_is_judged_come_along(prepared, tmp_path):
    """Texts and places of validation and test, in order, for the reports; those of train stay where they are."""
    prepared.save(tmp_path)
    mapped = Prepared.load(tmp_path)
    assert list(mapped.rows) == list(prepared.rows) == ["validation", "test"]
    for name in mapped.rows:
        rows = mapped.rows[name]()
        assert rows == prepared.rows[name]()
        assert len(rows.texts) == len(mapped.splits[name].targets)
        assert rows.places[3] == f"{name}.csv line 4"


def test_training_from_the_map_is_the_same(tmp_path):
    """A trainer does not notice where its arrays lie."""
    trainer = make_trainer(tmp_path, global_batch_size=8)
    split = trainer.train
    Prepared(["a", "b", "c"], None, {"train": split}, {}).save(tmp_path)
    mapped = Prepared.load(tmp_path).splits["train"]
    rows = trainer.order.batch(0)
    expected = trainer.accumulate_gradients(rows, 0).loss
    trainer.accumulator._split = mapped
    assert trainer.accumulate_gradients(rows, 0).loss == expected
    assert trainer.evaluate(mapped).loss == trainer.evaluate(split).loss


def test_told_to_stop_it_does_not_read_on(ml_root):
    """A signal during the start is heeded between the steps of reading."""
    stop = StopSignal()
    stop.number = 15
    with pytest.raises(Stopped, match="SIGTERM"):
        prepare(TrainConfig(), Environment.read(ml_root, {}), stop)
