"""The command line: what to rehearse, how to report it, and the exit code."""

import argparse
import dataclasses
import os
import random
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from sagemaker_emulator.checks import GROUPS, SERVING_GROUPS, TRAINING_GROUPS
from sagemaker_emulator.docker_command import EngineError
from sagemaker_emulator.engine import Engine
from sagemaker_emulator.job import Job, JobError, Profile
from sagemaker_emulator.level import Level
from sagemaker_emulator.rehearsal import Limits, Rehearsal
from sagemaker_emulator.report import Report, as_json, as_table, worst
from sagemaker_emulator.schedule import run_parts

UNUSABLE, NOT_STRICT, INTERRUPTED = 2, 4, 130
EXIT_CODES = {Level.REFUSES: 1, Level.COSTS: 3, Level.PRACTICE: 0, None: 0}
_ROLES = {"train": ("train",), "serve": ("serve",), "both": ("train", "serve")}


def main(arguments: Sequence[str]) -> int:
    """Rehearse; return the exit code of the gravest fault, or 2 when nothing could be rehearsed."""
    command = parser()
    given = command.parse_args(arguments)
    given.only = wanted(given)
    if not given.only:
        command.error(f"--only names no group that --role {given.role} and --hosts {given.hosts} leave")
    # SIGINT too: a shell starts what runs in the background without it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return _rehearse(given)
    except (JobError, EngineError) as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("interrupted: no findings; everything that was started is removed", file=sys.stderr)
        return INTERRUPTED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _rehearse(given: argparse.Namespace) -> int:
    if given.role == "serve" and SERVING_GROUPS & given.only and given.model is None:
        raise JobError(
            "No model to serve: name its folder with --model, an empty one for an image that brings its own."
        )
    job = Job.read(given.job, _profile(given))
    if given.job is None and (
        TRAINING_GROUPS & given.only or (SERVING_GROUPS & given.only and given.model is None)
    ):
        raise JobError(
            "No job to train with: name a folder laid out as /opt/ml with --job, or --role serve --model."
        )
    if given.model is not None and not given.model.is_dir():
        raise JobError(f"There is no folder {given.model}.")
    engine = Engine()
    engine.image(given.image)
    report = Report(given.only, is_talkative=True)
    limits = Limits(
        training=given.train_seconds,
        refusal=given.refusal_seconds,
        start=given.start_seconds,
        stop=given.stop_seconds,
        drain=given.drain_seconds,
        lost_peer=given.peer_seconds,
    )
    work_dir = Path(tempfile.mkdtemp(prefix="sagemaker-emulator-", dir=given.work_dir)).resolve()
    rng = random.Random(given.seed)  # noqa: S311 - decides when to interrupt, guards nothing
    programs = _ROLES[given.role]
    rehearsal = Rehearsal(engine, given.image, job, report, limits, work_dir, rng, given.model, programs)
    print(f"rehearsing {given.image} …", file=sys.stderr, flush=True)
    try:
        run_parts(rehearsal, given.only, given.workers)
    finally:
        rehearsal.clean_up()
    findings = report.findings()
    print(f"SageMaker conformance of {given.image}\n\n{as_table(findings)}")
    if given.json:
        given.json.write_text(as_json(given.image, findings), encoding="utf-8")
    if report.is_empty():
        print(
            "Nothing could be rehearsed: every check was skipped, for the reason beside it.", file=sys.stderr
        )
        return UNUSABLE
    is_strictly_sound = not given.strict or report.is_conformant(is_strict=True)
    return EXIT_CODES[worst(findings)] or (0 if is_strictly_sound else NOT_STRICT)


def wanted(given: argparse.Namespace) -> frozenset[str]:
    """Return the groups that flags leave."""
    others = {"train": SERVING_GROUPS, "serve": TRAINING_GROUPS, "both": frozenset()}[given.role]
    return frozenset(given.only - others - ({"hosts"} if given.hosts == 1 else set()))


def _profile(given: argparse.Namespace) -> Profile:
    """Return the profile of the file, with what the flags say in place of its entries."""
    own = given.job / "conformance.json" if given.job else None
    path = given.profile or (own if own and own.is_file() else None)
    profile = Profile.read(path) if path else Profile()
    mappings = {
        "hyperparameters": given.hyperparameter,
        "bad_hyperparameters": given.bad_hyperparameter,
        "long_hyperparameters": given.long,
        "environment": given.env,
        "payloads": {path: kind for kind, path in given.payload},
        "records": {path: kind for kind, path in given.records},
    }
    changes: dict[str, Any] = {name: dict(pairs) for name, pairs in mappings.items() if pairs}
    changes |= {"required_channel": given.channel} if given.channel else {}
    changes |= {"progress": given.progress} if given.progress else {}
    changes |= {"bad_record": given.bad_record} if given.bad_record else {}
    changes |= {"accept": given.accept} if given.accept else {}
    changes |= {"checkpoints": False} if given.no_checkpoints else {}
    merged = {**_entries(profile), **changes}
    merged["hyperparameters"] = {**profile.hyperparameters, **dict(given.hyperparameter)}
    return Profile(**merged)


