"""What one optimizer step of a BERT encoder needs in memory, by the number of gradient groups.

    PYTHONPATH=container:tests python tests/benchmarks/gradient_memory.py

Peak resident memory above what was there before the step; a first step has filled what is filled once.
"""

import argparse

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.job.config import TrainConfig
from bert_classifier.training.batching import Split
from bert_classifier.training.device import choose_device, pin_threads
from bert_classifier.training.trainer import Trainer
from support.peak_memory import peak_growth


def main() -> None:
    """Measure and print one row for each number of gradient groups."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groups", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--layers", type=int, default=6)
    given = parser.parse_args()
    pin_threads()
    trainer = make_trainer(given.layers)
    gradient = sum(p.numel() * p.element_size() for p in trainer.model.parameters())
    rows = trainer.order.batch(0)
    trainer.accumulate_gradients(rows, 0)
    for gradient_groups in given.groups:
        trainer.state.num_gradient_groups = gradient_groups
        trainer.model.zero_grad(set_to_none=True)
        peak = peak_growth(lambda: trainer.accumulate_gradients(rows, 0))
        print(
            f"{gradient_groups:3} gradient group(s): {peak / 1e6:6.0f} MB, {peak / gradient:5.1f} × the gradient"
        )


def make_trainer(layers: int) -> Trainer:
    """Return a trainer of a random encoder, 384 wide, on made-up token ids."""
    texts, length = 64, 16
    ids = np.random.default_rng(0).integers(1000, 20_000, texts * length).astype(np.int32)
    encoded = EncodedTexts(ids, np.arange(texts + 1) * length, np.zeros(texts, dtype=bool))
    split = Split(encoded, np.arange(texts) % 14)
    config = BertConfig(
        hidden_size=384, num_hidden_layers=layers, num_attention_heads=12, intermediate_size=1536
    )
    config.num_labels = 14
    model = BertForSequenceClassification(config)
    settings = TrainConfig(
        global_batch_size=texts, per_device_batch_size=None, learning_rate=1e-4, num_train_epochs=1,
        max_tokens_per_micro_batch=256,
    )  # fmt: skip
    return Trainer(model, settings, split, split, num_classes=14, pad_id=0, device=choose_device())


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
