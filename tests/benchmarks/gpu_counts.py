"""What a training step asks of a GPU: kernels, copies, synchronisations, and the host's CPU time.

    PYTHONPATH=container:tests python tests/benchmarks/gpu_counts.py --counter MODULE [--data FILE.csv] [--model FOLDER]

MODULE counts the calls of the CUDA runtime: its `counting()` is a context manager that gives a dict with
`kernel_launches`, `matmuls`, `stream_syncs`, `device_syncs`, `event_syncs` and a number of copies by direction. A
stand-in for the CUDA libraries can offer this on a machine without a GPU; no kernel is then computed. Steps are taken
as `fit` takes them: their numbers are read one step late. BERT-base of random weights, bf16, texts at real lengths.
"""

import argparse
import contextlib
import dataclasses
import gc
import importlib
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from bert_classifier.builder import build_dataset, build_label_mapper
from bert_classifier.data.examples import read_examples
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.job.config import TrainConfig
from bert_classifier.label_mapper import class_names
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.batching import Split
from bert_classifier.training.device import use_deterministic_kernels
from bert_classifier.training.trainer import Trainer

SAMPLE = Path(__file__).parents[2] / "local_test" / "test_dir" / "input" / "data"
DEVICE = torch.device("cuda", 0)
MAX_LENGTH = 256
_WARM_UP, _STEPS = 4, 6
_COLUMNS = ("kernels", "copies", "waits", "CPU ms")

Counting = Callable[[], contextlib.AbstractContextManager[dict[str, int]]]


@dataclasses.dataclass(frozen=True)
class Case:
    """What all programs train on."""

    split: Split
    num_classes: int
    tokenizer: Any
    settings: Mapping[str, Any]

    def bert_base(self) -> transformers.PreTrainedModel:
        """Return a BERT-base of random weights, without dropout of attention weights, as in training."""
        torch.manual_seed(0)
        config = transformers.BertConfig(vocab_size=len(self.tokenizer), attention_probs_dropout_prob=0.0)
        config.num_labels = self.num_classes
        config._attn_implementation = "sdpa"
        return transformers.BertForSequenceClassification(config)


def main() -> None:
    """Print one row per program and batch size."""
    arguments = parse_arguments()
    quiet_transformers()
    counting: Counting = importlib.import_module(arguments.counter).counting
    tokenizer = load_tokenizer(arguments.model)
    case = Case(*read_split(arguments.data, tokenizer), tokenizer, json.loads(arguments.settings))
    print(f"torch {torch.__version__}, transformers {transformers.__version__}; per step")
    print(f"| program | batch | {' | '.join(_COLUMNS)} |\n|---|---|{'---|' * len(_COLUMNS)}")
    contenders = {"this project": train_ours, "transformers Trainer": train_theirs}
    for batch, (name, train) in itertools.product(arguments.batch, contenders.items()):
        meter = Meter(counting)
        train(case, batch, meter)
        row = meter.row()
        print(f"| {name} | {batch} | {' | '.join(f'{row[column]:.1f}' for column in _COLUMNS)} |", flush=True)
        gc.collect()


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counter", required=True, help="module that counts calls of the CUDA runtime")
    parser.add_argument("--data", type=Path, default=SAMPLE / "train" / "train.csv", help="labelled CSV")
    parser.add_argument("--model", default=str(SAMPLE / "model"), help="folder whose tokenizer is used")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 256, 1024])
    parser.add_argument("--settings", default="{}", help="further hyperparameters, JSON")
    return parser.parse_args()


def read_split(path: Path, tokenizer: Any) -> tuple[Split, int]:
    """Return the texts of a CSV, tokenised, and its number of classes."""
    dataset = build_dataset([path])
    mapper = build_label_mapper(None, dataset)
    examples = read_examples(dataset, mapper, "train")
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, MAX_LENGTH)
    return Split(encoder.encode_batch(list(examples.texts)), examples.targets), len(class_names(mapper))


class Meter:
    """Counts and times the steps after the warm-up.

    Args:
        counting: of the counter module.
    """

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._within = contextlib.ExitStack()
        self._counts: dict[str, int] = {}
        self._times: list[float] = []

    def note(self, step: int) -> None:
        """Note the end of a step, counted from 1."""
        if step == _WARM_UP:
            torch.cuda.synchronize()
            self._counts = self._within.enter_context(self._counting())
        if _WARM_UP <= step <= _WARM_UP + _STEPS:
            self._times.append(time.process_time())
        if step == _WARM_UP + _STEPS:
            self._within.close()

    def row(self) -> dict[str, float]:
        """Return mean counts per step and the median CPU time of a step, in all threads."""
        counts = self._counts
        copies = sum(counts[name] for name in ("host_to_device", "device_to_host"))
        waits = sum(counts[name] for name in counts if name.endswith("_syncs"))
        return {
            "kernels": (counts["kernel_launches"] + counts["matmuls"]) / _STEPS,
            "copies": copies / _STEPS,
            "waits": waits / _STEPS,
            "CPU ms": 1e3 * statistics.median(np.diff(self._times)),
        }


def train_ours(case: Case, batch: int, meter: Meter) -> None:
    """Take steps of this project's trainer."""
    config = TrainConfig(
        **{
            "global_batch_size": batch,
            "max_seq_length": MAX_LENGTH,
            "num_train_epochs": 1000,
            **case.settings,
        }
    )
    if config.is_reproducible(DEVICE.type):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        use_deterministic_kernels()
    trainer = Trainer(
        case.bert_base(), config, case.split, case.split,
        num_classes=case.num_classes, pad_id=case.tokenizer.pad_token_id, device=DEVICE,
    )  # fmt: skip
    trainer._require_finite = lambda *_: None  # type: ignore[method-assign] # a stand-in computes no losses
    pending = None
    for step in range(_WARM_UP + _STEPS):
        started = trainer.start_step(step)
        if pending is not None:
            pending.report()  # a step late, as in `fit`
        pending = started
        meter.note(step + 1)


class _EndOfStep(transformers.TrainerCallback):
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._meter.note(state.global_step)


def train_theirs(case: Case, batch: int, meter: Meter) -> None:
    """Take steps of transformers' Trainer, in bf16 with its other defaults."""
    encoded = case.split.encoded
    items = [
        {"input_ids": encoded.ids[begin:end].tolist(), "labels": int(target)}
        for begin, end, target in zip(
            encoded.offsets[:-1], encoded.offsets[1:], case.split.targets, strict=True
        )
    ]

    def collate(chosen: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        ids = [item["input_ids"] for item in chosen]
        padded = case.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        return {**padded, "labels": torch.tensor([item["labels"] for item in chosen])}

    with tempfile.TemporaryDirectory() as folder:
        options = transformers.TrainingArguments(
            folder, per_device_train_batch_size=batch, max_steps=_WARM_UP + _STEPS, bf16=True, report_to=[],
            save_strategy="no", logging_strategy="no", disable_tqdm=True, remove_unused_columns=False,
        )  # fmt: skip
        transformers.Trainer(
            case.bert_base(),
            options,
            data_collator=collate,
            train_dataset=items,
            callbacks=[_EndOfStep(meter)],
        ).train()


if __name__ == "__main__":
    main()