def _entries(profile: Profile) -> dict[str, Any]:
    return {field.name: getattr(profile, field.name) for field in dataclasses.fields(profile)}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="sagemaker_emulator",
        description="Emulate SageMaker for an image that has `train` and `serve`, and report what the image fails.",
        epilog="Exit code: 1 SageMaker refuses something, 3 something will cost you, 0 neither (good practice may"
        " be open), 2 nothing could be rehearsed, 4 with --strict where something was open or skipped.",
    )
    command.add_argument("image", help="name of a local image")
    command.add_argument(
        "--job", type=Path, metavar="FOLDER", help="laid out as /opt/ml; only its input/ is read"
    )
    command.add_argument(
        "--model", type=Path, metavar="FOLDER", help="what to serve, instead of training first"
    )
    command.add_argument(
        "--role", choices=tuple(_ROLES), default="both", help="what the image is for (default: both)"
    )
    command.add_argument("--hosts", type=int, choices=(1, 2), default=2,
                        help="instances that a job may have; 1 leaves the group hosts out (default: 2)")  # fmt: skip
    command.add_argument("--only", type=_groups, default=frozenset(GROUPS), metavar="GROUP,…",
                        help=f"of {', '.join(GROUPS)} (default: all)")  # fmt: skip
    command.add_argument("--json", type=Path, metavar="FILE", help="also write the findings there")
    command.add_argument("--strict", action="store_true", help="WARN and SKIP make the exit code 4")
    _add_profile(command)
    _add_limits(command)
    return command


def _add_profile(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what to send to the image (flags may be repeated)")
    group.add_argument(
        "--profile", type=Path, metavar="FILE", help="JSON with these entries (JOB/conformance.json)"
    )
    for name, text in {
        "--hyperparameter": "added to the job's own",
        "--bad-hyperparameter": "that the image must refuse (default: the first number becomes a word)",
        "--long": "hyperparameter that makes the job long enough to interrupt",
        "--env": "variable of every container",
    }.items():
        group.add_argument(name, type=_pair, action="append", default=[], metavar="NAME=VALUE", help=text)
    for name, text in {
        "--payload": "a request that must be answered",
        "--records": "a file for batch transform, one record per line",
    }.items():
        group.add_argument(name, type=_pair, action="append", default=[], metavar="TYPE=FILE", help=text)
    group.add_argument("--bad-record", metavar="TEXT", help="an invalid line")
    group.add_argument("--accept", metavar="TYPE", help="what batch transform asks for (default: nothing)")
    group.add_argument("--channel", metavar="NAME", help="channel that a job requires (default: train)")
    group.add_argument("--progress", metavar="REGEX", help="its group is a number that grows in the log")
    group.add_argument("--no-checkpoints", action="store_true", help="the image saves none")


def _add_limits(command: argparse.ArgumentParser) -> None:
    limits = Limits()
    group = command.add_argument_group("how it is rehearsed")
    for name, default, text in (
        ("--train-seconds", limits.training, "for a training"),
        ("--refusal-seconds", limits.refusal, "for a job or server that cannot run to end"),
        ("--start-seconds", limits.start, "until /ping says 200"),
        ("--stop-seconds", limits.stop, "between SIGTERM and SIGKILL in training"),
        ("--drain-seconds", limits.drain, "between SIGTERM and SIGKILL at an endpoint"),
        ("--peer-seconds", limits.lost_peer, "for a host to notice the loss of another"),
    ):
        group.add_argument(
            name, type=_positive, default=default, metavar="N", help=f"{text} (default: {default})"
        )
    group.add_argument("--workers", type=_positive, default=max(2, (os.cpu_count() or 2) // 2), metavar="N",
                       help="parts that run at the same time")  # fmt: skip
    group.add_argument("--seed", type=int, default=0, help="decides when spot instances are taken away")
    group.add_argument(
        "--work-dir", type=Path, help="where instances' disks are made and removed (default: /tmp)"
    )


def _groups(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    if not names <= set(GROUPS):
        raise argparse.ArgumentTypeError(f"{text!r}: choose among {', '.join(GROUPS)}")
    return names


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} has no name before a =")
    return name, value


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
