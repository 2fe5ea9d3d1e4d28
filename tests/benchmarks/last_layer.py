"""What the last layer costs in full, beside first tokens only: training and evaluation of one batch without padding.

    PYTHONPATH=container:tests python tests/benchmarks/last_layer.py [--model FOLDER] [--turns 5]

Forward and backward pass, and forward pass alone, of 32 texts of 64 tokens on average. Both ways take turns in one
process, each with a model of its own and the same weights; what counts is the ratio of their quickest turns, in CPU
time of one thread. FOLDER is measured as it is and with the layer of pooling=mean; BERT-base has random weights.
"""

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling import packed_families
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.packed_attention import attend_text_by_text
from bert_classifier.modeling.pooling import use_pooling
from bert_classifier.modeling.pretrained import quiet_transformers

CPU = torch.device("cpu")
TEXTS, TOKENS, CLASSES = 32, 64, 14


def main() -> None:
    """Print two rows per encoder."""
    arguments = parse_arguments()
    quiet_transformers()
    torch.set_num_threads(1)
    print(
        "| encoder | layers | pass | in full, CPU ms | first tokens only | ratio |\n|---|---|---|---|---|---|"
    )
    for name, model in models(arguments.model):
        ways = [way(model, is_full=is_full) for is_full in (True, False)]
        for what, work in (("training", train), ("evaluation", evaluate)):
            before, now = quickest(ways, work, arguments.turns)
            layers = model.config.num_hidden_layers
            print(
                f"| {name} | {layers} | {what} | {before:.0f} | {now:.0f} | {now / before:.3f} |", flush=True
            )


def parse_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="an encoder's folder, also with the layer of pooling=mean")
    parser.add_argument("--turns", type=int, default=5)
    return parser.parse_args()


def models(folder: Path | None) -> Iterator[tuple[str, Any]]:
    """Yield classifiers by name."""
    torch.manual_seed(0)
    if folder is not None:
        for pooling in ("cls", "mean"):
            model: Any = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=CLASSES)
            use_pooling(model, pooling, str(folder))
            yield f"{folder.name}, pooling={pooling}", model
    config = BertConfig()
    config.num_labels = CLASSES
    yield "BERT-base", BertForSequenceClassification(config)


def way(model: Any, *, is_full: bool) -> PackedForward:
    """Return a pass with a copy of a model, whose last layer computes all tokens or first ones."""
    own = copy.deepcopy(model)
    if not is_full:
        return PackedForward(own, 0, CPU, "fp32", attend_text_by_text)
    with mock.patch.object(packed_families, "let_last_layer_compute_firsts", return_value=False):
        return PackedForward(own, 0, CPU, "fp32", attend_text_by_text)


def quickest(
    ways: list[PackedForward], work: Callable[[PackedForward, EncodedTexts], None], turns: int
) -> list[float]:
    """Return each way's quickest turn in CPU ms, after one turn that does not count."""
    texts, taken = make_texts(), []
    for _ in range(1 + turns):
        taken.append([milliseconds(lambda: work(forward, texts)) for forward in ways])  # noqa: B023
    return [min(times) for times in zip(*taken[1:], strict=True)]


def milliseconds(work: Callable[[], None]) -> float:
    """Return the CPU time that something takes."""
    begin = time.process_time()
    work()
    return 1000 * (time.process_time() - begin)


def train(forward: PackedForward, texts: EncodedTexts) -> None:
    """Compute the gradient of a batch."""
    forward.model.train()
    forward.model.zero_grad()
    forward(texts, np.arange(TEXTS)).square().sum().backward()  # type: ignore[no-untyped-call]


def evaluate(forward: PackedForward, texts: EncodedTexts) -> None:
    """Compute the logits of a batch."""
    forward.model.eval()
    with torch.inference_mode():
        forward(texts, np.arange(TEXTS))


def make_texts() -> EncodedTexts:
    """Return texts of random tokens, between half and one and a half of the mean length."""
    draw = np.random.default_rng(0)
    lengths = np.rint(np.linspace(TOKENS / 2, 3 * TOKENS / 2, TEXTS)).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(draw.permutation(lengths))])
    ids = draw.integers(1000, 20_000, ends[-1]).astype(np.int32)
    return EncodedTexts(ids, ends, np.zeros(TEXTS, dtype=bool))


if __name__ == "__main__":
    main()
