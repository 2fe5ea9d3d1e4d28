"""Whether the requests of Hugging Face's clients are answered as transformers' pipeline answers them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sagemaker_emulator.client import Answer
from sagemaker_emulator.client_judgements import Seen, json_of
from sagemaker_emulator.label_sets import label_sets
from sagemaker_emulator.splitting import are_alike

PLAIN, NULL, OPTIONS = "no parameters", "parameters null", "options"
ALL, LIST = "top_k null of a string", "top_k 1 of a list"


Text = str | dict[str, str]  # or a pair: {"text", "text_pair"}


def first_input(body: bytes) -> Text | None:
    """Return the first text or pair of a JSON body with `inputs`, or None for another body."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    inputs = value.get("inputs") if isinstance(value, dict) else None
    first = inputs[0] if isinstance(inputs, list) and inputs else inputs
    if isinstance(first, dict):
        return first if len(first) == 2 and all(isinstance(part, str) for part in first.values()) else None
    return first if isinstance(first, str) else None


def bodies_of(text: Text, function: str = "softmax") -> dict[str, dict[str, Any]]:
    """Return the bodies of the requests about a text, by their names.

    Args:
        function: what makes scores of logits, as transformers calls it.
    """
    return {
        PLAIN: {"inputs": text},
        NULL: {"inputs": text, "parameters": None},
        OPTIONS: {"inputs": text, "options": {"wait_for_model": True, "use_cache": False}},
        ALL: {"inputs": text, "parameters": {"top_k": None, "truncation": True, "padding": True}},
        LIST: {"inputs": [text, text], "parameters": {"top_k": 1, "function_to_apply": function}},
    }


def function_of(answer: Answer) -> str:
    """Return what makes scores of logits, by the answer to a request without parameters."""
    return "softmax" if label_sets(json_of(answer)) is None else "sigmoid"


def judge_hugging_face(answers: Mapping[str, Answer]) -> Seen:
    """Judge the answers: 200, the same best class in all, and nested as transformers' pipeline nests them.

    Args:
        answers: by the names of bodies_of; empty where no such request is known.
    """
    if not answers:
        return None, "no request of application/json with inputs is known"
    bad = [f"{name}: {answer.summary()}" for name, answer in answers.items() if answer.status != 200]
    bad = bad or list(_faults(answers))
    return not bad, "; ".join(bad) or "200, flat for a string and a list per text for a list"


def _faults(answers: Mapping[str, Answer]) -> Iterator[str]:
    several = label_sets(json_of(answers[PLAIN]))
    label = _label_of(json_of(answers[PLAIN]))
    if label is None and several is None:
        yield f"{PLAIN}: no label in {answers[PLAIN].summary()}"
        return
    for name in (NULL, OPTIONS):
        if not are_alike(answers[name].body, answers[PLAIN].body):
            yield f"{name}: {answers[name].summary()}, without it {answers[PLAIN].summary()}"
    flat, nested = json_of(answers[ALL]), json_of(answers[LIST])
    if depth_of(flat) != 1 or depth_of(nested) != 2:
        yield f"{depth_of(flat)} lists around a class of one string, {depth_of(nested)} for a list of strings"
        return
    classes = _labels_of(flat)
    yield from _wrong_classes(classes, label, several)
    label = label if several is None else classes[0] if classes else None
    if list(map(_labels_of, nested)) != [[label], [label]]:
        yield f"{LIST}: not {label!r} alone for each text"


def _wrong_classes(classes: list[Any], label: Any, several: list[list[str]] | None) -> Iterator[str]:
    """Yield what is wrong with the list of all classes of a text, of which one or several are its labels."""
    if len({str(name) for name in classes if name is not None}) < 2:
        yield f"{ALL}: fewer than two classes"
    elif several is None and classes[0] != label:
        yield f"{ALL}: its first class is {classes[0]!r}, not {label!r}"
    elif several is not None and [name for name in classes if name in several[0]] != several[0]:
        yield f"{ALL}: its classes do not have the labels {several[0]} in this order"


def depth_of(value: Any) -> int:
    """Return how many lists stand around the first object."""
    return 1 + depth_of(value[0] if value else None) if isinstance(value, list) else 0


def _labels_of(value: Any) -> list[Any]:
    """Return the label of each part of a list."""
    return list(map(_label_of, value)) if isinstance(value, list) else []


def _label_of(value: Any) -> Any:
    """Return the label of the first object, None where there is none."""
    if isinstance(value, list):
        return _label_of(value[0]) if value else None
    return value.get("label") if isinstance(value, dict) else None
