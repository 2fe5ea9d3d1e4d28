"""What training on several GPUs should reach, on paper: bytes, seconds per step and efficiency, in both modes.

    python tests/benchmarks/scaling_on_paper.py [--share-of-peak 0.45] [--host-ms-bert-base 2.9 8.1]

The numbers come from published speeds and from assumptions that are named below and in the table's caption; options
replace them with measured ones. It is arithmetic: nothing here runs on a GPU, and it needs no package.

A step of R ranks, each with an equal share of the global batch:

    compute   6 × weights in matrix products × tokens ÷ (share of peak × peak)    Kaplan et al. 2020, 2.1
    optimizer weights × bytes that AdamW moves ÷ (share × memory bandwidth)
    host      launches: a fixed time, and one per micro-batch; beside the GPU, so the longer of the two counts
    exchange  overlapped: ring all-reduce, each link carries 2 (R-1)/R of the gradient (Patarasu and Yuan 2009); hidden
              behind the last micro-batch's backward pass (2/3 of its time) but for the word embeddings, whose
              gradient comes last
              ordered: all-to-all of the gradient's R chunks, then all-gather, each (R-1)/R per rank, after backward;
              again for each round of gradient groups
"""

import argparse
import dataclasses
import math
from collections.abc import Iterator, Sequence

TOKENS_PER_TEXT = 63  # DBpedia
EPOCH_TEXTS = 560_000
BYTES = 4  # of a gradient's number: fp32
BACKWARD = 2 / 3  # of the compute
BATCHES = (256, 1024, 8192)
# AdamW per weight, in bytes: reads weight, gradient and two moments, writes weight and moments, and the bf16 copy; the
# norm and the clipping read and write the gradient once more.
OPTIMIZER_BYTES = 16 + 12 + 2 + 8


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A model: its weights, of them those in matrix products and those of the word embeddings."""

    name: str
    weights: float
    in_products: float
    word_embeddings: float


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Instances with GPUs.

    Attributes:
        peak: bf16, dense, FLOP/s of a GPU.
        memory: bytes/s of a GPU's memory.
        link: bytes/s that a GPU sends to the others of its host.
        network: bytes/s that a host sends to others.
        latency: seconds until a collective operation begins to move data.
        budget: tokens per micro-batch, as the overlapped mode measures it by the card's memory.
        ordered_budget: the same in the ordered mode, which has the same bits on every card.
    """

    name: str
    hosts: int
    gpus_per_host: int
    peak: float
    memory: float
    link: float
    network: float
    latency: float
    budget: int
    ordered_budget: int = 16_384

    @property
    def ranks(self) -> int:
        """All GPUs."""
        return self.hosts * self.gpus_per_host


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """What is not published: shares of the published speeds, and the host's time for launches.

    Attributes:
        host_step: seconds per step, for the encoder.
        host_micro_batch: seconds per micro-batch beside that.
    """

    share_of_peak: float = 0.45
    share_of_memory: float = 0.8
    share_of_link: float = 0.5
    share_of_network: float = 0.8
    host_step: float = 0.003
    host_micro_batch: float = 0.008


@dataclasses.dataclass(frozen=True)
class Step:
    """A step on paper; seconds, and the bytes that leave the busiest link: a GPU's, or a host's among several."""

    compute: float
    optimizer: float
    host: float
    leaving: float
    exchange: float
    exposed: float

    @property
    def seconds(self) -> float:
        """The whole step: GPU and host work side by side, what is not hidden of the exchange is added."""
        return max(self.compute + self.optimizer, self.host) + self.exposed


ENCODERS = (
    Encoder("BERT-base", 109.5e6, 85.5e6, 30_522 * 768),
    Encoder("MiniLM", 22.7e6, 10.8e6, 30_522 * 384),
)
CLUSTERS = (
    Cluster("8 × H100 (ml.p5.48xlarge)", 1, 8, 989e12, 3.35e12, 450e9, 400e9, 30e-6, 65_536),
    Cluster("16 × A10G (4 × ml.g5.12xlarge)", 4, 4, 70e12, 600e9, 32e9, 5e9, 200e-6, 54_272),
)
MODES = ("overlapped", "ordered")
# CPU time of one step and of one micro-batch, on a stand-in for CUDA that computes nothing (2 cores, 2026-11-28: 2.7
# and 5.7 ms, 1.5 and 3.4 ms), and 4 µs for each launch, which is a driver's time: some 60 per step and 600 per
# micro-batch, half of that in MiniLM's half as many layers.
HOST_MS = {"BERT-base": (2.9, 8.1), "MiniLM": (1.6, 4.6)}


