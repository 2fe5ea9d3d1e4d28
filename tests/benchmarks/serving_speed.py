"""Serving speed beside other servers of the same model, and beside the bare model, taking turns within one run.

    for peer in onnxruntime litserve infinity toolkit; do
        python3.11 -m venv PEERS/$peer && PEERS/$peer/bin/pip install -r tests/benchmarks/serving_peers/$peer.txt; done
    PYTHONPATH=container:tests python tests/benchmarks/serving_speed.py --data FILE.csv [--peers PEERS]

Without --peers only the Flask app is compared, and of PEERS what it holds. All servers are up all the time; only one is
asked at a time, and the bare model computes the same texts before and after it: what else the machine does meets both.
The ratio counts, and the CPU time for an answer: that of all the server's processes, user's and system's.
"""

import argparse
import contextlib
import json
import os
import selectors
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as `serve` sets it; bare model and peers get it too

import torch
from torch.nn import functional

from benchmarks.serving_peers.load import Client, requests_of
from benchmarks.serving_peers.servers import Running, Server, copy_for_peers, servers_of, started
from bert_classifier.artifact.artifact import save_artifact
from bert_classifier.builder import build_dataset
from bert_classifier.job.cpu_quota import available_cores
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "local_test" / "test_dir" / "input" / "data" / "train" / "train.csv"
WEIGHT_DECAY = 1e-3
CLIENTS = (1, 16, 64)
BARE_TEXTS = 60


class Turn(NamedTuple):
    """One server's turn beside the bare model's: rates in texts a second, times in milliseconds."""

    rate: float
    share: float
    median_ms: float
    extra_ms: float  # over the bare model, of one client
    p99_ms: float
    cpu_ms: float  # of all the server's processes, for an answer
    failures: float
    bare_rate: float


def main() -> int:
    """Run the comparison and print one row a server; return 1 when a request failed, which no rate counts."""
    arguments = parse_arguments()
    with compared(arguments) as (model_dir, texts, servers):
        bare = bare_predictor(model_dir)
        turns: dict[tuple[str, int], list[Turn]] = {}
        for _ in range(arguments.rounds):
            for clients in CLIENTS:
                for name, (server, running) in servers.items():
                    turn = take_turn(bare, server, running, clients, arguments.seconds, texts)
                    print(f"{name}, {clients} clients: {turn}", file=sys.stderr, flush=True)
                    turns.setdefault((name, clients), []).append(turn)
        print_report(turns)
    if arguments.peers is None:
        print(
            "not compared: ONNX Runtime, LitServe, infinity, AWS' toolkit (--peers names their environments)"
        )
    return int(any(turn.failures for of_server in turns.values() for turn in of_server))


