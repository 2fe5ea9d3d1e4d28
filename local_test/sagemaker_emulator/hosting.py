"""Start `serve` as SageMaker does, and judge other starts: confined, as another user, without a model."""

import contextlib
import json
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from sagemaker_emulator.client import USUAL_PORT, Server
from sagemaker_emulator.instance import files_of
from sagemaker_emulator.level import Level
from sagemaker_emulator.rehearsal import Rehearsal, Start

MODEL_CHECKS = ("serve.empty-model", "serve.broken-model", "serve.multi-models")
_OTHER_PORT = 9123
_LABELS = "com.amazonaws.sagemaker.capabilities."
_VARIANTS = {
    "serve.bind-port": (f"--env=SAGEMAKER_BIND_TO_PORT={_OTHER_PORT}",),
    "serve.read-only-root": ("--read-only", "--tmpfs=/tmp"),
    "serve.small-shm": ("--shm-size=1m",),
    "serve.unknown-user": ("--user=12345:12345",),
}
VARIANT_CHECKS = tuple(_VARIANTS)


@contextlib.contextmanager
def serving(
    rehearsal: Rehearsal,
    model_dir: Path,
    *options: str,
    port: int = USUAL_PORT,
    variables: Mapping[str, str] | None = None,
    is_model_writable: bool = False,
    is_network_open: bool | None = None,
) -> Iterator[Server]:
    """Run `serve` on a model.

    Args:
        is_network_open: whether there is a way out; by default where the first start needed one.
    """
    engine = rehearsal.engine
    if is_network_open is None:
        is_network_open = rehearsal.start.result().is_network_open
    is_open = is_network_open or not engine.reaches_containers
    mode = "" if is_model_writable else ":ro"
    with engine.network(is_open=is_open) as network:
        own = [
            f"--network={network}",
            f"--volume={model_dir.resolve()}:/opt/ml/model{mode}",
            *([] if engine.reaches_containers else _published({port, USUAL_PORT})),
            *rehearsal.environment(variables or {}),
            *options,
        ]
        with engine.running(rehearsal.image, ["serve"], own) as container:
            yield Server(container, port)


def _published(ports: Collection[int]) -> list[str]:
    return [f"--publish=127.0.0.1::{port}" for port in ports]


@contextlib.contextmanager
def first_server(rehearsal: Rehearsal) -> Iterator[Server | None]:
    """Start a server, without what SageMaker withholds, and pass on to other parts how it starts.

    Yield it for whoever asks it more, since a start is most of what it costs; None where it does not start.
    """
    with contextlib.ExitStack() as stack:
        try:
            start, server = _first_start(rehearsal, stack)
        except BaseException as error:
            rehearsal.start.set_exception(error)
            raise
        rehearsal.start.set_result(start)
        yield server if start.is_ready else None


_Started = tuple[Start, Server | None]


def _first_start(rehearsal: Rehearsal, stack: contextlib.ExitStack) -> _Started:
    report, model = rehearsal.report, rehearsal.model_dir()
    if model is None:
        start = Start(False, "there is no model: the training failed")
        report.judge("serve.starts", False, start.seen)
        return start, None
    start, server = _start(rehearsal, model, stack)
    if not start.is_ready and rehearsal.engine.reaches_containers:
        helped, another = _start(rehearsal, model, stack, is_network_open=True)
        if helped.is_ready:
            report.judge("serve.no-network", False, "it starts only with a network")
            start, server = helped, another
    if not start.is_ready and _start(rehearsal, model, stack, is_model_writable=True)[0].is_ready:
        report.judge("serve.read-only-model", False, "it starts only with a writable model folder")
    report.judge("serve.starts", start.is_ready, start.seen)
    return start, server


def _start(
    rehearsal: Rehearsal,
    model: Path,
    stack: contextlib.ExitStack,
    *,
    is_model_writable: bool = False,
    is_network_open: bool = False,
) -> _Started:
    """Start a server that ends with the stack, or at once where it is never healthy."""
    server = stack.enter_context(
        serving(rehearsal, model, is_model_writable=is_model_writable, is_network_open=is_network_open)
    )
    began = time.monotonic()
    is_ready, seen = server.wait_until_ready(rehearsal.limits.start)
    if not is_ready:
        stack.close()
    seen = f"{seen}, with a network" if is_network_open else seen
    return Start(is_ready, seen, time.monotonic() - began, is_network_open), server


def check_variants(rehearsal: Rehearsal) -> None:
    """Start a server under all restrictions at once; if it fails, once under each."""
    report, model = rehearsal.report, rehearsal.model_dir()
    if model is None or not rehearsal.start.result().is_ready:
        report.skip_rest(VARIANT_CHECKS, "the server does not start")
        return
    everything = [option for options in _VARIANTS.values() for option in options]
    together, seen = _answers(rehearsal, model, everything, _OTHER_PORT)
    for name, options in _VARIANTS.items():
        port = _OTHER_PORT if name == "serve.bind-port" else USUAL_PORT
        holds = together
        if together is False:
            holds, seen = _answers(rehearsal, model, options, port)
        if name == "serve.bind-port" and holds is not None:
            _judge_port(rehearsal, seen, is_honoured=holds)
        else:
            report.judge(name, holds, seen)


