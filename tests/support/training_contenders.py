"""Three ways to train a classifier, which take turns in a benchmark: this project, transformers' Trainer, and a loop.

Each function encodes the texts and returns what trains for one turn, on a new model with the same weights.
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from transformers import Trainer as HubTrainer
from transformers import TrainerCallback, TrainingArguments

from bert_classifier.data.examples import Examples
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.job.config import TrainConfig
from bert_classifier.training.batching import Split
from bert_classifier.training.pending_step import PendingStep
from bert_classifier.training.progress import StepReport
from bert_classifier.training.trainer import Trainer
from support.device_rates import synchronized_time

MAX_LENGTH = 256
_WARM_UP = 2  # steps of each turn that are not measured
_PADDED_TEXTS = 8  # per forward pass of the pad-to-512 loop; BERT-base takes 0.7 GB per text


class Turn:
    """What one contender did in one turn."""

    def __init__(self, seconds: float, examples: int, tokens: int, padded_tokens: int) -> None:
        self.examples_per_second = examples / seconds
        self.tokens_per_second = tokens / seconds
        self.padding_share = 1 - tokens / padded_tokens


def project(
    fresh_model: Callable[[], Any],
    tokenizer: Any,
    examples: Examples,
    classes: int,
    device: torch.device,
    config: TrainConfig,
    steps: int,
) -> Callable[[int], Turn]:
    """Return the project's trainer as a contender."""
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, MAX_LENGTH)
    split = Split(encoder.encode_batch(examples.texts), examples.targets)

    def turn(number: int) -> Turn:
        trainer = Trainer(
            fresh_model(), config, split, split, num_classes=classes, pad_id=encoder.pad_id, device=device
        )
        first = number * (steps + _WARM_UP)
        _take_steps(trainer, range(first, first + _WARM_UP))
        started = synchronized_time(device)
        reports = _take_steps(trainer, range(first + _WARM_UP, first + _WARM_UP + steps))
        return Turn(
            synchronized_time(device) - started,
            sum(r.examples for r in reports),
            sum(r.tokens for r in reports),
            sum(r.padded_tokens for r in reports),
        )

    return turn


def _take_steps(trainer: Trainer, steps: Iterable[int]) -> list[StepReport]:
    """Take optimizer steps as a job does: the numbers of each are read while a GPU computes the next."""
    reports: list[StepReport] = []
    pending: PendingStep | None = None
    for step in steps:
        started = trainer.start_step(step)
        reports += [pending.report()] if pending else []
        pending = started
    return [*reports, pending.report()] if pending else reports


class Stopwatch(TrainerCallback):  # type: ignore[misc]
    """Takes the time from the end of the warm-up to the last step of a transformers Trainer."""

    started = ended = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the time."""
        self.ended = time.perf_counter()
        if state.global_step == _WARM_UP:
            self.started = self.ended


def hub_trainer(
    plain_model: Callable[[], Any], tokenizer: Any, examples: Examples, batch: int, steps: int
) -> Callable[[int], Turn]:
    """Return transformers' Trainer, with dynamic padding, on a GPU in bf16 too, as a contender."""
    encoded = tokenizer(list(examples.texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
    items = [{"input_ids": ids, "labels": int(t)} for ids, t in zip(encoded, examples.targets, strict=True)]
    counts = {"tokens": 0, "padded": 0, "batches": 0}

    def collate(chosen: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        counts["batches"] += 1
        padded = tokenizer.pad({"input_ids": [item["input_ids"] for item in chosen]}, return_tensors="pt")
        if counts["batches"] > _WARM_UP:
            counts["tokens"] += int(padded["attention_mask"].sum())
            counts["padded"] += padded["attention_mask"].numel()
        return {**padded, "labels": torch.tensor([item["labels"] for item in chosen])}

    def turn(number: int) -> Turn:
        counts.update(tokens=0, padded=0, batches=0)
        watch = Stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder, per_device_train_batch_size=batch, max_steps=_WARM_UP + steps, save_strategy="no", report_to=[],
                logging_strategy="no", disable_tqdm=True, seed=number, max_grad_norm=1.0, weight_decay=0.01,
                remove_unused_columns=False, dataloader_drop_last=True, bf16=torch.cuda.is_available(),
            )  # fmt: skip
            HubTrainer(
                plain_model(), arguments, data_collator=collate, train_dataset=items, callbacks=[watch]
            ).train()
        assert watch.started, "the Trainer did not get beyond its warm-up: there is no time to compare"
        share = steps / max(1, counts["batches"] - _WARM_UP)  # the loader may prefetch
        return Turn(
            watch.ended - watch.started,
            steps * batch,
            int(counts["tokens"] * share),
            int(counts["padded"] * share),
        )

    return turn


def padded_loop(
    plain_model: Callable[[str], Any],
    tokenizer: Any,
    examples: Examples,
    device: torch.device,
    batch: int,
    steps: int,
) -> Callable[[int], Turn]:
    """Return the older sample's loop as a contender.

    Every text is padded to 512, the padding attended to (the sample gives no mask), attention spelt out in matrix
    products as the library of its day did. A batch that would not fit a small GPU takes several passes.
    """
    encoded = tokenizer(
        list(examples.texts), truncation=True, max_length=512, padding="max_length", return_tensors="pt"
    )
    targets = torch.from_numpy(examples.targets)

    def turn(number: int) -> Turn:
        model = plain_model("eager").to(device).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
        rows = torch.from_numpy(np.random.default_rng(number).permutation(len(targets))).split(batch)
        started = synchronized_time(device)
        for step in rows[:steps]:
            optimizer.zero_grad()
            for part in step.split(_PADDED_TEXTS):
                logits = model(input_ids=encoded["input_ids"][part].to(device)).logits
                loss = torch.nn.functional.cross_entropy(logits, targets[part].to(device))
                (loss * len(part) / len(step)).backward()
            optimizer.step()
        done = torch.cat(rows[:steps])
        tokens = int(encoded["attention_mask"][done].sum())
        return Turn(synchronized_time(device) - started, len(done), tokens, len(done) * 512)

    return turn
