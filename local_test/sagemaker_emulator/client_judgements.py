"""What clients' requests show of an endpoint, by their answers alone; hugging_face and class_scores judge theirs."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from sagemaker_emulator.client import Answer
from sagemaker_emulator.splitting import are_alike

BYTES = "application/octet-stream"
Seen = tuple[bool | None, str]  # whether it holds, or None where nothing could be seen, and what was seen
Pair = tuple[str, Answer, Answer]  # how a request differed, its answer, and the usual answer


# By a row's number of cells: two texts are a pair, as transformers calls them.
_NAMES = {0: ["text"], 1: ["text"], 2: ["text", "text_pair"]}


def with_and_without_header(body: bytes, answer: bytes) -> tuple[bytes, bytes]:
    """Return a body of CSV with a header and without one; it has one itself if its answer has a record less than it.

    Args:
        answer: to the body as it is.
    """
    text = io.StringIO(body.decode("utf-8", "replace"), newline="")
    rows = csv.reader(text)
    first = next(rows, [])
    end = text.tell()
    number = bool(first) + sum(map(bool, rows))
    if 0 < records_in(answer) == number - 1:
        return body, body[len(body.decode("utf-8", "replace")[:end].encode()) :]
    names = _NAMES.get(len(first)) or [f"column_{number}" for number in range(1, len(first) + 1)]
    return f"{','.join(names)}\n".encode() + body, body


def records_in(answer: bytes) -> int:
    """Return how many records an answer of JSON, JSON Lines or CSV has."""
    try:
        value = json.loads(answer)
    except ValueError:
        return sum(bool(line.strip()) for line in answer.splitlines())
    return len(value) if isinstance(value, list) else 1


def judge_answered(pairs: Sequence[Pair], none: str = "nothing was sent") -> Seen:
    """Judge whether each request was answered with 200, in whichever form."""
    if not pairs:
        return None, none
    bad = [
        f"{name}: {answer.summary()}" for name, answer, _ in pairs if answer.status != 200 or not answer.body
    ]
    if bad:
        return False, f"{len(bad)} of {len(pairs)}: {bad[0]}"
    return True, f"{len(pairs)} request{'s' * (len(pairs) > 1)} answered with 200"


def judge_alike(pairs: Sequence[Pair], none: str = "nothing was sent") -> Seen:
    """Judge whether each request was answered with 200 and with what the usual request was."""
    holds, seen = judge_answered(pairs, none)
    if not holds:
        return holds, seen
    other = [name for name, answer, usual in pairs if not are_alike(answer.body, usual.body)]
    return not other, f"another answer for {'; '.join(other)}" if other else f"{seen}, as usual"


def judge_lists(java: Sequence[Pair], browsers: Sequence[Pair]) -> Seen:
    """Judge whether Java's lists are answered as usual, and browsers' in whichever form: they prefer pages."""
    for holds, seen in (judge_alike(java), judge_answered(browsers)):
        if not holds:
            return holds, seen
    return True, f"{len(java) + len(browsers)} requests answered with 200, those of Java as usual"


def judge_bytes(answer: Answer, usual: Answer) -> Seen:
    """Judge the answer to application/octet-stream: as usual, or a refusal by that name."""
    if answer.status == 200:
        if are_alike(answer.body, usual.body):
            return True, "it is read like the usual type"
        return False, f"{answer.summary()}, where the usual type is answered with {usual.summary()}"
    is_named = 400 <= answer.status < 500 and BYTES.encode() in answer.body
    return is_named, answer.summary() if is_named else f"its type is not named: {answer.summary()}"


def judge_error(answer: Answer) -> Seen:
    """Judge whether an error says what is wrong in a form that programs read; None where there was no error."""
    if answer.status < 400:
        return None, f"a type that nobody knows is answered with {answer.status or 'nothing'}"
    try:
        said = json.loads(answer.body)
    except ValueError:
        return False, f"no JSON: {answer.summary()}"
    is_told = isinstance(said, dict) and all(said.get(name) for name in ("error", "code"))
    return is_told, answer.summary()


def judge_expect(answer: Answer, first: int | None) -> Seen:
    """Judge the answer to a request whose body waited for 100 Continue.

    Args:
        first: status that came before the body was sent, None where nothing came.
    """
    if first is None:
        return False, f"{answer.summary()[:60]}, but no 100 Continue: clients wait a second for it"
    if first != 100:
        return False, f"refused before the body was sent: {answer.summary()}"
    return answer.status == 200, f"{answer.summary()[:60]}, after 100 Continue"


def json_of(answer: Answer) -> Any:
    """Return what an answer of JSON holds, or None."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None
