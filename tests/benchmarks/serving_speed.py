"""Serving speed beside other servers of the same model, and beside the bare model: one run, taking turns.

    PYTHONPATH=container:tests python tests/benchmarks/serving_speed.py --data FILE.csv [--peers PYTHON]

PYTHON is the interpreter of an environment with the same torch and with litserve; without it only the Flask app
is compared. What counts is the ratio: whatever else the machine does meets all alike.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bert_classifier.builder import build_dataset
from bert_classifier.model import load_pretrained, load_tokenizer, quiet_transformers, save_artifact
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.plan import available_cores, make_plan
from bert_classifier.serving.predictor import Predictor, load_predictors
from serving_process import ServingProcess, free_port

REPOSITORY = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "serving_peers"
LABELS = [f"class {number}" for number in range(14)]
CLIENTS = (1, 16, 64)
BATCH = 16  # of peers that have such a setting

Port = int
Server = Callable[[], Any]  # a context manager that gives the port


def main() -> None:
    """Run the comparison and print one row a server."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_model(arguments.model, root / "model")
        texts = [build_dataset([arguments.data])[number][0] for number in range(arguments.texts)]
        servers = servers_of(root, arguments.peers)
        measured: dict[str, dict[int, list[dict[str, float]]]] = {
            name: {n: [] for n in CLIENTS} for name in servers
        }
        bare: list[tuple[float, float]] = []
        for _ in range(arguments.rounds):
            bare.append(bare_model(root / "model", texts))
            for name, start in servers.items():
                with start() as port:
                    for clients in CLIENTS:
                        measured[name][clients].append(load(port, clients, arguments.seconds, texts))
        print_report(measured, bare)


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sample = REPOSITORY / "local_test" / "test_dir" / "input" / "data"
    parser.add_argument(
        "--data", type=Path, default=sample / "train" / "train.csv", help="CSV with the texts"
    )
    parser.add_argument("--model", default=str(sample / "model"), help="pretrained encoder folder")
    parser.add_argument("--peers", help="Python interpreter that has the other servers")
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    return parser.parse_args()


def make_model(source: str, folder: Path) -> None:
    """Save a classifier that is not trained, which is as fast as one that is."""
    quiet_transformers()
    tokenizer = load_tokenizer(source)
    model = load_pretrained(source, LABELS, tokenizer, 256)
    save_artifact(folder, model, tokenizer, LABELS, {"max_seq_length": 256, "truncation": "head"})


def bare_model(folder: Path, texts: Sequence[str]) -> tuple[float, float]:
    """Return texts a second when all are there at once, and the median milliseconds of one text alone."""
    plan = make_plan(cores=available_cores(), gpus=0, models=None, threads=None, requests=1)
    (predictor,) = load_predictors(folder, plan, max_batch_tokens=4096, precision="fp32", metrics=Metrics())
    began = time.perf_counter()
    predictor.predict(texts)
    rate = len(texts) / (time.perf_counter() - began)
    return rate, statistics.median(milliseconds_of(predictor, text) for text in texts[:100])


def milliseconds_of(predictor: Predictor, text: str) -> float:
    """Return how long one text takes."""
    began = time.perf_counter()
    predictor.predict([text])
    return (time.perf_counter() - began) * 1000


def servers_of(root: Path, peers: str | None) -> dict[str, Server]:
    """Return the servers to compare by name, this project's first."""
    one_each = [
        sys.executable, "-m", "gunicorn", "--workers", str(available_cores()), "--no-control-socket",
        "--chdir", str(PEERS), "--bind", "127.0.0.1:{port}", "one_forward_each:app",
    ]  # fmt: skip
    servers: dict[str, Server] = {
        "this project": lambda: ours(root),
        "Flask, one forward a request": lambda: peer(one_each, root),
    }
    if peers:
        litserve = [peers, str(PEERS / "litserve_app.py")]
        servers["LitServe"] = lambda: peer(litserve, root)
    return servers


@contextmanager
def ours(root: Path) -> Iterator[Port]:
    """Run this project's server."""
    with ServingProcess(root, root / "log") as process:
        process.wait_until_ready()
        yield process.port


@contextmanager
def peer(command: Sequence[str], root: Path) -> Iterator[Port]:
    """Run another server with its own log, and end it with all its processes."""
    port = free_port()
    environ = {**os.environ, "MODEL": str(root / "model"), "PORT": str(port), "BATCH": str(BATCH)}
    with (root / "peer-log").open("ab") as log:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while subprocess.run(
            ["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{port}/ping"], check=False
        ).returncode:
            if process.poll() is not None:
                raise RuntimeError((root / "peer-log").read_text()[-2000:])
            time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def load(port: Port, clients: int, seconds: float, texts: Sequence[str]) -> dict[str, float]:
    """Return what load.py measures."""
    command = [
        sys.executable,
        str(PEERS / "load.py"),
        str(port),
        str(clients),
        str(seconds),
        "/invocations",
        "inputs",
    ]
    result = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(result.stdout)
    return told


def print_report(
    measured: dict[str, dict[int, list[dict[str, float]]]], bare: Sequence[tuple[float, float]]
) -> None:
    """Print medians over the rounds, each beside the bare model's of the same round."""
    rates, alone = zip(*bare, strict=True)
    print(
        f"bare model, {torch.get_num_threads()} threads: {_spread(rates)} texts/s offline, "
        f"{_spread(alone)} ms a text alone"
    )
    heads = [f"{clients} clients, texts/s | of offline | median ms" for clients in CLIENTS]
    print("| server | " + " | ".join(heads) + " | failures |")
    print("|---" * (2 + 3 * len(CLIENTS)) + "|")
    for name, by_clients in measured.items():
        cells = []
        for turns in by_clients.values():
            shares = [turn["rate"] / rate for turn, rate in zip(turns, rates, strict=True)]
            speed, wait = ([turn[field] for turn in turns] for field in ("rate", "median_ms"))
            cells.append(f"{_spread(speed)} | {statistics.median(shares):.0%} | {_spread(wait)}")
        failures = sum(turn["failures"] for turns in by_clients.values() for turn in turns)
        print(f"| {name} | " + " | ".join(cells) + f" | {failures:.0f} |")


def _spread(values: Sequence[float]) -> str:
    """Return the median of the rounds, and the least and the most."""
    return f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


if __name__ == "__main__":
    main()
