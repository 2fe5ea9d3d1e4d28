"""Check what make's command line sets, before make runs anything; print the reason to refuse it, if there is one.

    check_settings.py COMMANDS OF_OTHERS VENV [NAME=VALUE …]

COMMANDS are make's goals; OF_OTHERS are settings of other programs, which make only passes on. A pattern such as
SERVING_% stands for any name with that prefix. The launcher checks the settings of AWS commands.

Every make command waits for this program, so it imports late what only a refusal needs.
"""

from __future__ import annotations  # any Python 3 checks, before the one that make wants is looked for

import os
import sys
from collections.abc import Collection, Iterator, Mapping

_INSTALL = ("PYTHON", "TORCH_INDEX_URL")
_DEVELOP = (*_INSTALL, "VENV")
_INPUTS = ("TRAIN", "VALIDATION", "TEST", "CLASSES", "MODEL", "HP")
_LAY_OUT = ("PYTHON", "TEST_DIR", *_INPUTS)
_IMAGE = ("IMAGE", "TAG", "FLAVOUR")
_RUN = ("ENGINE", *_IMAGE, *_INSTALL)
_DRIFT = ("FILE", "ENDPOINT", "ARTIFACT", "BASELINE", "SINCE", "MAX_MB", "DRY_RUN")
_ACCOUNT = ("REGION", "PROFILE", "BUCKET_OWNER")
_TEST = (*_DEVELOP, "ARGS", "WHEELHOUSE")

TAKES: Mapping[str, Collection[str]] = {
    "help": (*_IMAGE, "PORT", "PYTHON"),
    "setup": _DEVELOP,
    "lay-out": _LAY_OUT,
    "model-channel": ("PYTHON", "TEST_DIR"),
    "convert-model": (*_INSTALL, "MODEL", "TO"),
    "train-local": (*_LAY_OUT, *_RUN),
    "doctor-data": (*_LAY_OUT, *_INSTALL),
    "spot-drill": (*_LAY_OUT, *_RUN, "KILLS", "SEED", "RANKS"),
    "serve-local": (*_RUN, "TEST_DIR", "PORT", "SERVING_%", "SAGEMAKER_%"),
    "predict-local": ("PORT", "PATIENCE"),
    "evaluate": (*_RUN, "MODEL", "DATA", "OUTPUT", "HP"),
    "compare": (*_RUN, "MODEL", "OTHER", "DATA", "OUTPUT", "HP"),
    "drift": (*_RUN, *_DRIFT, "OUTPUT", *_ACCOUNT),
    "conformance": (*_INSTALL, *_IMAGE, "JOB", "ARGS"),
    "build": (*_IMAGE, "BASE", "CUDA_COMPAT", "TORCH_INDEX_URL", "WHEELHOUSE"),
    "test": _TEST,
    "test-integration": (*_DEVELOP, "ARGS"),
    "bench": (*_DEVELOP, "ARGS"),
    "gpu-record": ("PYTHON", "VENV", "TRAIN", "TEST", "MODEL", "OUTPUT", "PRICE", "ARGS"),
    "lint": _DEVELOP,
    "format": _DEVELOP,
    "typecheck": _DEVELOP,
    "check": _TEST,
    "lock": ("PYTHON", "VENV", "UPGRADE"),
    "clean": ("VENV",),
}
# Read from the command line only: in the environment, such short names may belong to something else.
COMMAND_LINE_ONLY = (
    *_INPUTS,
    "TO",
    "DATA",
    "OTHER",
    "OUTPUT",
    "KILLS",
    "SEED",
    "JOB",
    "RANKS",
    "PRICE",
    *_DRIFT,
)
_OF_AWS_JOBS = (*_INPUTS, "OUTPUT", "JOB")
_MAY_BE_EMPTY = ("ARGS", "HP", "UPGRADE", "WHEELHOUSE", "SERVING_%", "SAGEMAKER_%")


class Request:
    """What make is asked for.

    Args:
        commands: such as train-local.
        line: the settings of make's command line.
        environ: the environment that make runs in.
        of_others: names and patterns that other programs read.

    `taken` holds the names and patterns that the commands take, without the launcher's.
    """

    def __init__(
        self,
        commands: Collection[str],
        line: Mapping[str, str],
        environ: Mapping[str, str],
        of_others: Collection[str],
    ) -> None:
        self.commands, self.line, self.environ, self.of_others = commands, line, environ, of_others
        self.taken = {name for command in commands for name in TAKES.get(command, ())}


def refusal(request: Request) -> str:
    """Return why make must not run, in one sentence; empty when it may."""
    unknown = _not_taken(request)
    if unknown:
        reasons = ", ".join(f"no {name}{_why(request, name)}" for name in unknown)
        return f"make {' '.join(request.commands)} takes {reasons}; see make help"
    empty = _empty(request)
    return f"{empty[0]}= is empty: give it a value, or leave it out" if empty else ""


