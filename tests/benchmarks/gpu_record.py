"""The record on one NVIDIA GPU: the whole program, training speed, guarantees, serving, each beside its goal.

    make gpu-record [TRAIN=dbpedia_train.csv] [TEST=test.csv] [MODEL=encoder_folder] [OUTPUT=folder] [PRICE=6.88]

OUTPUT/gpu_record.json and .md say what was measured, on which card, when, and with which versions. Each part is a
process of its own with a time limit: a failure costs that part alone. An H100 takes less than 8 minutes for all.
"""

import argparse
import datetime
import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gpu.goals import EPOCH_TEXTS, Figure, judge_all
from benchmarks.gpu.parts import Part, in_digits, note, run_part
from benchmarks.gpu.prices import dollars_for, parse_prices
from bert_classifier.errors import ContainerError, PlatformError, UserError

if TYPE_CHECKING:
    from benchmarks.gpu.material import Material

_SAMPLE = Path(__file__).parents[2] / "local_test" / "test_dir" / "input" / "data" / "train" / "train.csv"
# The seconds that each part may take; what it leaves goes to the later ones.
_LIMITS = {
    "job": 190,
    "speed-32": 50,
    "speed-256": 50,
    "speed-1024": 55,
    "bits-reproducible": 30,
    "bits-default": 25,
    "memory": 25,
    "serving": 40,
}


def main(arguments: Sequence[str]) -> int:
    """Make the record, or run one part of it; return the exit status."""
    options = _parse(arguments)
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]  # one GPU
    try:
        _require_gpu()
        if options.check:
            return 0
        if options.figures:
            return _measure(options)
        return _make_record(options, parse_prices(options.price))
    except ContainerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except PermissionError as error:
        print(f"Cannot write {error.filename}: {error.strerror}. Name another OUTPUT.", file=sys.stderr)
        return PlatformError.exit_code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--train", type=Path, default=_SAMPLE, help="labelled file; default: the bundled sample"
    )
    parser.add_argument("--test", type=Path, help="labelled file; validation is taken out of it too")
    parser.add_argument("--model", type=Path, help="encoder to train; default: BERT-base of random weights")
    parser.add_argument(
        "--tokenizer", type=Path, help="encoder whose tokenizer is used; default: that of --model"
    )
    parser.add_argument("--output", type=Path, default=Path("gpu-record"), help="folder for the record")
    parser.add_argument("--price", default="", help='dollars per hour, or "NAME=6.88 NAME=2.5"')
    parser.add_argument("--texts", type=int, default=EPOCH_TEXTS, help="texts of the epoch")
    parser.add_argument("--parts", nargs="+", choices=_LIMITS, default=list(_LIMITS))
    parser.add_argument(
        "--check", action="store_true", help="only say whether this Python and machine will do"
    )
    parser.add_argument("--figures", type=Path, help=argparse.SUPPRESS)  # where a part's process writes
    return parser.parse_args(arguments)


def _require_gpu() -> None:
    """Refuse a Python without the program's requirements, and a machine without a usable GPU.

    Raises:
        UserError: for a missing package, torch for CPUs, or no GPU.
    """
    try:
        import accelerate  # noqa: F401 - transformers' Trainer needs it
        import transformers  # noqa: F401

        from benchmarks.gpu.project import unusable_gpu
    except ImportError as error:
        raise UserError(
            f"{sys.executable} cannot measure a GPU: {error}.",
            "Name a Python that has the program's requirements with PYTHON=, or leave it out.",
        ) from error
    if reason := unusable_gpu():
        raise UserError(
            f"gpu-record measures an NVIDIA GPU, and none can be used: {reason}.",
            "Run it on a machine that has one, such as a ml.g5.xlarge notebook instance.",
        )


