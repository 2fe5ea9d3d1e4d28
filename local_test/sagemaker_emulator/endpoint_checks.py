"""An endpoint as SageMaker hosts it: health checks, requests of every kind, and the stop."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.client import PING_TIMEOUT, Answer, Server
from sagemaker_emulator.engine import KILLED, Stop
from sagemaker_emulator.hosting import MODEL_CHECKS, VARIANT_CHECKS, first_server
from sagemaker_emulator.job import Payload
from sagemaker_emulator.rehearsal import Rehearsal
from sagemaker_emulator.training_checks import strays

ENDPOINT_CHECKS = names_of("serve", without=(*VARIANT_CHECKS, *MODEL_CHECKS))
_NO_REQUEST = "no request is known: name one with --payload TYPE=FILE"
_LOAD_SECONDS = 3.0
_LOAD_THREADS = 8
# A fault counts when each round shows it, since other parts load this machine too.
_LOAD_ROUNDS = 3
_LARGE_BODIES = {"serve.6mb": 6 * 1024 * 1024, "serve.25mb": 25 * 1024 * 1024}
_HEADERS = {
    "X-Amzn-SageMaker-Custom-Attributes": "trace=1;tenant=a",
    "X-Amzn-Nobody-Knows": "1",
    "Accept": "*/*",
}


def check_endpoint(rehearsal: Rehearsal) -> None:
    """Serve the model, pass on how the server starts, and judge everything that one server can show."""
    with first_server(rehearsal) as server:
        if server is None:
            rehearsal.report.skip_rest(ENDPOINT_CHECKS, "the server does not start")
        elif rehearsal.report.wants(ENDPOINT_CHECKS):
            _check_server(rehearsal, server)


def _check_server(rehearsal: Rehearsal, server: Server) -> None:
    report = rehearsal.report
    has_answered = _check_requests(rehearsal, server)
    report.judge("serve.read-only-model", *if_answered(has_answered, "served from it"))
    if not rehearsal.start.result().is_network_open:
        _judge_network(rehearsal, has_answered=has_answered)
    stray = strays(server.container.written(), ("/opt/ml/model",))
    nothing = if_answered(has_answered, "nothing elsewhere")
    report.judge("serve.writes", *((False, ", ".join(stray[:4])) if stray else nothing))
    _check_stop(rehearsal, server)


def if_answered(has_answered: bool, seen: str) -> tuple[bool | None, str]:
    """Return that a check holds, or None: a server that has answered no request may not have loaded its model."""
    return (True, seen) if has_answered else (None, "it is healthy, but has answered no request with 200")


def _judge_network(rehearsal: Rehearsal, *, has_answered: bool) -> None:
    if rehearsal.engine.reaches_containers:
        rehearsal.report.judge("serve.no-network", *if_answered(has_answered, "served without a way out"))
    else:
        rehearsal.report.skip(
            "serve.no-network", "this engine cannot be reached without a network that leads out"
        )


def _check_requests(rehearsal: Rehearsal, server: Server) -> bool:
    """Judge what one server answers; return whether it has answered a request with 200."""
    has_answered = False
    report, payloads = rehearsal.report, rehearsal.job.payloads
    if not payloads:
        for name in ("ping-truth", "payloads", "wrong-type", "garbage", "6mb", "25mb", "custom-attributes"):
            report.skip(f"serve.{name}", _NO_REQUEST)
    else:
        first = server.invoke(payloads[0])
        report.judge(
            "serve.ping-truth", first.status == 200, f"the first request was answered with {first.status}"
        )
        has_answered = _check_payloads(rehearsal, server)
    _check_pings(rehearsal, server)
    return has_answered


def _check_payloads(rehearsal: Rehearsal, server: Server) -> bool:
    """Judge the answers to requests of each kind; return whether one was 200."""
    report, payloads = rehearsal.report, rehearsal.job.payloads
    answers = [(payload.content_type, server.invoke(payload)) for payload in payloads]
    report.judge("serve.payloads", *judge_payloads(answers))
    has_answered = any(answer.status == 200 for _, answer in answers)
    wrong = server.invoke(Payload("application/x-nobody-knows", payloads[0].body))
    report.judge("serve.wrong-type", *judge_wrong([("", wrong)], range(400, 500), has_answered=has_answered))
    kinds = dict.fromkeys(kind for kind, _ in answers)
    garbage = [(kind, server.invoke(Payload(kind, b"\x00\xff\xfe{[\x80"))) for kind in kinds]
    report.judge("serve.garbage", *judge_wrong(garbage, range(200, 500), has_answered=has_answered))
    for name, size in _LARGE_BODIES.items():
        large = server.invoke(grown(rehearsal, size))
        report.judge(name, *judge_large(large, has_answered=has_answered))
    known = server.invoke(payloads[0], _HEADERS)
    back = known.headers.get("x-amzn-sagemaker-custom-attributes")
    seen = f"{known.status}, {'given back' if back else 'not given back'}"
    report.judge("serve.custom-attributes", known.status == 200, seen)
    return has_answered


def judge_large(answer: Answer, *, has_answered: bool) -> tuple[bool | None, str]:
    """Judge the answer to a large body: answered, or refused by a server that answers others."""
    seen = f"{answer.summary()[:60]} after {answer.seconds:.1f} s"
    if 400 <= answer.status < 500 and not has_answered:
        return None, f"{seen}, but no good request is answered with 200 either"
    return answer.status == 200 or 400 <= answer.status < 500, seen


Answers = Sequence[tuple[str, Answer]]  # content type and answer


def judge_payloads(answers: Answers) -> tuple[bool, str]:
    """Judge the answers to good requests, each of which must be answered with something."""
    bad = [
        f"{kind}: {answer.summary()}" for kind, answer in answers if answer.status != 200 or not answer.body
    ]
    kinds = ", ".join(dict.fromkeys(kind for kind, _ in answers))
    return not bad, "; ".join(bad) or f"200 for {kinds}"


def judge_wrong(answers: Answers, statuses: range, *, has_answered: bool) -> tuple[bool | None, str]:
    """Judge the answers to wrong requests; one that refuses the good ones as well distinguishes nothing."""
    bad = [
        f"{kind}: {answer.summary()}".removeprefix(": ")
        for kind, answer in answers
        if answer.status not in statuses
    ]
    if bad:
        return False, "; ".join(bad)
    if not has_answered:
        return None, "no good request is answered with 200 either"
    return True, f"answered with {', '.join(map(str, sorted({answer.status for _, answer in answers})))}"


def grown(rehearsal: Rehearsal, size: int) -> Payload:
    """Return a request of about `size` bytes, not more: records repeated, or a payload padded with blanks."""
    job = rehearsal.job
    if job.records:
        block = b"\n".join(job.record_lines()) + b"\n"
        return Payload(job.records.content_type, block * (size // len(block)))
    return Payload(job.payloads[0].content_type, job.payloads[0].body.ljust(size))


def _check_pings(rehearsal: Rehearsal, server: Server) -> None:
    report = rehearsal.report
    pings = [server.ping() for _ in range(10)]
    report.judge("serve.ping-time", *_judge_pings(pings))
    others = {method: server.ping(method).status for method in ("HEAD", "POST")}
    seen = ", ".join(f"{method}: {status or 'no answer'}" for method, status in others.items())
    report.judge("serve.ping-methods", set(others.values()) == {200}, seen)
    if not rehearsal.job.payloads:
        report.skip("serve.ping-load", _NO_REQUEST)
        return
    for _ in range(_LOAD_ROUNDS):
        holds, seen = judge_load(*_pings_under_load(rehearsal, server))
        if holds:
            break
    report.judge("serve.ping-load", holds, seen)


def judge_load(pings: list[Answer], load: list[Answer]) -> tuple[bool | None, str]:
    """Judge pings beside requests, some of which the server must have answered to count as load."""
    holds, seen = _judge_pings(pings)
    computed = sum(answer.status == 200 for answer in load)
    if holds and not computed:
        return None, f"{seen}, but none of {len(load)} requests beside them was answered with 200"
    return holds, f"{seen}, beside {computed} requests answered with 200"


def _pings_under_load(rehearsal: Rehearsal, server: Server) -> tuple[list[Answer], list[Answer]]:
    """Ping while other threads send one request after another; return the answers to pings and to requests."""
    until = time.monotonic() + _LOAD_SECONDS
    answers: list[Answer] = []

    def load(number: int) -> None:
        while time.monotonic() < until:
            answers.append(server.invoke(rehearsal.job.payloads[number % len(rehearsal.job.payloads)]))

    with ThreadPoolExecutor(_LOAD_THREADS) as pool:
        busy = [pool.submit(load, number) for number in range(_LOAD_THREADS)]
        pings = []
        while time.monotonic() < until:
            pings.append(server.ping())
            time.sleep(0.2)
        for thread in busy:
            thread.result()
    return pings, answers


def _judge_pings(pings: list[Answer]) -> tuple[bool, str]:
    if not pings:
        return False, "no ping was sent"
    bad = [ping for ping in pings if ping.status != 200 or ping.seconds > PING_TIMEOUT]
    if bad:
        return False, f"{len(bad)} of {len(pings)}: {bad[0].summary()}"
    return True, f"{len(pings)} pings, the slowest {max(ping.seconds for ping in pings):.2f} s"


def _check_stop(rehearsal: Rehearsal, server: Server) -> None:
    """Send SIGTERM while requests are under way; those sent before it must be answered."""
    answers: list[Answer] = []
    is_stopped = threading.Event()

    def load(number: int) -> None:
        while not is_stopped.is_set():
            answers.append(server.invoke(rehearsal.job.payloads[number % len(rehearsal.job.payloads)]))

    with ThreadPoolExecutor(_LOAD_THREADS) as pool:
        busy = [pool.submit(load, number) for number in range(_LOAD_THREADS if rehearsal.job.payloads else 0)]
        time.sleep(0.5)
        stopped_at = time.monotonic()
        timer = threading.Timer(
            0.2, is_stopped.set
        )  # some requests come after the signal, as from a load balancer
        timer.start()
        stop = server.container.stop(rehearsal.limits.drain)
        timer.join()
        for thread in busy:
            thread.result()
    rehearsal.report.judge("serve.stop", *judge_stop(stop, answers, stopped_at))


def judge_stop(stop: Stop, answers: Sequence[Answer], stopped_at: float) -> tuple[bool | None, str]:
    """Judge a stop by its end and by the requests under way at SIGTERM; None when there were none to finish.

    The exit code does not count: nobody looks at it.

    Args:
        stopped_at: when SIGTERM was sent, by time.monotonic().
    """
    under_way = [answer for answer in answers if 0 < answer.sent_at < stopped_at <= answer.ended_at]
    lost = [answer for answer in under_way if not answer.status]
    ended = "ended by SIGKILL" if stop.code == KILLED else f"exit code {stop.code}"
    if not stop.was_running:
        return False, f"it ended before SIGTERM: {ended}"
    seen = f"{ended} after {stop.seconds:.1f} s; {len(lost)} of {len(under_way)} requests under way were lost"
    is_sound = stop.code != KILLED and not lost
    computed = any(answer.status == 200 for answer in under_way)
    if is_sound and not computed:
        return None, f"{seen}, and none of them was answered with 200, so that finishing them is not shown"
    return is_sound, seen
