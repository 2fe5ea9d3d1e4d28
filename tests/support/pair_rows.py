"""Toy pairs of texts whose label is decided by both together, and a job that learns them."""

import csv
import json
import random
import shutil
from pathlib import Path

from support.encoders import make_encoder
from support.fakes import make_ml_root

SETTINGS = {
    "num_train_epochs": "3",
    "global_batch_size": "8",
    "logging_steps": "1",
    "learning_rate": "0.004",
    "max_seq_length": "32",
}
_TOPICS = (("apple", "cherry", "lemon"), ("river", "ocean", "harbour"), ("engine", "wheel", "piston"))


def pair_rows(rows: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """Return (label, first, second): "same" where both are on one topic; some pairs are longer than 32 tokens."""
    draw = random.Random(seed)
    found = []
    for number in range(rows):
        first = draw.randrange(3)
        second = first if number % 2 else (first + draw.choice([1, 2])) % 3
        texts = [
            " ".join(draw.choices(_TOPICS[topic], k=draw.choice([2, 4, 9, 25]))) for topic in (first, second)
        ]
        found.append(("same" if number % 2 else "other", texts[0], texts[1]))
    return found


def pair_job(root: Path, family: str = "bert", **settings: str) -> Path:
    """Make a picture of /opt/ml with toy pairs and a toy encoder of a family."""
    make_ml_root(root, rows=12, hyperparameters={**SETTINGS, **settings})
    data = root / "input" / "data"
    shutil.rmtree(data / "class")
    shutil.rmtree(data / "model")
    make_encoder(data / "model", family, tokens=64)
    for seed, (channel, count) in enumerate({"train": 48, "validation": 24, "test": 24}.items()):
        with (data / channel / f"{channel}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("label", "premise", "hypothesis"), *pair_rows(count, seed)])
    channels = root / "input" / "config" / "inputdataconfig.json"
    given = json.loads(channels.read_text(encoding="utf-8"))
    del given["class"]
    channels.write_text(json.dumps(given), encoding="utf-8")
    (root / "checkpoints").mkdir()
    return root