def _make_record(options: argparse.Namespace, prices: dict[str, float]) -> int:
    """Run the parts, writing the record after each; return the exit status."""
    from benchmarks.gpu import document
    from benchmarks.gpu.material import write_sample
    from benchmarks.gpu.training_job import remarks

    _require_inputs(options)
    sample = write_sample(options.train, options.output / "sample.csv")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no part outlives this
    record, parts = _new_record(options, prices), list[Part]()
    for part in _run_parts(options, sample):
        parts.append(part)
        if part.name == "job":
            part.figures += _costs(part.figures, prices)
        figures = {done.name: done.figures for done in parts}
        record["remarks"] = list(remarks(figures.get("job", []), options.model))
        record["goals"] = judge_all(figures)
        record["parts"] = [vars(done) for done in parts]
        document.write(options.output, record)
    for goal in record["goals"]:
        print(f"{goal['outcome']}: {goal['goal']}: {in_digits(goal['measured'])}")
    print(f"record: {options.output / 'gpu_record.md'}")
    return int(any(part.outcome != "ended" for part in parts))


def _new_record(options: argparse.Namespace, prices: dict[str, float]) -> dict[str, Any]:
    """Return a record of no part: when and on what it is made."""
    from benchmarks.gpu.machine import digest_of, machine

    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": {**machine(), "training file": digest_of(options.train)},
        "prices": prices,
    }


def _require_inputs(options: argparse.Namespace) -> None:
    """Refuse what would fail later.

    Raises:
        UserError: for a file that is not there, or a folder that is no encoder's.
    """
    from benchmarks.gpu.project import check_encoder

    for name, path in (("TRAIN", options.train), ("TEST", options.test)):
        if path and not path.is_file():
            raise UserError(
                f"{name}={path} is no file.", "Name a labelled file, such as DBpedia's train.csv."
            )
    for folder in (options.model, options.tokenizer):
        if folder:
            check_encoder(folder)


def _run_parts(options: argparse.Namespace, sample: Path) -> Iterator[Part]:
    """Run the chosen parts; each may take what is left but the limits of the later ones. All but `job` use a sample."""
    names = [name for name in _LIMITS if name in options.parts]
    ends = time.monotonic() + sum(_LIMITS[name] for name in names)
    for position, name in enumerate(names):
        later = sum(_LIMITS[other] for other in names[position + 1 :])
        print(f"{name}: at most {ends - time.monotonic() - later:.0f} s", flush=True)
        command = [sys.executable, "-W", "ignore", *sys.argv, "--parts", name]
        command += [] if name == "job" else ["--train", str(sample)]
        part = run_part(name, command, ends - time.monotonic() - later)
        print(f"{name}: {part.outcome} in {part.seconds:.0f} s", flush=True)
        yield part


def _costs(figures: Sequence[Figure], prices: dict[str, float]) -> list[Figure]:
    """Return what the whole program cost at each price, if it ended well."""
    if not figures or figures[0]["exit_code"]:
        return []
    costs = dollars_for(figures[0]["seconds"], prices)
    return [
        {"price": name, "dollars per hour": prices[name], "dollars": cost} for name, cost in costs.items()
    ]


def _measure(options: argparse.Namespace) -> int:
    """Run one part here, and write its figures."""
    from benchmarks.gpu.material import Material

    tokenizer = options.tokenizer or options.model
    if tokenizer is None:
        raise UserError("There is no tokenizer.", "Name an encoder's folder with --model or --tokenizer.")
    material = Material(options.train, options.test, options.model, tokenizer, options.output, options.texts)
    (name,) = options.parts
    for figure in _part(name)(material):
        note(options.figures, figure)
    return 0


def _part(name: str) -> Callable[["Material"], Iterator[Figure]]:
    from benchmarks.gpu.guarantees import bits, memory
    from benchmarks.gpu.serving import serving
    from benchmarks.gpu.speed import speed
    from benchmarks.gpu.training_job import job

    kind, _, of = name.partition("-")
    if kind == "speed":
        return functools.partial(speed, batch=int(of))
    if kind == "bits":
        return functools.partial(bits, reproducible="true" if of == "reproducible" else "false")
    return {"job": job, "memory": memory, "serving": serving}[kind]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
