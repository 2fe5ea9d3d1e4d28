"""Logistic regression (scikit-learn, C = 1) on the frozen encoder's embeddings, the mean over a text's tokens."""

from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoTokenizer

from support.recipe_task import Stopwatch, Task, share_right, texts

_BATCH = 32


def main() -> None:
    """Fit and test."""
    task = Task.given()
    torch.set_num_threads(task.threads)
    stopwatch = Stopwatch()
    tokenizer = AutoTokenizer.from_pretrained(task.encoder)
    encoder = AutoModel.from_pretrained(task.encoder).eval()
    train, test = (embeddings(encoder, tokenizer, texts(rows)) for rows in (task.train, task.test))
    classifier = LogisticRegression(C=1.0, max_iter=2000).fit(train, task.targets(task.train))
    stopwatch.answer(share_right(classifier.predict(test).tolist(), task.targets(task.test)))


@torch.inference_mode()
def embeddings(encoder: Any, tokenizer: Any, given: list[str]) -> np.ndarray:
    """Return the mean of the last layer's vectors over each text's tokens, (texts, width)."""
    order = np.argsort(
        [len(text) for text in given], kind="stable"
    )  # texts of a length pad each other little
    vectors = np.zeros((len(given), encoder.config.hidden_size), np.float64)
    for rows in np.array_split(order, -(-len(order) // _BATCH)):
        encoded = tokenizer(
            [given[row] for row in rows], padding=True, truncation=True, max_length=256, return_tensors="pt"
        )
        mask = encoded["attention_mask"].unsqueeze(-1)
        hidden = encoder(**encoded).last_hidden_state
        vectors[rows] = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    return vectors


if __name__ == "__main__":
    main()
