"""SetFit at its defaults: contrastive fine-tuning of a sentence encoder, then logistic regression on its embeddings.

One epoch over all pairs of training texts, the rarer kind of pairs repeated; batch 16, learning rate 2e-5. With many
texts that takes hours: the setting num_iterations=20 draws 20 pairs of each kind for each text, as in Tunstall et al.
2022. Runs in an environment of its own, with the packages in setfit.txt.
"""

import tempfile

import torch
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

from support.recipe_task import Stopwatch, Task, share_right, texts


def main() -> None:
    """Train and test."""
    task = Task.given()
    torch.set_num_threads(task.threads)
    stopwatch = Stopwatch()
    model = SetFitModel.from_pretrained(task.encoder, device="cpu")
    train = Dataset.from_dict({"text": texts(task.train), "label": task.targets(task.train)})
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, seed=task.seed, report_to="none", show_progress_bar=False, save_strategy="no",
            **task.setting,
        )  # fmt: skip
        trainer = Trainer(model=model, args=arguments, train_dataset=train)
        trainer.train()
    predicted = model.predict(texts(task.test), as_numpy=True)
    steps = trainer.st_trainer.state.global_step
    stopwatch.answer(share_right(predicted.tolist(), task.targets(task.test)), steps=steps)


if __name__ == "__main__":
    main()
