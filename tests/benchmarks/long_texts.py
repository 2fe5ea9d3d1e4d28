"""What a long text costs: ModernBERT without windows, its local attention in blocks, beside two other ways.

    PYTHONPATH=container:tests python tests/benchmarks/long_texts.py [--tokens 8192] [--layers 6] [--width 384]

CPU seconds of one thread, and peak resident memory above what was there before. `whole` is this project's way, `masked`
transformers' own on the same text, `windows` the text divided into windows of 512 tokens.
"""

import argparse
import itertools
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from transformers import ModernBertConfig, ModernBertForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.packed_attention import attend_text_by_text
from support.peak_memory import peak_growth

_PAD = 0
# By name: whether transformers' masks are used, and the tokens of a window; None: the whole text.
_WAYS = {"whole": (False, None), "masked": (True, None), "windows": (False, 512)}


def main() -> None:
    """Measure and print a row per way and pass."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    given = parser.parse_args()
    size = (given.layers, given.width, given.tokens)
    for way, kind in itertools.product(_WAYS, ("inference", "training")):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:  # memory that others left
            seconds, peak = alone.submit(measure, way, kind, *size).result()
        print(f"{way:8} {kind:9} {seconds:7.1f} s {peak / 1e6:7.0f} MB", flush=True)


def measure(way: str, kind: str, layers: int, width: int, tokens: int) -> tuple[float, int]:
    """Return CPU seconds and bytes of one pass."""
    torch.set_num_threads(1)
    model = make_model(layers, width, tokens)
    is_masked, length = _WAYS[way]
    arguments = (model, _PAD, torch.device("cpu"), "fp32")
    forward = Forward(*arguments) if is_masked else PackedForward(*arguments, attend_text_by_text)
    encoded = texts(tokens // (length or tokens), length or tokens)
    rows = np.arange(len(encoded))

    def infer() -> None:
        with torch.inference_mode():
            forward(encoded, rows)

    def learn() -> None:
        forward(encoded, rows).sum().backward()

    began = time.process_time()
    peak = peak_growth(infer if kind == "inference" else learn)
    return time.process_time() - began, peak


def make_model(layers: int, width: int, tokens: int) -> ModernBertForSequenceClassification:
    """Return a random ModernBERT: every third layer sees the whole text, the others 64 tokens on either side."""
    config = ModernBertConfig(
        vocab_size=1000, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
        intermediate_size=3 * width // 2, max_position_embeddings=tokens, pad_token_id=_PAD, bos_token_id=1,
        eos_token_id=2, cls_token_id=1, sep_token_id=2,
    )  # fmt: skip
    return ModernBertForSequenceClassification(config)


def texts(count: int, length: int) -> EncodedTexts:
    """Return made-up texts of this length."""
    ids = np.random.default_rng(0).integers(5, 1000, count * length).astype(np.int32)
    return EncodedTexts(ids, np.arange(count + 1) * length, np.zeros(count, dtype=bool))


if __name__ == "__main__":
    main()
