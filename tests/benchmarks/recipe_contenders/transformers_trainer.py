"""transformers' Trainer at its defaults: 3 epochs, learning rate 5e-5 falling to 0, batch 8, dynamic padding."""

import tempfile
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Trainer,
    TrainingArguments,
    set_seed,
)

from support.recipe_task import Row, Stopwatch, Task, share_right


def main() -> None:
    """Train and test."""
    task = Task.given()
    torch.set_num_threads(task.threads)
    stopwatch = Stopwatch()
    set_seed(task.seed)
    tokenizer = AutoTokenizer.from_pretrained(task.encoder)
    model = AutoModelForSequenceClassification.from_pretrained(task.encoder, num_labels=len(task.labels))

    def encoded(rows: list[Row]) -> Any:
        return [
            {**tokenizer(text, truncation=True, max_length=256), "labels": target}
            for (_, text), target in zip(rows, task.targets(rows), strict=True)
        ]

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, seed=task.seed, report_to="none", disable_tqdm=True, save_strategy="no", use_cpu=True,
        )  # fmt: skip
        trainer = Trainer(model, arguments, train_dataset=encoded(task.train), processing_class=tokenizer)
        trainer.train()
        predicted = np.asarray(trainer.predict(encoded(task.test)).predictions).argmax(1)
    stopwatch.answer(
        share_right(predicted.tolist(), task.targets(task.test)), steps=trainer.state.global_step
    )


if __name__ == "__main__":
    main()
