"""The part `job`: the whole `train` program as a user runs it, from a CSV to the exported model."""

import dataclasses
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoConfig

from benchmarks.gpu import project
from benchmarks.gpu.goals import Figure
from benchmarks.gpu.material import Material, is_bert_base, write_rows
from benchmarks.gpu.train_log import Line, is_done, phases_of, values_of

BATCH = 256
_MOST_SECONDS = 165
_VALIDATION_TEXTS = 5000
_LEAST_SHARE = 20  # at most one in so many texts is held out


@dataclasses.dataclass(frozen=True)
class Rows:
    """Which texts of the files are trained on, and which the validation channel holds.

    Attributes:
        train: indices into the training file, repeated where it has too few.
        validation: indices into the file that validation is taken from.
        test: indices into the test file; empty without one.
        is_repeated: whether any training text occurs twice.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    is_repeated: bool


def choose_rows(train_count: int, test_count: int, wanted: int) -> Rows:
    """Draw the rows of the channels.

    Validation is taken out of the test file, or else out of the training file; what is left of that one is repeated
    to the number wanted.

    Args:
        test_count: texts of the test file; 0 = there is none.
        wanted: number of training texts.
    """
    draw = np.random.default_rng(0)
    train, test = draw.permutation(train_count), draw.permutation(test_count)
    source = test if test_count else train
    held_out = max(1, min(_VALIDATION_TEXTS, len(source) // _LEAST_SHARE))
    validation, rest = source[:held_out], source[held_out:]
    usable, test = (train, rest) if test_count else (rest, test)
    return Rows(np.resize(usable, wanted), validation, np.sort(test), wanted > len(usable))


def job(material: Material) -> Iterator[Figure]:
    """Train one epoch with reading, data doctor, evaluation and export; yield the seconds, then those of each phase."""
    folder = material.output / "job"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = _write_channels(material, folder)
    encoder = material.model or _random_base(material, folder / "encoder")
    settings = f"num_train_epochs=1 global_batch_size={BATCH} max_seq_length={project.MAX_LENGTH}"
    channels = {name: folder / f"{name}.csv" for name in ("train", "validation", "test")}
    given = {name: path for name, path in channels.items() if path.exists()}
    root = folder / "ml"
    project.lay_out(root, {**given, "model": encoder}, settings)
    for path in given.values():
        path.unlink()
    lines, seconds, code = _run(root, folder / "train.log")
    texts, phases = len(rows.train), phases_of(lines, seconds)
    yield {
        "texts": texts,
        "seconds": seconds,
        "training_texts_per_second": texts / phases["training"] if is_done(lines) else None,
        "exit_code": code,
        "is_complete": is_done(lines),
        "is_bert_base": is_bert_base(AutoConfig.from_pretrained(encoder)),
        "is_repeated": rows.is_repeated,
        "batch": BATCH,
        "test_texts": len(rows.test),
        "test_accuracy": _last(values_of(lines, "test_accuracy")),
        "validation_accuracy": _last(values_of(lines, "validation_accuracy")),
    }
    for name, taken in phases.items():
        yield {"phase": name, "seconds": taken}
    for unneeded in (root / "input" / "data", root / "checkpoints", folder / "encoder"):
        shutil.rmtree(unneeded, ignore_errors=True)
    if code:
        raise RuntimeError(f"train ended with exit code {code}: its log is {folder / 'train.log'}")


def _write_channels(material: Material, folder: Path) -> Rows:
    """Write the files of the channels, and return their rows."""
    texts, labels = _labelled(material.train)
    test_texts, test_labels = _labelled(material.test) if material.test else ([], [])
    rows = choose_rows(len(texts), len(test_texts), material.texts)
    write_rows(folder / "train.csv", texts, labels, rows.train)
    if material.test is None:
        write_rows(folder / "validation.csv", texts, labels, rows.validation)
    else:
        write_rows(folder / "validation.csv", test_texts, test_labels, rows.validation)
        write_rows(folder / "test.csv", test_texts, test_labels, rows.test)
    return rows


def _labelled(path: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Return the texts of a labelled file and the label of each."""
    texts, targets, labels = project.read_data(path)
    return texts, [labels[index] for index in targets]


def _random_base(material: Material, folder: Path) -> Path:
    """Save a BERT-base of random weights."""
    material.bert_base().base_model.save_pretrained(folder)
    material.tokenizer.save_pretrained(folder)
    return folder


def _run(root: Path, log: Path) -> tuple[list[Line], float, int]:
    """Run `train` for a limited time; return its log, the seconds it took, and its exit code."""
    environ = {**os.environ, "ML_ROOT": str(root), "HF_HUB_OFFLINE": "1"}
    started = time.monotonic()
    command = [sys.executable, str(project.TRAIN_PROGRAM)]
    lines = []
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None
        limit = threading.Timer(_MOST_SECONDS, process.kill)
        limit.start()
        for text in process.stdout:
            lines.append(Line(time.monotonic() - started, text.rstrip("\n")))
            print(f"{lines[-1].seconds:7.2f} {text}", end="", file=file, flush=True)
        limit.cancel()
    return lines, time.monotonic() - started, process.returncode


def _last(values: Sequence[float]) -> Any:
    return values[-1] if values else None


def remarks(figures: Sequence[Figure], model: Path | None) -> Iterator[str]:
    """Yield what a reader of the record must know about the job."""
    yield f"The whole program trains {model or 'a BERT-base of random weights: its accuracy means nothing'}."
    if any(figure.get("is_repeated") for figure in figures):
        yield "The training file has fewer texts than the epoch, and they are repeated: speed only."
    if figures and not figures[0].get("test_texts"):
        yield "Without a test file, validation is held out of the training file."