def unused(request: Request) -> list[str]:
    """Return the variables of the environment that a command would take on its command line only."""
    taken = request.taken or _OF_AWS_JOBS
    left = {name for name in COMMAND_LINE_ONLY if request.environ.get(name)} - request.line.keys()
    return sorted(name for name in left if matches(name, taken))


def other_python(venv: str, python: str) -> str:
    """Return the reason to refuse a Python of another version than the environment in `venv`, which runs this."""
    import shlex
    import subprocess
    from pathlib import Path

    if not Path(venv, ".made").exists():
        return ""
    show_version = [*shlex.split(python), "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
    try:
        found = subprocess.run(show_version, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    except (OSError, ValueError):
        return f"PYTHON={python} cannot be run: name a Python 3.11 or 3.12, or leave it out"
    own = ".".join(map(str, sys.version_info[:2]))
    if found == own:
        return ""
    return f"PYTHON={python} is another version than {venv} was made with, {own}: run make clean first"


def matches(name: str, patterns: Collection[str]) -> bool:
    """Return whether a name is among the names or matches a pattern."""
    beginnings = (pattern.partition("%") for pattern in patterns if "%" in pattern)
    return name in patterns or any(
        name.startswith(head) and name.endswith(tail) for head, _, tail in beginnings
    )


def _not_taken(request: Request) -> list[str]:
    if not all(command in TAKES for command in request.commands):
        return []  # a command of the launcher, or a file
    return [name for name in request.line if not matches(name, {*request.taken, *request.of_others})]


def _empty(request: Request) -> list[str]:
    """Return the settings in effect that are blank, such as from TEST_DIR=$DIR in a script where DIR is not set."""
    counted = {name: text for name, text in request.environ.items() if name not in COMMAND_LINE_ONLY}
    blank = [name for name, text in {**counted, **request.line}.items() if not text.strip()]
    may_be_empty = {*_MAY_BE_EMPTY, *request.of_others}
    return [name for name in blank if matches(name, request.taken) and not matches(name, may_be_empty)]


def _why(request: Request, name: str) -> str:
    """Return in brackets what a name is for, or which name may be meant; empty if no known name is close."""
    takers = [command for command in sorted(TAKES) if name in TAKES[command]]
    text = (
        f"it is for {', '.join(takers)}" if takers else hint(name, request.line[name], _candidates(request))
    )
    return f" ({text})" if text else ""


def _candidates(request: Request) -> set[str]:
    """Return the names that may be meant: those of any command for `make TRIAN=x` without a command."""
    return (
        request.taken
        if request.commands != ["help"]
        else {name for names in TAKES.values() for name in names}
    )


def hint(name: str, value: str, settings: Collection[str]) -> str:
    """Return the remedy for an unknown setting; empty if no known name is close."""
    try:
        from bert_classifier.job.config import TrainConfig
        from bert_classifier.job.former_names import ALIASES
        from bert_classifier.job.settings import nearest, specs
    except ImportError:  # a Python that is older than the project's
        return ""

    word = name.lower()
    hyperparameters = {**{own: own for own in specs(TrainConfig)}, **ALIASES} if "HP" in settings else {}
    setting = None if word in hyperparameters else nearest(word, list(_spelled_out(settings)))
    if setting:
        return f"did you mean {setting.upper()}?"
    hyperparameter = nearest(word, list(hyperparameters))
    return f'did you mean HP="{hyperparameters[hyperparameter]}={value}"?' if hyperparameter else ""


def _spelled_out(settings: Collection[str]) -> Iterator[str]:
    """Yield the settings in lower case, with patterns replaced by the server's settings that match."""
    from bert_classifier.job.serve_config import ServeConfig
    from bert_classifier.job.settings import specs

    yield from sorted(name.lower() for name in settings if "%" not in name)
    yield from (name for name in specs(ServeConfig) if matches(name.upper(), settings))


def main(commands: str, of_others: str, venv: str, *assignments: str) -> None:
    """Print the reason to refuse what make is asked for; warn about variables that it would not use."""
    line = {name: value for name, _, value in (assignment.partition("=") for assignment in assignments)}
    request = Request(commands.split(), line, os.environ, of_others.split())
    reason = refusal(request) or (other_python(venv, line["PYTHON"]) if "PYTHON" in line else "")
    for name in [] if reason else unused(request):
        print(f"{name} from the environment is not used: give it on make's command line", file=sys.stderr)
    print(reason)


if __name__ == "__main__":
    sys.path.insert(1, f"{sys.path[0]}/../container")
    main(*sys.argv[1:])
