"""What clients' requests show of an endpoint, by their answers alone."""

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


def header_for(body: bytes) -> bytes:
    """Return a header row for a body of CSV: `text`, or a name for each cell of its first row."""
    cells = next(csv.reader(io.StringIO(body.decode("utf-8", "replace"))), [])
    names = ["text"] if len(cells) < 2 else [f"column_{number}" for number in range(1, len(cells) + 1)]
    return f"{','.join(names)}\n".encode()


def first_input(body: bytes) -> str | None:
    """Return the first text of a JSON body with `inputs`, or None for another body."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    inputs = value.get("inputs") if isinstance(value, dict) else None
    first = inputs[0] if isinstance(inputs, list) and inputs else inputs
    return first if isinstance(first, str) else None


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


def judge_bytes(answer: Answer) -> Seen:
    """Judge the answer to application/octet-stream: read, or refused by that name."""
    if answer.status == 200:
        return True, "it is read like the usual type"
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


def judge_expect(answer: Answer, *, is_asked: bool) -> Seen:
    """Judge the answer to a request whose body waited for 100 Continue."""
    way = "after 100 Continue" if is_asked else "the body was sent after a second without 100 Continue"
    return answer.status == 200, f"{answer.summary()[:60]}, {way}"


def judge_hugging_face(answers: Sequence[tuple[str, Answer]]) -> Seen:
    """Judge the answers of Hugging Face's requests: 200, and nested as transformers' pipeline nests them."""
    if not answers:
        return None, "no request of application/json with inputs is known"
    bad = [f"{name}: {answer.summary()}" for name, answer in answers if answer.status != 200]
    if bad:
        return False, "; ".join(bad)
    flat, nested = (json_of(answer) for _, answer in answers[-2:])
    if depth_of(flat) != 1 or depth_of(nested) != 2:
        return (
            False,
            f"{depth_of(flat)} lists around a class of one string, {depth_of(nested)} for a list of strings",
        )
    return True, "200, flat for a string and a list per text for a list"


def depth_of(value: Any) -> int:
    """Return how many lists stand around the first object."""
    return 1 + depth_of(value[0] if value else None) if isinstance(value, list) else 0


def json_of(answer: Answer) -> Any:
    """Return what an answer of JSON holds, or None."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def judge_classes(pairs: Sequence[Pair]) -> Seen:
    """Judge whether answers list as many scores for each record; None where they are the usual ones."""
    holds, seen = judge_answered(pairs)
    if not holds:
        return holds, seen
    if all(are_alike(answer.body, usual.body) for _, answer, usual in pairs):
        return None, "the answers are the usual ones: there are no classes, or the variable is not honoured"
    counts = {name: sorted(numbers_per_record(answer.body)) for name, answer, _ in pairs}
    bad = [
        f"{name}: {found} scores per record"
        for name, found in counts.items()
        if len(found) != 1 or found[0] < 2
    ]
    # Not the same number in each form: a request may ask for some classes itself.
    return not bad, "; ".join(bad) or ", ".join(
        f"{name}: {found[0]} per record" for name, found in counts.items()
    )


def numbers_per_record(body: bytes) -> set[int]:
    """Return how many numbers the records of an answer have: of JSON, JSON Lines, or rows of CSV."""
    text = body.decode("utf-8", "replace")
    try:
        whole = json.loads(text)
        return {_numbers(part) for part in (whole if isinstance(whole, list) else [whole])}
    except ValueError:
        pass
    try:
        return {_numbers(json.loads(line)) for line in text.splitlines() if line.strip()}
    except ValueError:
        return {sum(map(_is_number, row)) for row in csv.reader(io.StringIO(text)) if row}


def _numbers(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_numbers, value.values()))
    if isinstance(value, list):
        return sum(map(_numbers, value))
    return isinstance(value, float | int) and not isinstance(value, bool)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
