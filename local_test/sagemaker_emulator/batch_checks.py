"""Batch transform: a file is split into records, these are packed into requests, the responses are joined."""

import json
from collections.abc import Iterable, Sequence

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.client import Answer, Server
from sagemaker_emulator.hosting import serving
from sagemaker_emulator.job import Payload
from sagemaker_emulator.level import Level
from sagemaker_emulator.rehearsal import Rehearsal
from sagemaker_emulator.splitting import are_alike, assemble, lines_of, requests_of, split_lines

BATCH_CHECKS = names_of("batch")
_FILE_RECORDS = 60
_REQUEST_RECORDS = (
    7  # per request, about: far below the platform's megabytes, so that a short file makes many
)
_LARGEST_PRODUCT = 100  # concurrent transforms × megabytes


class TransformError(Exception):
    """A request failed, and with it the file."""


def check_batch(rehearsal: Rehearsal) -> None:
    """Run a transform job in memory, with both strategies."""
    report, model, start = rehearsal.report, rehearsal.model_dir(), rehearsal.start.result()
    if model is None or not start.is_ready:
        report.judge("batch.starts", False, start.seen)
        report.skip_rest(BATCH_CHECKS, "the server does not start")
        return
    variables = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1"}
    with serving(rehearsal, model, variables=variables) as server:
        is_ready, seen = server.wait_until_ready(rehearsal.limits.start)
        report.judge("batch.starts", is_ready, seen)
        if not is_ready:
            report.skip_rest(BATCH_CHECKS, "the server did not start")
            return
        answer = server.ask("GET", "/execution-parameters")
        fault, level = execution_parameters_fault(answer.status, answer.body)
        report.judge("batch.execution-parameters", not fault, fault or answer.summary(), level)
        if rehearsal.job.records is None:
            report.skip_rest(BATCH_CHECKS, "no file of records is known: name one with --records TYPE=FILE")
            return
        _check_transforms(
            rehearsal, _Transform(server, rehearsal.job.records.content_type, rehearsal.job.profile.accept)
        )


def execution_parameters_fault(status: int, body: bytes) -> tuple[str, Level]:
    """Return what is wrong with an answer of /execution-parameters, and how grave it is.

    Nothing is wrong where it is absent. What the platform does with an answer that it cannot read is not documented.
    """
    if status in {404, 405}:
        return "", Level.PRACTICE
    if status != 200:
        return f"status {status or 'missing'}", Level.PRACTICE
    try:
        settings = json.loads(body)
    except ValueError:
        return "the answer is not JSON", Level.PRACTICE
    if not isinstance(settings, dict):
        return "the answer is not a JSON object", Level.PRACTICE
    concurrency, payload = settings.get("MaxConcurrentTransforms", 1), settings.get("MaxPayloadInMB", 6)
    if not all(isinstance(value, int) and value >= 0 for value in (concurrency, payload)) or concurrency < 1:
        seen = f"MaxConcurrentTransforms {concurrency!r} and MaxPayloadInMB {payload!r} must be whole numbers"
        return seen, Level.REFUSES
    if concurrency * payload > _LARGEST_PRODUCT:
        seen = f"{concurrency} transforms of {payload} MB are more than {_LARGEST_PRODUCT} MB"
        return seen, Level.REFUSES
    if "BatchStrategy" in settings:
        seen = f"the SDK's local mode spells BatchStrategy unlike the service, {settings['BatchStrategy']!r}"
        return seen, Level.PRACTICE
    return "", Level.PRACTICE


class _Transform:
    """Sends the records of a file to a server, and keeps the answers."""

    def __init__(self, server: Server, content_type: str, accept: str = "") -> None:
        self._server = server
        self._content_type = content_type
        self._headers = {"Accept": accept} if accept else {}
        self.has_line_ends = False

    def run(self, content: bytes, strategy: str, max_payload: int) -> list[bytes]:
        """Return the lines of the output file.

        Raises:
            TransformError: when a request is not answered with 200.
        """
        bodies = requests_of(split_lines(content), strategy, max_payload)
        return lines_of(assemble(map(self._send, bodies), "Line"))

    def _send(self, body: bytes) -> bytes:
        answer: Answer = self._server.invoke(Payload(self._content_type, body), self._headers)
        if answer.status != 200:
            raise TransformError(f"a request was answered with {answer.summary()}")
        self.has_line_ends = self.has_line_ends or answer.body.endswith(b"\n")
        return answer.body


def _check_transforms(rehearsal: Rehearsal, transform: _Transform) -> None:
    report, lines = rehearsal.report, rehearsal.job.record_lines()
    longest = max(map(len, lines)) + 1
    try:
        alone = transform.run(b"\n".join(lines), "SingleRecord", longest)
    except TransformError as error:
        report.judge("batch.single-record", False, str(error))
        report.skip_rest(BATCH_CHECKS, "single records are not answered")
        return
    report.judge(
        "batch.single-record", len(alone) == len(lines), f"{len(alone)} lines for {len(lines)} records"
    )
    if len(alone) != len(lines):
        report.skip_rest(BATCH_CHECKS, "a single record is not answered with a single line")
        return
    many = [lines[index % len(lines)] for index in range(_FILE_RECORDS)]
    expected = [alone[index % len(lines)] for index in range(_FILE_RECORDS)]
    size = max(longest, sum(map(len, many)) * _REQUEST_RECORDS // _FILE_RECORDS)
    is_order_seen = any(not are_alike(alone[0], line) for line in alone)
    content = b"\n".join(many)
    _judge(rehearsal, "batch.multi-record", transform, content, size, expected, is_order_seen=is_order_seen)
    _judge(rehearsal, "batch.last-line", transform, content + b"\n", size, expected)
    bad = [lines[0], rehearsal.job.bad_record, lines[-1]]
    content = b"\n".join(bad)
    _judge(rehearsal, "batch.bad-record", transform, content, len(content), [alone[0], None, alone[-1]])
    seen = "answers end with a line end" if transform.has_line_ends else "no answer ends with one"
    report.judge("batch.line-ends", not transform.has_line_ends, seen)


def _judge(
    rehearsal: Rehearsal,
    name: str,
    transform: _Transform,
    content: bytes,
    max_payload: int,
    expected: list[bytes] | list[bytes | None],
    *,
    is_order_seen: bool = True,
) -> None:
    try:
        found = transform.run(content, "MultiRecord", max_payload)
    except TransformError as error:
        rehearsal.report.judge(name, False, str(error))
        return
    rehearsal.report.judge(name, *judge_lines(found, expected, is_order_seen=is_order_seen))


def judge_lines(
    found: list[bytes], expected: Sequence[bytes | None], *, is_order_seen: bool
) -> tuple[bool | None, str]:
    """Judge the lines of an output file against those that the records got alone; None stands for any line."""
    if fault := difference(found, expected):
        return False, fault
    seen = f"{len(found)} lines, each as for the record alone"
    if not is_order_seen:
        return (
            None,
            f"{seen}; but these are all alike, so their order does not show: name more records with --records",
        )
    return True, seen


def difference(found: list[bytes], expected: Iterable[bytes | None]) -> str:
    """Return how an output differs from what the records got alone; None stands for any line."""
    wanted = list(expected)
    if len(found) != len(wanted):
        return f"{len(found)} lines for {len(wanted)} records"
    for number, (line, alone) in enumerate(zip(found, wanted, strict=True), start=1):
        if alone is not None and not are_alike(line, alone):
            return f"line {number} is {line[:60]!r}, for the record alone it was {alone[:60]!r}"
    return ""
