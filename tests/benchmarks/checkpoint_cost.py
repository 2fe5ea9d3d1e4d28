"""What checkpoints of a BERT-base (110 M parameters) cost: size, seconds, and the share of training time.

    PYTHONPATH=container:tests python tests/benchmarks/checkpoint_cost.py

Steps without and with a save under way take turns; the difference is what a save takes from training.
"""

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.job.config import TrainConfig
from bert_classifier.training.batching import Split
from bert_classifier.training.device import choose_device, pin_threads
from bert_classifier.training.state.snapshot import take_snapshot
from bert_classifier.training.state.store import CheckpointStore
from bert_classifier.training.trainer import Trainer

INTERVAL = TrainConfig.checkpoint_interval_seconds


def main() -> None:
    """Measure and print one row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where the checkpoints go (default: a temporary folder)")
    given = parser.parse_args()
    pin_threads()
    trainer = make_trainer()
    trainer.train_step(0)
    trainer.state.step = 1
    trainer.best_weights = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        store = CheckpointStore(Path(folder), {"benchmark": 1})
        rows = [measure(trainer, store) for _ in range(given.rounds)]
        size = next(Path(folder).iterdir()).stat().st_size
    blocked, written, extra = (statistics.median(column) for column in zip(*rows, strict=True))
    print(
        f"{size / 1e6:.0f} MB; training waits {blocked:.2f} s for the copy, writing takes {written:.1f} s beside it and"
        f" slows training by {extra:.2f} s: {(blocked + max(0.0, extra)) / INTERVAL:.2%} at {INTERVAL} s"
    )


def make_trainer() -> Trainer:
    """Return a trainer of a random BERT-base on made-up token ids."""
    texts, length = 64, 64
    ids = np.random.default_rng(0).integers(1000, 20_000, texts * length).astype(np.int32)
    encoded = EncodedTexts(ids, np.arange(texts + 1) * length, np.zeros(texts, dtype=bool))
    split = Split(encoded, np.arange(texts) % 14)
    config = BertConfig()
    config.num_labels = 14
    model = BertForSequenceClassification(config)
    settings = TrainConfig(global_batch_size=4, num_train_epochs=100)
    return Trainer(model, settings, split, split, num_classes=14, pad_id=0, device=choose_device())


def measure(trainer: Trainer, store: CheckpointStore) -> tuple[float, float, float]:
    """Return seconds that training waits, that writing takes, and that steps take longer meanwhile."""
    plain = timed_steps(trainer, 3) / 3
    started = time.monotonic()
    snapshot = take_snapshot(trainer)
    blocked = time.monotonic() - started
    with ThreadPoolExecutor(1) as writer:
        started = time.monotonic()
        saving = writer.submit(store.save, snapshot)
        steps = 0
        while not saving.done():
            timed_steps(trainer, 1)
            steps += 1
        busy = time.monotonic() - started
        saving.result()  # what was not written must not count as written fast
    trainer.state.step += 1
    return blocked, busy, busy - steps * plain


def timed_steps(trainer: Trainer, count: int) -> float:
    """Return the seconds of some optimizer steps."""
    started = time.monotonic()
    for step in range(count):
        trainer.train_step(step)
    return time.monotonic() - started


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