def step_of(
    encoder: Encoder, cluster: Cluster, batch: int, mode: str, assumed: Assumptions, rounds: int = 1
) -> Step:
    """Return a step of a global batch in a mode; rounds = gradient groups ÷ ranks, of the ordered mode."""
    tokens = batch / cluster.ranks * TOKENS_PER_TEXT
    compute = 6 * encoder.in_products * tokens / (assumed.share_of_peak * cluster.peak)
    optimizer = encoder.weights * OPTIMIZER_BYTES / (assumed.share_of_memory * cluster.memory)
    budget = cluster.budget if mode == "overlapped" else cluster.ordered_budget
    micro_batches = max(1, math.ceil(tokens / budget))
    host = assumed.host_step + micro_batches * assumed.host_micro_batch
    leaving, exchange, tail = _exchange(encoder, cluster, mode, assumed, rounds)
    backward = BACKWARD * max(compute / micro_batches, assumed.host_micro_batch)
    exposed = max(tail, exchange - backward) if mode == "overlapped" else exchange
    return Step(compute, optimizer, host, leaving, exchange, exposed)


def _exchange(
    encoder: Encoder, cluster: Cluster, mode: str, assumed: Assumptions, rounds: int
) -> tuple[float, float, float]:
    """Return the bytes that leave the busiest link, the seconds of the exchange, and those that cannot be hidden."""
    ranks, gpus = cluster.ranks, cluster.gpus_per_host
    if ranks == 1:
        return 0.0, 0.0, 0.0
    gradient = encoder.weights * BYTES
    part = (ranks - 1) / ranks * gradient  # a ring leaves each GPU, and each host, once
    link, network = assumed.share_of_link * cluster.link, assumed.share_of_network * cluster.network
    slowest = link if cluster.hosts == 1 else min(link, network)
    if mode == "overlapped":
        tail = 2 * part * encoder.word_embeddings / encoder.weights
        return 2 * part, 2 * part / slowest + cluster.latency, tail / slowest + cluster.latency
    to_other_hosts = gpus * (ranks - gpus) / ranks * gradient  # all GPUs of a host share its network
    all_to_all = max(part / link, to_other_hosts / network)
    leaving = rounds * (part if cluster.hosts == 1 else to_other_hosts) + part
    exchange = rounds * (all_to_all + cluster.latency) + part / slowest + cluster.latency
    return leaving, exchange, exchange


def efficiency(
    encoder: Encoder, cluster: Cluster, batch: int, mode: str, assumed: Assumptions, rounds: int = 1
) -> float:
    """Return the speed per GPU beside that of one GPU alone, with nothing exchanged, at the same global batch."""
    alone = dataclasses.replace(cluster, hosts=1, gpus_per_host=1)
    together = step_of(encoder, cluster, batch, mode, assumed, rounds).seconds
    return step_of(encoder, alone, batch, "overlapped", assumed).seconds / cluster.ranks / together


def rows(assumed: dict[str, Assumptions]) -> Iterator[list[str]]:
    """Yield the table's rows; `assumed` is by encoder."""
    for cluster in CLUSTERS:
        for encoder in ENCODERS:
            for batch in BATCHES:
                for mode in MODES:
                    step = step_of(encoder, cluster, batch, mode, assumed[encoder.name])
                    share = efficiency(encoder, cluster, batch, mode, assumed[encoder.name])
                    yield [
                        cluster.name, encoder.name, f"{batch:,}", mode, f"{step.leaving / 1e6:,.0f}",
                        *(f"{1e3 * value:.1f}" for value in (step.compute, step.optimizer, step.host)),
                        f"{1e3 * step.exchange:.1f}", f"{1e3 * step.exposed:.1f}", f"{1e3 * step.seconds:.1f}",
                        f"{100 * share:.0f} %", f"{EPOCH_TEXTS / batch * step.seconds:,.0f}",
                    ]  # fmt: skip


HEAD = (
    "GPUs", "encoder", "global batch", "mode", "MB over the busiest link", "compute, ms", "optimizer, ms", "host, ms",
    "exchange, ms", "not hidden, ms", "step, ms", "efficiency", "560,000 texts, s",
)  # fmt: skip


def main() -> None:
    """Print the table."""
    assumed = _parse()
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for row in rows(assumed):
        print("| " + " | ".join(row) + " |")


def _parse() -> dict[str, Assumptions]:
    """Return the assumptions by encoder."""
    usual = Assumptions()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("share_of_peak", "share_of_memory", "share_of_link", "share_of_network"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(usual, name))
    for encoder in ENCODERS:
        parser.add_argument(
            f"--host-ms-{encoder.name.lower()}",
            nargs=2,
            type=float,
            metavar=("STEP", "MICRO_BATCH"),
            default=HOST_MS[encoder.name],
            help="host time per step, and per micro-batch beside it",
        )
    given = vars(parser.parse_args())
    shares = {name: value for name, value in given.items() if name.startswith("share")}
    return {
        e.name: _with_host(shares, given[f"host_ms_{e.name.lower().replace('-', '_')}"]) for e in ENCODERS
    }


def _with_host(shares: dict[str, float], milliseconds: Sequence[float]) -> Assumptions:
    step, micro_batch = milliseconds
    return Assumptions(**shares, host_step=step / 1e3, host_micro_batch=micro_batch / 1e3)


if __name__ == "__main__":
    main()
