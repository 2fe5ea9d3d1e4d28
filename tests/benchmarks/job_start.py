"""What comes before a job's first step: seconds of each phase on this machine, and what more cores leave of them.

Usage: job_start.py [--data FILE.csv] [--model FOLDER] [--texts N] [--cores N]
"""

import argparse
import contextlib
import csv
import dataclasses
import importlib
import json
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parents[2] / "local_test" / "test_dir" / "input" / "data"


@dataclasses.dataclass
class Phase:
    """Seconds of a phase: by the clock, of all cores, and of these what only one core can do at a time."""

    name: str
    wall: float = 0.0
    cpu: float = 0.0
    single: float = 0.0

    def on(self, cores: int) -> float:
        """Return the least seconds on so many cores: the single-threaded part overlaps with the rest."""
        return max(self.single, self.cpu / cores)


class Phases:
    """Measures phases, and collects them in their order."""

    def __init__(self) -> None:
        self.done: list[Phase] = []

    @contextlib.contextmanager
    def measured(self, name: str) -> Iterator[Phase]:
        """Measure a `with`; it may add to `single` what other threads do under the interpreter's lock."""
        phase = Phase(name)
        wall, cpu, single = time.monotonic(), time.process_time(), time.thread_time()
        yield phase
        phase.wall += time.monotonic() - wall
        phase.cpu += time.process_time() - cpu
        phase.single += time.thread_time() - single
        self.done.append(phase)

    def table(self, cores: int) -> str:
        """Return the phases in Markdown."""
        total = Phase(
            "all", *(sum(getattr(p, field) for p in self.done) for field in ("wall", "cpu", "single"))
        )
        rows = [(p, p.on(cores)) for p in self.done]
        rows.append((total, math.fsum(seconds for _, seconds in rows)))
        return "\n".join(
            (
                f"| phase | seconds here | CPU seconds | of these in one thread | at least on {cores} cores |",
                "|---|---|---|---|---|",
                *(f"| {p.name} | {p.wall:.1f} | {p.cpu:.1f} | {p.single:.1f} | {s:.1f} |" for p, s in rows),
            )
        )


def main() -> None:
    """Take the steps of a job up to its first one, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE / "train" / "train.csv", help="without a header")
    parser.add_argument("--model", type=Path, default=SAMPLE / "model", help="folder of the encoder")
    parser.add_argument(
        "--texts", type=int, default=20_000, help="made of the rows of the data, each with a number"
    )
    parser.add_argument("--cores", type=int, default=16)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = make_root(Path(folder), given.data, given.model, given.texts)
        print(measure(root, Path(folder)).table(given.cores))


def make_root(folder: Path, data: Path, model: Path, count: int) -> Path:
    """Lay out a job in a folder: so many rows, all different, and an encoder."""
    channels = folder / "ml" / "input" / "data"
    (channels / "train").mkdir(parents=True)
    (channels / "model").symlink_to(model.resolve())
    config = folder / "ml" / "input" / "config"
    config.mkdir()
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    settings = {"max_seq_length": "256", "label_column": "1", "text_column": str(len(rows[0]))}
    (config / "hyperparameters.json").write_text(json.dumps(settings))
    with (channels / "train" / "train.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        for number in range(count):
            *others, text = rows[number % len(rows)]
            writer.writerow([*others, f"{text} {number}"])
    return folder / "ml"


def measure(root: Path, folder: Path) -> Phases:
    """Take the steps that `train` takes, one after another; each of several ranks imports and builds a model, too."""
    phases = Phases()
    with phases.measured("imports"):
        prepare = importlib.import_module("bert_classifier.training.prepare")
        worker = importlib.import_module("bert_classifier.training.worker")
    prepare.quiet_transformers()
    from bert_classifier.job.config import TrainConfig
    from bert_classifier.job.environment import Environment
    from bert_classifier.training.distributed import DistributedContext
    from bert_classifier.training.signals import StopSignal

    environment = Environment.read(root, {})
    config = TrainConfig.from_hyperparameters(environment.hyperparameters)
    environment.prepare_outputs()
    with phases.measured("encoder and tokenizer, checked"):
        preparation = prepare._Preparation(config, environment, folder)
    with phases.measured("reading"):
        data = preparation.read()
        understood = preparation.understood(data)
    with (
        phases.measured("tokenising, and a look at each text") as phase,
        counted(preparation._encoder, phase),
    ):
        splits, facts = preparation.encode(data)
    with phases.measured("the data doctor's conclusions"):
        report = preparation.examine(data, splits, facts, understood)
    with phases.measured("digests of the texts"):
        digests = {name: examples.fingerprint() for name, examples in data.channels.items()}
    prepared = prepare.PreparedData(data.labels, None, splits, digests, report.as_json())
    with phases.measured("saved for other ranks"):
        prepared.save(folder)
    with phases.measured("model and trainer, on a CPU"):
        worker._build(config, environment, prepared, StopSignal(), DistributedContext(), time.monotonic())
    return phases


@contextlib.contextmanager
def counted(encoder: Any, phase: Phase) -> Iterator[None]:
    """Add to `single` what the threads that call the tokenizer do themselves; its own threads do the rest."""
    encode_batch, spent = encoder.encode_batch, [0.0]

    def encode(texts: Any) -> Any:
        before = time.thread_time()
        try:
            return encode_batch(texts)
        finally:
            spent.append(time.thread_time() - before)

    encoder.encode_batch = encode
    yield
    phase.single += sum(spent)


if __name__ == "__main__":
    main()
