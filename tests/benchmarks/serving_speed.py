"""Serving speed beside other servers of the same model, and beside the bare model, taking turns within one run.

    for peer in litserve infinity toolkit; do
        python3.11 -m venv PEERS/$peer && PEERS/$peer/bin/pip install -r tests/benchmarks/serving_peers/$peer.txt; done
    PYTHONPATH=container:tests python tests/benchmarks/serving_speed.py --data FILE.csv [--peers PEERS]

Without --peers only the Flask app is compared. All servers are up all the time; only one is asked at a time, and the
bare model computes the same texts before and after it: what else the machine does meets both. The ratio counts.
"""

import argparse
import contextlib
import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as `serve` sets it; bare model and peers get it too

import torch

from benchmarks.serving_peers.load import Client, requests_of
from bert_classifier.artifact.artifact import save_artifact
from bert_classifier.builder import build_dataset
from bert_classifier.job.cpu_quota import available_cores
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.serving_process import ServingProcess

REPOSITORY = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "serving_peers"
LABELS = [f"class {number}" for number in range(14)]
CLIENTS = (1, 16, 64)
BATCH = 16  # of peers that have such a setting
START_S = 180
BARE_TEXTS = 60
OURS = "this project"


class Peer(NamedTuple):
    """Another server: how it is started, and asked."""

    command: Sequence[str]  # {port} stands for its port
    path: str = "/invocations"
    body: str = '{"inputs": "TEXT"}'


class Turn(NamedTuple):
    """One server's turn beside the bare model's: rates in texts a second, times in milliseconds."""

    rate: float
    share: float
    median_ms: float
    extra_ms: float  # over the bare model, of one client
    p99_ms: float
    failures: float
    bare_rate: float


def main() -> int:
    """Run the comparison and print one row a server; return 1 when a request failed, which no rate counts."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as running:
        root = Path(scratch)
        make_model(arguments.model, root / "model")
        texts = [build_dataset([arguments.data])[number][0] for number in range(arguments.texts)]
        peers = peers_of(peers_model(root), arguments.peers)
        ports = {OURS: running.enter_context(ours(root))}
        ports |= {name: running.enter_context(started(peer, root)) for name, peer in peers.items()}
        asked = {OURS: Peer(())} | peers
        bare = bare_predictor(root / "model")
        turns: dict[tuple[str, int], list[Turn]] = {}
        for _ in range(arguments.rounds):
            for clients in CLIENTS:
                for name, peer in asked.items():
                    turn = take_turn(bare, peer, ports[name], clients, arguments.seconds, texts)
                    print(f"{name}, {clients} clients: {turn}", file=sys.stderr, flush=True)
                    turns.setdefault((name, clients), []).append(turn)
        print_report(turns)
    if arguments.peers is None:
        print("not compared: LitServe, infinity, AWS' toolkit (--peers names their environments)")
    return int(any(turn.failures for of_server in turns.values() for turn in of_server))


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
    parser.add_argument("--peers", type=Path, help="folder with the other servers' environments")
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    return parser.parse_args()


def make_model(source: str, folder: Path) -> None:
    """Save a classifier that is not trained, which is as fast as one that is."""
    quiet_transformers()
    tokenizer = load_tokenizer(source)
    model = load_pretrained(source, LABELS, tokenizer, 256)
    save_artifact(folder, model, tokenizer, LABELS, {"max_seq_length": 256, "truncation": "head"})


def peers_model(root: Path) -> Path:
    """Return a copy without the manifest, which multi-model-server takes for one of its own."""
    copy = root / "peer" / "model"
    shutil.copytree(root / "model", copy, ignore=shutil.ignore_patterns("manifest.json"))
    return copy


def bare_predictor(folder: Path) -> Predictor:
    """Return the model without a server, computing with all cores."""
    plan = make_plan(cores=available_cores(), gpus=0, models=1, threads=None, requests=1)
    (predictor,) = load_predictors(folder, plan, max_batch_tokens=4096, precision="fp32", metrics=Metrics())
    return predictor


def take_turn(
    bare: Predictor, peer: Peer, port: int, clients: int, seconds: float, texts: Sequence[str]
) -> Turn:
    """Measure a server between two measurements of the bare model, and text by text in turn with it."""
    before = offline_rate(bare, texts)
    measured = load(peer, port, clients, seconds, texts)
    rate = (before + offline_rate(bare, texts)) / 2
    return Turn(
        rate=measured["rate"],
        share=measured["rate"] / rate,
        median_ms=measured["median_ms"],
        extra_ms=median_extra_ms(bare, peer, port, texts) if clients == 1 else 0.0,
        p99_ms=measured["p99_ms"],
        failures=measured["failures"],
        bare_rate=rate,
    )


def offline_rate(bare: Predictor, texts: Sequence[str]) -> float:
    """Return texts a second when all are there at once."""
    began = time.perf_counter()
    bare.predict(texts[:BARE_TEXTS])
    return min(len(texts), BARE_TEXTS) / (time.perf_counter() - began)


def median_extra_ms(bare: Predictor, peer: Peer, port: int, texts: Sequence[str]) -> float:
    """Return the median milliseconds that a server takes longer than the bare model for the same text, in turn."""
    differences = []
    with selectors.DefaultSelector() as unused:
        client = Client(port, unused)
        for text, request in zip(texts, requests_of(texts, peer.path, peer.body), strict=True):
            began = time.perf_counter()
            bare.predict([text])
            alone = time.perf_counter() - began
            client.ask(request)
            while (result := client.read()) is None:
                pass
            if not result[1]:
                raise RuntimeError(f"a request to {peer.path} is not answered with 200")
            differences.append((result[0] - alone) * 1000)
    return statistics.median(differences)


def peers_of(model: Path, environments: Path | None) -> dict[str, Peer]:
    """Return the servers to compare with, by name."""
    one_each = [
        sys.executable, "-m", "gunicorn", "--workers", str(available_cores()), "--no-control-socket",
        "--chdir", str(PEERS), "--bind", "127.0.0.1:{port}", "one_forward_each:app",
    ]  # fmt: skip
    peers = {"Flask, one forward a request": Peer(one_each)}
    if environments is None:
        return peers
    litserve, infinity, toolkit = (
        environments / name / "bin" for name in ("litserve", "infinity", "toolkit")
    )
    infinity_options = [
        "--model-id", str(model), "--served-model-name", "model", "--host", "127.0.0.1", "--port", "{port}",
        "--engine", "torch", "--device", "cpu", "--batch-size", str(BATCH), "--no-bettertransformer",
    ]  # fmt: skip
    return peers | {
        "LitServe": Peer([str(litserve / "python"), str(PEERS / "litserve_app.py")]),
        "infinity": Peer(
            [str(infinity / "infinity_emb"), "v2", *infinity_options],
            "/classify",
            '{"model": "model", "input": ["TEXT"]}',
        ),
        "AWS Hugging Face toolkit": Peer([str(toolkit / "python"), str(PEERS / "toolkit_server.py")]),
    }


@contextlib.contextmanager
def ours(root: Path) -> Iterator[int]:
    """Run this project's server and give its port."""
    with ServingProcess(root, root / "log") as process:
        process.wait_until_ready()
        yield process.port


