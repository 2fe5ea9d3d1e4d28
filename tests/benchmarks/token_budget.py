"""Measure the token budget of GPUs with less memory than this one: what torch allocates, and that it fits.

For each size of memory, torch is confined to it, the budget is measured as training does it, and one training pass of
budget and slack is computed beside the gradient and the optimizer's state. Needs a CUDA device; only its memory counts.
"""

import argparse
import copy
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.training.token_budget import measured_budget

SHAPES: dict[str, dict[str, Any]] = {
    "base": {},
    "large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
}
DEVICE = torch.device("cuda", 0)


def main() -> None:
    """Print one row of a table per size of memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=SHAPES, default="base")
    parser.add_argument("--memory", type=float, nargs="+", default=[16, 24, 40, 80], metavar="GIB")
    parser.add_argument("--longest", type=int, default=128, help="tokens of the longest text")
    arguments = parser.parse_args()
    print("| memory, GiB | token budget | peak of a pass, GiB | reserved, GiB |\n|---|---|---|---|")
    for memory in arguments.memory:
        budget, peak, reserved = measure(SHAPES[arguments.model], memory * 2**30, arguments.longest)
        print(f"| {memory:g} | {budget:,} | {peak / 2**30:.1f} | {reserved / 2**30:.1f} |")


def measure(shape: dict[str, Any], memory: float, longest: int) -> tuple[int, int, int]:
    """Return the budget for this much memory, and what a pass of budget and slack takes at its peak, in bytes."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(memory / torch.cuda.get_device_properties(0).total_memory)
    masters = BertForSequenceClassification(BertConfig(attention_probs_dropout_prob=0.0, **shape))
    torch.nn.Module.to(masters, DEVICE)
    forward = PackedForward(copy.deepcopy(masters).bfloat16(), 0, DEVICE, "bf16")
    texts = random_texts(4000, longest)
    budget = measured_budget(forward, texts)
    state = torch.empty(3 * masters.num_parameters(), device=DEVICE)  # gradient and two moments
    windows = np.resize(np.arange(len(texts)), budget // 8)
    windows = windows[np.cumsum(texts.lengths[windows]) <= budget * 9 // 8]
    torch.cuda.reset_peak_memory_stats()
    forward.model.train()
    forward(texts, windows).square().sum().backward()
    del state
    return budget, torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


def random_texts(count: int, longest: int) -> EncodedTexts:
    """Return texts of 8 tokens to the longest length."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(8, longest + 1, count)
    lengths[0] = longest
    ids = generator.integers(1000, 30_000, lengths.sum()).astype(np.int32)
    return EncodedTexts(ids, np.concatenate([[0], np.cumsum(lengths)]), np.zeros(count, dtype=bool))


if __name__ == "__main__":
    main()
