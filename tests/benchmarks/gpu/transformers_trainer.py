"""transformers' Trainer at its best settings for one GPU, as a rival: what its texts/s are."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from bert_classifier.job.cpu_quota import available_cores
from support.device_rates import synchronized_time

_LARGEST_MICRO_BATCH = 256  # texts; more do not fit beside their padding, and give no speed
_WORKERS = min(4, available_cores())


class _Stopwatch(TrainerCallback):  # type: ignore[misc]
    """Takes the time of the second epoch."""

    started = ended = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the time at the ends of both epochs."""
        if state.global_step == state.max_steps // 2:
            self.started = synchronized_time(torch.device("cuda"))
        elif state.global_step == state.max_steps:
            self.ended = synchronized_time(torch.device("cuda"))


def texts_per_second(
    model: Any, tokenizer: Any, ids: Sequence[list[int]], targets: np.ndarray, batch: int, folder: str
) -> float:
    """Train two epochs; return the texts/s of the second one.

    Settings: bf16, fused AdamW, batches of texts of similar length, padded to a multiple of 8, assembled by worker
    processes in pinned memory; gradients accumulated over micro-batches of 256 texts.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the workers are forks
    items = [{"input_ids": list_, "labels": int(t)} for list_, t in zip(ids, targets, strict=True)]
    micro_batch = min(batch, _LARGEST_MICRO_BATCH)
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=batch // micro_batch,
        num_train_epochs=2,
        bf16=True,
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length",
        dataloader_num_workers=_WORKERS,
        dataloader_persistent_workers=True,
        dataloader_pin_memory=True,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    watch = _Stopwatch()
    collator = DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8)
    trainer = Trainer(model, arguments, data_collator=collator, train_dataset=items, callbacks=[watch])
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return len(items) / (watch.ended - watch.started)