def _answers(rehearsal: Rehearsal, model: Path, options: Sequence[str], port: int) -> tuple[bool | None, str]:
    """Return whether a server starts and answers so; None when it is healthy and nothing can be asked."""
    with serving(rehearsal, model, *options, port=port) as server:
        is_ready, seen = server.wait_until_ready(rehearsal.limits.start)
        if not is_ready:
            return False, seen
        if not rehearsal.job.payloads:
            return None, f"{seen}; whether it answers is not known: name a request with --payload TYPE=FILE"
        server.invoke(rehearsal.job.payloads[0])  # whether the first answer is good has a check of its own
        answer = server.invoke(rehearsal.job.payloads[0])
        return answer.status == 200, f"{seen}, then {answer.summary()[:60]}"


def _judge_port(rehearsal: Rehearsal, seen: str, *, is_honoured: bool) -> None:
    if _has_label(rehearsal, "accept-bind-to-port"):
        rehearsal.report.judge(
            "serve.bind-port",
            is_honoured,
            seen if is_honoured else f"the image's label promises it, but: {seen}",
            Level.COSTS,
        )
    elif is_honoured:
        rehearsal.report.judge(
            "serve.bind-port", True, f"{seen}; but without the label pipelines do not use it"
        )
    else:
        rehearsal.report.skip(
            "serve.bind-port", "not honoured, and no label promises it: no use in pipelines"
        )


def _has_label(rehearsal: Rehearsal, name: str) -> bool:
    labels = (rehearsal.engine.image(rehearsal.image).get("Config") or {}).get("Labels") or {}
    return str(labels.get(_LABELS + name, "")).lower() == "true"


def check_models(rehearsal: Rehearsal) -> None:
    """Serve an empty folder and one whose files are cut in half: both must end with a reason."""
    report, model, start = rehearsal.report, rehearsal.model_dir(), rehearsal.start.result()
    empty = rehearsal.new_folder("empty-model")
    empty.mkdir()
    if model is None or not start.is_ready:
        for name in ("serve.empty-model", "serve.broken-model"):
            report.skip(name, "the server does not start with a whole model either")
    elif not files_of(model):
        for name in ("serve.empty-model", "serve.broken-model"):
            report.skip(name, "the image brings its own model")
    else:
        report.judge("serve.empty-model", *_judge_refusal(rehearsal, empty))
        report.judge("serve.broken-model", *_judge_refusal(rehearsal, _broken_copy(rehearsal, model)))
    if not _has_label(rehearsal, "multi-models"):
        report.judge("serve.multi-models", True, "the image has no such label")
        return
    with serving(rehearsal, empty, variables={"SAGEMAKER_MULTI_MODEL": "true"}) as server:
        server.wait_until_ready(rehearsal.limits.refusal)
        answer = server.ask("GET", "/models")
        fault = models_fault(answer.status, answer.body)
        report.judge("serve.multi-models", not fault, f"GET /models: {fault or answer.summary()}")


def models_fault(status: int, body: bytes) -> str:
    """Return what is wrong with an answer of a multi-model server's GET /models; empty when nothing is."""
    if status != 200:
        return f"status {status or 'missing'}"
    try:
        listed = json.loads(body)
    except ValueError:
        return "the answer is not JSON"
    is_list = isinstance(listed, dict) and isinstance(listed.get("models"), list)
    return "" if is_list else "the answer has no list models"


def _broken_copy(rehearsal: Rehearsal, model: Path) -> Path:
    """Return a copy of a model with every file cut in half, as after a failed transfer."""
    broken = rehearsal.new_folder("broken-model")
    for name in files_of(model):
        (broken / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model / name, broken / name)
        with (broken / name).open("r+b") as file:
            file.truncate((model / name).stat().st_size // 2)
    return broken


def _judge_refusal(rehearsal: Rehearsal, model: Path) -> tuple[bool | None, str, Level]:
    """Judge whether a server refuses a model: it ends by itself, or is at least never healthy."""
    began = time.monotonic()
    # One that is merely slow to be healthy has refused nothing.
    patience = max(rehearsal.limits.refusal, 3 * rehearsal.start.result().seconds)
    with serving(rehearsal, model) as server, server.container.watched() as has_ended:
        while not has_ended():
            if server.ping().status == 200:
                return _judge_healthy(rehearsal, server)
            if time.monotonic() - began > patience:
                return True, f"not healthy within {patience:.0f} s", Level.PRACTICE
            time.sleep(0.2)
        code = server.container.wait(rehearsal.limits.refusal)
        has_reason = bool(server.container.log().strip())
        seen = f"exit code {code}: {server.container.last_words()}"
        return code != 0 and has_reason, seen, Level.PRACTICE


def _judge_healthy(rehearsal: Rehearsal, server: Server) -> tuple[bool | None, str, Level]:
    """Judge a server that is healthy without a whole model by its answer to a request."""
    seen = "it answers /ping with 200 all the same"
    payloads = rehearsal.job.payloads
    if not payloads:
        return False, seen, Level.PRACTICE
    answer = server.invoke(payloads[0])
    if answer.status not in {0, 200}:  # whether the first answer is good has a check of its own
        answer = server.invoke(payloads[0])
    if answer.status == 200:
        return None, f"{seen}, and a request: its model may lie elsewhere", Level.PRACTICE
    return False, f"{seen}, and requests with {answer.summary()[:60]}", Level.COSTS
