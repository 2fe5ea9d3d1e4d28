"""What a server's start costs beside others: CPU time until the first answer, and memory, taking turns within one run.

    PYTHONPATH=container:tests python tests/benchmarks/serving_start.py [--peers PEERS] [--beside OTHER/container]

CPU time is that of all the server's processes, user's and system's; memory counts a shared page once. Servers stop
after each turn. PEERS is made as for serving_speed.py.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving_peers.servers import PRECISIONS, Server, copy_for_peers, ours, servers_of, started
from benchmarks.serving_peers.session import cpu_seconds, pss_mb
from benchmarks.serving_speed import REPOSITORY, load, make_model

CLIENTS = 16
TEXTS = [f"Apple number {number} fell into the river " * (1 + number % 8) for number in range(64)]


class Start(NamedTuple):
    """One start."""

    cpu_s: float
    wall_s: float
    first_mb: float  # after the first answer
    later_mb: float  # under load


def main() -> int:
    """Measure and print a table."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_model(arguments.model, root / "model")
        copy_for_peers(root)
        servers = servers_of(root, arguments.peers, arguments.servers)
        if arguments.beside:
            other = arguments.beside.resolve()
            servers |= {f"the other version, {name}": ours(root, name, other) for name in PRECISIONS}
        starts: dict[str, list[Start]] = {name: [] for name in servers}
        for _ in range(arguments.rounds):
            for name, server in servers.items():
                starts[name].append(start(server, root, arguments.seconds))
                print(f"{name}: {starts[name][-1]}", file=sys.stderr, flush=True)
    print_report(starts)
    return 0


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sample = REPOSITORY / "local_test" / "test_dir" / "input" / "data"
    parser.add_argument(
        "--model", default=str(sample / "model"), help="pretrained encoder, or a trained model"
    )
    parser.add_argument("--peers", type=Path, help="folder with the other servers' environments")
    parser.add_argument("--beside", type=Path, help="container folder of another version")
    parser.add_argument("--servers", nargs="+", default=[""], help="only those whose names hold one of these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load before memory is measured again")
    return parser.parse_args()


def start(server: Server, root: Path, seconds: float) -> Start:
    """Start a server, ask it, put load on it, and stop it."""
    with started(server, root) as running:
        cpu, first = cpu_seconds(running.pid), pss_mb(running.pid)
        load(server, running, CLIENTS, seconds, TEXTS)
        return Start(cpu, running.seconds, first, pss_mb(running.pid))


def print_report(starts: dict[str, list[Start]]) -> None:
    """Print medians over the rounds."""
    print("| server | CPU seconds to the first answer | seconds | MB then | MB after load |")
    print("|---" * 5 + "|")
    for name, of_server in starts.items():
        cpu, wall, first, later = map(statistics.median, zip(*of_server, strict=True))
        least, most = min(of_server).cpu_s, max(of_server).cpu_s
        print(f"| {name} | {cpu:.2f} ({least:.2f}–{most:.2f}) | {wall:.1f} | {first:.0f} | {later:.0f} |")


if __name__ == "__main__":
    raise SystemExit(main())
