"""Training speed without padding against padding, by family of encoders: one batch of texts of many lengths.

    PYTHONPATH=container:tests python tests/benchmarks/padding_by_family.py [--families bert modernbert] [--size small]

Forward and backward pass of a batch, cut into micro-batches as training cuts it: side by side, padded among texts of
similar length (this project's way for other families), and padded to the longest text, as transformers' Trainer does.
The three take turns; what counts is the ratio of their quickest turns, in CPU time of one thread, which other work
disturbs least. Random weights, random tokens.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.packed_attention import attend_text_by_text
from bert_classifier.modeling.packed_families import PACKED_FAMILIES
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.training.token_budget import plan_batch
from support.encoders import FAMILIES, make_encoder

CPU = torch.device("cpu")
BUDGET = 2048  # tokens of a micro-batch, as on CPUs by default
SIZES = {"small": (256, 4), "base": (768, 12)}  # width, layers
_HEAD = 64  # numbers per attention head


def main() -> None:
    """Print a row per family."""
    arguments = parse_arguments()
    quiet_transformers()
    torch.set_num_threads(1)
    print(
        f"{arguments.size}, {arguments.texts} texts of 8 to {arguments.longest} tokens; texts per CPU second:"
    )
    print("| family | without padding | padded by length | ratio | padded to the longest | ratio |")
    print("|---|---|---|---|---|---|")
    for family in arguments.families:
        print(row(family, arguments), flush=True)


def parse_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="+", default=sorted(PACKED_FAMILIES & {*FAMILIES}))
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--longest", type=int, default=256)
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


def row(family: str, arguments: argparse.Namespace) -> str:
    """Measure a family."""
    model, pad_id = make_model(family, *SIZES[arguments.size], arguments.longest)
    texts, rows = make_texts(arguments.texts, arguments.longest), np.arange(arguments.texts)
    padded = Forward(model, pad_id, CPU, "fp32")
    packed = PackedForward(model, pad_id, CPU, "fp32", attend_text_by_text)
    whole = [rows[begin : begin + 16] for begin in range(0, len(rows), 16)]
    ways = [
        (packed, plan_batch(TrainConfig(), packed, texts.lengths, BUDGET, 1)),
        (padded, plan_batch(TrainConfig(), padded, texts.lengths, BUDGET, 1)),
        (padded, whole),
    ]
    taken = [min(times) for times in zip(*(turn(ways, texts) for _ in range(arguments.turns)), strict=True)]
    ours, by_length, longest = (arguments.texts / seconds for seconds in taken)
    return (
        f"| {family} | {ours:.1f} | {by_length:.1f} | {ours / by_length:.2f} | {longest:.1f}"
        f" | {ours / longest:.2f} |"
    )


def turn(ways: list[tuple[Forward, list[np.ndarray]]], texts: EncodedTexts) -> list[float]:
    """Return the seconds that each way takes for the batch."""
    return [seconds(lambda: backward(forward, texts, cut)) for forward, cut in ways]  # noqa: B023


def seconds(work: Callable[[], None]) -> float:
    """Return the CPU time that something takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def backward(forward: Forward, texts: EncodedTexts, cut: list[np.ndarray]) -> None:
    """Compute the gradient of a batch."""
    forward.model.zero_grad()
    for windows in cut:
        forward(texts, windows).square().sum().backward()  # type: ignore[no-untyped-call]


def make_model(family: str, width: int, layers: int, longest: int) -> tuple[Any, int]:
    """Return a classifier of a size with random weights, and its padding token."""
    names = {"distilbert": ("dim", "hidden_dim", "n_layers", "n_heads")}
    usual = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    shape = zip(names.get(family, usual), (width, 4 * width, layers, width // _HEAD), strict=True)
    more = {"num_key_value_heads": width // _HEAD, "head_dim": _HEAD} if family == "eurobert" else {}
    more |= {"head_dim": _HEAD} if family == "nomic_bert" else {}
    more |= {"local_attention": 128, "global_attn_every_n_layers": 3} if family == "modernbert" else {}
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {**dict(shape), **more}
        make_encoder(Path(folder), family, tokens=longest, **settings)
        model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    return model.train(), model.config.pad_token_id


def make_texts(count: int, longest: int) -> EncodedTexts:
    """Return texts of random tokens, most of them short, as in most data."""
    draw = np.random.default_rng(0)
    lengths = np.clip(np.exp(draw.normal(np.log(longest / 5), 0.8, count)), 8, longest).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    ids = draw.integers(10, 500, ends[-1]).astype(np.int32)
    return EncodedTexts(ids, ends, np.zeros(count, dtype=bool))


if __name__ == "__main__":
    main()
