"""What a server on CPUs saves without transformers, by family: a start's CPU time and memory, and CPU time per text.

    PYTHONPATH=container:tests python tests/benchmarks/engine_families.py [--families mpnet modernbert]

A process each, by transformers and by the engine in turns: random weights of MiniLM's size (6 layers, 384 wide) and a
vocabulary of 30,000, one thread, one text of about 50 tokens per pass. What counts is the ratio of the least figures.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from support.encoders import make_encoder
from support.source_tree import CONTAINER

SIZE = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12}
OWN_SIZES = {"eurobert": {"head_dim": 32, "num_key_value_heads": 12}, "nomic_bert": {"head_dim": 32}}
OWN_SIZES["albert"] = {"embedding_size": 128}
OWN_SIZES["modernbert"] = {"local_attention": 128, "intermediate_size": 1024}  # with a gate: as many weights
OWN_SIZES["gte"] = {"intermediate_size": 1024}
FAMILIES = (
    "mpnet", "modernbert", "albert", "eurobert", "nomic_bert", "gte", "jina_embeddings_v3", "roberta-prelayernorm",
    "xlm-roberta-xl", "xmod",
)  # fmt: skip
TEXT = "river castle bridge tower comet engine wheel piston violin chorus ballad falcon " * 4
_TURN = f"""
import json, resource, sys, time
from pathlib import Path
import torch
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model import predictor
from bert_classifier.serving.model.plan import make_plan
if sys.argv[2] == "transformers":
    predictor.in_engine = lambda *_: None
plan = make_plan(cores=1, gpus=0, models=1, threads=1, requests=1)
options = {{"max_batch_tokens": None, "precision": "fp32", "metrics": Metrics()}}
(model,) = predictor.load_predictors(Path(sys.argv[1]), plan, **options)
start = time.process_time()
memory = int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024
turns = []
for _ in range(15):
    began = time.process_time()
    model.predict([{TEXT!r}])
    turns.append(time.process_time() - began)
print(json.dumps([start, memory, 1000 * min(turns)]))
"""


def main() -> None:
    """Print a row per family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="+", default=FAMILIES)
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    print("| family | start, CPU s | memory, MB | CPU ms per text | ratio |\n|---|---|---|---|---|")
    for family in arguments.families:
        with tempfile.TemporaryDirectory() as folder:
            print(_row(family, _artifact(Path(folder), family), arguments.turns), flush=True)


def _artifact(folder: Path, family: str) -> Path:
    from bert_classifier.artifact.artifact import save_artifact
    from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
    from bert_classifier.modeling.tokenizer import load_tokenizer

    quiet_transformers()
    config: dict[str, Any] = {**SIZE, **OWN_SIZES.get(family, {}), "initializer_range": 0.05}
    source = str(make_encoder(folder / "encoder", family, tokens=512, vocab_size=30_000, **config))
    tokenizer, labels = load_tokenizer(source), ["a", "b", "c"]
    model = load_pretrained(source, labels, tokenizer, 512)
    save_artifact(folder / "model", model, tokenizer, labels, {"max_seq_length": 512, "truncation": "head"})
    return folder / "model"


def _row(family: str, artifact: Path, turns: int) -> str:
    """Return the least figures of a family's turns, by transformers and by the engine."""
    ways = ("transformers", "engine")
    found = {way: [_turn(artifact, way) for _ in range(turns)] for way in ways}
    before, after = ([min(values) for values in zip(*found[way], strict=True)] for way in ways)
    cells = (
        f"{old:.{digits}f} → {new:.{digits}f}"
        for old, new, digits in zip(before, after, (1, 0, 1), strict=True)
    )
    return f"| {family} | {' | '.join(cells)} | {after[2] / before[2]:.2f} |"


def _turn(artifact: Path, way: str) -> list[float]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(CONTAINER),
        "OMP_NUM_THREADS": "1",
        "GOMP_SPINCOUNT": "1000",
    }
    command = [sys.executable, "-c", _TURN, str(artifact), way]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    figures: list[float] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