@contextlib.contextmanager
def started(peer: Peer, root: Path) -> Iterator[int]:
    """Run another server with its own log and give its port; end it with all its processes."""
    port = free_low_port()
    environ = {**os.environ, "MODEL": str(root / "peer" / "model"), "PORT": str(port), "BATCH": str(BATCH)}
    environ |= {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    log_file = root / f"log-{port}"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [part.format(port=port) for part in peer.command],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=root,
        )
    try:
        url = f"http://127.0.0.1:{port}{peer.path}"
        ask = ["curl", "-sf", "-o", "/dev/null", "-H", "Content-Type: application/json", "-d", peer.body, url]
        until = time.monotonic() + START_S
        while subprocess.run(ask, check=False).returncode:  # some answer /ping before they have a model
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log_file.read_text()[-3000:])
            time.sleep(0.1)
        yield port
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all of its group."""
    for number in (15, 9):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)


def free_low_port() -> int:
    """Return a loopback port that multi-model-server takes: it holds those from 32768 on for invalid."""
    for port in range(20000, 32768):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no free port")


def load(peer: Peer, port: int, clients: int, seconds: float, texts: Sequence[str]) -> dict[str, float]:
    """Return what load.py measures."""
    arguments = [str(port), str(clients), str(seconds), peer.path, peer.body]
    result = subprocess.run(
        [sys.executable, str(PEERS / "load.py"), *arguments],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"{peer.command}: {result.stderr}")
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


def print_report(turns: dict[tuple[str, int], list[Turn]]) -> None:
    """Print medians over the rounds (least–most)."""
    rates = [turn.bare_rate for of_server in turns.values() for turn in of_server]
    print(f"bare model, {torch.get_num_threads()} threads: {_spread(rates)} texts/s offline")
    print("| server | clients | texts/s | of the bare rate | median ms | over bare | p99 ms | failures |")
    print("|---" * 8 + "|")
    for (name, clients), of_server in turns.items():
        columns = dict(zip(Turn._fields, zip(*of_server, strict=True), strict=True))
        shares = [share * 100 for share in columns["share"]]
        extra = _spread(columns["extra_ms"]) if clients == 1 else ""
        print(
            f"| {name} | {clients} | {_spread(columns['rate'])} | {_spread(shares, 0)} % "
            f"| {_spread(columns['median_ms'])} | {extra} | {statistics.median(columns['p99_ms']):.0f} "
            f"| {sum(columns['failures']):.0f} |"
        )


def _spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median of the rounds, and the least and the most."""
    least, most = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"


if __name__ == "__main__":
    raise SystemExit(main())