@contextlib.contextmanager
def compared(
    arguments: argparse.Namespace,
) -> Iterator[tuple[Path, list[str], dict[str, tuple[Server, Running]]]]:
    """Run all servers of a model; give the model's folder, the texts to send, and the servers by their names."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as running:
        root = Path(scratch)
        make_model(arguments.model, root / "model")
        copy_for_peers(root)
        dataset = build_dataset([arguments.data])
        texts = [dataset[number][0] for number in range(arguments.texts)]
        servers = servers_of(root, arguments.peers, arguments.servers)
        found = {
            name: (server, running.enter_context(started(server, root))) for name, server in servers.items()
        }
        yield root / "model", texts, found


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sample = REPOSITORY / "local_test" / "test_dir" / "input" / "data"
    parser.add_argument(
        "--data", type=Path, default=sample / "train" / "train.csv", help="CSV with the texts"
    )
    parser.add_argument(
        "--model", default=str(sample / "model"), help="pretrained encoder, or a trained model"
    )
    parser.add_argument("--peers", type=Path, help="folder with the other servers' environments")
    parser.add_argument("--servers", nargs="+", default=[""], help="only those whose names hold one of these")
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    return parser.parse_args()


def make_model(source: str, folder: Path) -> None:
    """Copy a model that was trained, or save one whose last layer alone is: guessed labels would change in int8."""
    if (Path(source) / "manifest.json").exists():
        shutil.copytree(source, folder)
        return
    quiet_transformers()
    tokenizer = load_tokenizer(source)
    sample = build_dataset([SAMPLE])
    texts, classes = zip(*(sample[number] for number in range(len(sample))), strict=True)
    labels = sorted(set(classes))
    model = load_pretrained(source, labels, tokenizer, 256)
    train_last_layer(model, tokenizer, texts, torch.tensor([labels.index(each) for each in classes]))
    save_artifact(folder, model, tokenizer, labels, {"max_seq_length": 256, "truncation": "head"})


def train_last_layer(model: Any, tokenizer: Any, texts: Sequence[str], targets: torch.Tensor) -> None:
    """Fit the last layer to the targets, int64 (texts,): logistic regression on what the layer reads."""
    last = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    model.eval()
    read: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    with torch.no_grad():
        for begin in range(0, len(texts), 16):
            batch = list(texts[begin : begin + 16])
            model(**tokenizer(batch, padding=True, truncation=True, max_length=64, return_tensors="pt"))
    hook.remove()
    features = torch.cat(read)
    optimizer = torch.optim.LBFGS(last.parameters(), max_iter=50)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(last(features), targets) + WEIGHT_DECAY * last.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)


def bare_predictor(folder: Path) -> Predictor:
    """Return the model without a server, computing with all cores."""
    plan = make_plan(cores=available_cores(), gpus=0, models=1, threads=None, requests=1)
    (predictor,) = load_predictors(folder, plan, max_batch_tokens=4096, precision="fp32", metrics=Metrics())
    return predictor


def take_turn(
    bare: Predictor, server: Server, running: Running, clients: int, seconds: float, texts: Sequence[str]
) -> Turn:
    """Measure a server between two measurements of the bare model, and text by text in turn with it."""
    before = offline_rate(bare, texts)
    measured = load(server, running, clients, seconds, texts)
    rate = (before + offline_rate(bare, texts)) / 2
    return Turn(
        rate=measured["rate"],
        share=measured["rate"] / rate,
        median_ms=measured["median_ms"],
        extra_ms=median_extra_ms(bare, server, running.port, texts) if clients == 1 else 0.0,
        p99_ms=measured["p99_ms"],
        cpu_ms=measured["cpu_ms"],
        failures=measured["failures"],
        bare_rate=rate,
    )


def offline_rate(bare: Predictor, texts: Sequence[str]) -> float:
    """Return texts a second when all are there at once."""
    began = time.perf_counter()
    bare.predict(texts[:BARE_TEXTS])
    return min(len(texts), BARE_TEXTS) / (time.perf_counter() - began)


def median_extra_ms(bare: Predictor, server: Server, port: int, texts: Sequence[str]) -> float:
    """Return the median milliseconds that a server takes longer than the bare model for the same text, in turn."""
    differences = []
    with selectors.DefaultSelector() as unused:
        client = Client(port, unused)
        for text, request in zip(texts, requests_of(texts, server.path, server.body), strict=True):
            began = time.perf_counter()
            bare.predict([text])
            alone = time.perf_counter() - began
            client.ask(request)
            while (result := client.read()) is None:
                pass
            if not result[1]:
                raise RuntimeError(f"a request to {server.path} is not answered with 200")
            differences.append((result[0] - alone) * 1000)
    return statistics.median(differences)


def load(
    server: Server, running: Running, clients: int, seconds: float, texts: Sequence[str]
) -> dict[str, float]:
    """Return what load.py measures."""
    arguments = [running.port, running.pid, clients, seconds, server.path, server.body]
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving_peers.load", *map(str, arguments)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"{server.command}: {result.stderr}")
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


def print_report(turns: dict[tuple[str, int], list[Turn]]) -> None:
    """Print medians over the rounds (least–most)."""
    rates = [turn.bare_rate for of_server in turns.values() for turn in of_server]
    print(f"bare model, {torch.get_num_threads()} threads: {_spread(rates)} texts/s offline")
    print(
        "| server | clients | CPU ms | texts/s | of the bare rate | median ms | over bare | p99 ms | failures |"
    )
    print("|---" * 9 + "|")
    for (name, clients), of_server in turns.items():
        columns = dict(zip(Turn._fields, zip(*of_server, strict=True), strict=True))
        shares = [share * 100 for share in columns["share"]]
        extra = _spread(columns["extra_ms"]) if clients == 1 else ""
        print(
            f"| {name} | {clients} | {_spread(columns['cpu_ms'])} | {_spread(columns['rate'])} "
            f"| {_spread(shares, 0)} % | {_spread(columns['median_ms'])} | {extra} "
            f"| {statistics.median(columns['p99_ms']):.0f} | {sum(columns['failures']):.0f} |"
        )


def _spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median of the rounds, and the least and the most."""
    least, most = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


if __name__ == "__main__":
    raise SystemExit(main())
