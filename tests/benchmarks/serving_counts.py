"""What the classification of some texts asks of a GPU: launches, copies, waits, and the host's CPU time.

    PYTHONPATH=container:tests python tests/benchmarks/serving_counts.py --counter MODULE --data FILE.csv

MODULE counts the calls of the CUDA runtime: see gpu_counts.py; a number of `graph_launches` among them is added to the
kernels. BERT-base of random weights in bf16, as a model thread of the server computes; texts are tokenised beforehand.
"""

import argparse
import dataclasses
import importlib
import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from bert_classifier.artifact.contents import Artifact
from bert_classifier.builder import build_dataset
from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.label_mapper import ClassNames
from bert_classifier.modeling import graphs, packed
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.serving.model.predictor import Predictor

SAMPLE = Path(__file__).parents[2] / "local_test" / "test_dir" / "input" / "data"
COUNTS = (1, 8, 32, 256)
CLASSES = 14
_ROUNDS = 40
_COLUMNS = ("tokens", "texts", "launches", "copies", "waits", "CPU ms")


class Tokenised:
    """Stands in for a text encoder whose texts are tokenised already."""

    def __init__(self, encoder: TextEncoder, texts: Sequence[str]) -> None:
        self._encoded = encoder.encode_batch(texts)
        self.num_special = encoder.num_special

    def encode_batch(self, _texts: Sequence[str]) -> EncodedTexts:
        """Return the texts as they were tokenised."""
        return self._encoded


def main() -> None:
    """Print one row per kind and number of texts."""
    arguments = parse_arguments()
    quiet_transformers()
    counting = importlib.import_module(arguments.counter).counting
    believe_all_numbers()
    tokenizer = load_tokenizer(arguments.model)
    dataset = build_dataset([arguments.data])
    texts = list(itertools.islice(itertools.cycle(row[0] for row in dataset), max(COUNTS)))
    print(f"torch {torch.__version__}, transformers {transformers.__version__}; per call")
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for name, longest, repeated in (("64", 64, 9), ("real", 256, 1)):
        encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, longest)
        names = ClassNames(map(str, range(CLASSES)))
        artifact = Artifact(bert_base(len(tokenizer)), encoder, names, 1.0, 0.0, {})
        predictor = Predictor(artifact)
        for count in COUNTS:
            chosen = [" ".join([text] * repeated) for text in texts[:count]]
            predictor._artifact = dataclasses.replace(artifact, encoder=Tokenised(encoder, chosen))  # type: ignore[arg-type]
            row = measure(predictor, chosen, counting)
            print(f"| {name} | {count} | {' | '.join(row)} |", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counter", required=True, help="module that counts calls of the CUDA runtime")
    parser.add_argument(
        "--data", type=Path, default=SAMPLE / "train" / "train.csv", help="CSV with the texts"
    )
    parser.add_argument("--model", default=str(SAMPLE / "model"), help="folder whose tokenizer is used")
    return parser.parse_args()


def believe_all_numbers() -> None:
    """Leave out the checks of logits, since a stand-in for a GPU computes none."""
    capture, probabilities = graphs.GraphedForward._capture, Predictor._probabilities

    def unchecked(*arguments: Any) -> str:
        capture(*arguments)
        return ""

    packed.relative_difference = lambda *_: 0.0  # type: ignore[assignment,attr-defined]
    graphs.GraphedForward._capture = unchecked  # type: ignore[assignment,method-assign]
    Predictor._probabilities = lambda *arguments: np.nan_to_num(probabilities(*arguments))  # type: ignore[method-assign]


def bert_base(vocabulary: int) -> Any:
    """Return a BERT-base classifier of random weights in bf16 on the GPU."""
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=vocabulary)
    config.num_labels = CLASSES
    config._attn_implementation = "sdpa"
    model: Any = transformers.BertForSequenceClassification(config)
    return model.to("cuda", torch.bfloat16).eval()


def measure(predictor: Predictor, texts: Sequence[str], counting: Any) -> list[str]:
    """Return the counts of one call, and the median CPU time of its thread."""
    times = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        predictor.predict(texts)
        times.append(time.thread_time() - began)
    with counting() as counts:
        predictor.predict(texts)
    launches = sum(counts.get(name, 0) for name in ("kernel_launches", "matmuls", "graph_launches"))
    copies = sum(count for name, count in counts.items() if "_to_" in name)
    waits = sum(count for name, count in counts.items() if name.endswith("_syncs"))
    return [str(launches), str(copies), str(waits), f"{1e3 * statistics.median(times):.2f}"]


if __name__ == "__main__":
    main()
