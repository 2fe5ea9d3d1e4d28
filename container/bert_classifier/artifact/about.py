"""What a trained model tells people of itself, from its training.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.job.task import Task

_SCORES = ("texts", "accuracy", "accuracy_low", "accuracy_high")
_OF_SEVERAL = ("texts", "micro_f1", "micro_f1_low", "micro_f1_high")  # labels per text


def about(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a model in JSON values; None and empty for what is not.

    Args:
        info: training.json, which any version may have written.
    Returns:
        encoder: its name, or where it came from; job_name: of SageMaker; trained: when its last attempt began, in ISO
        8601; is_complete: whether training reached its end; accuracy: per channel, with the number of texts and the
        95 % interval; f1: per channel, with the number of texts, where a text may have several labels; examples: texts
        that may be shown.
    """
    attempt = _objects(info.get("lives"))[-1:] or [{}]
    return {
        "encoder": _encoder(info.get("encoder")),
        "job_name": _text(attempt[0].get("job_name")),
        "trained": _text(attempt[0].get("began")),
        "is_complete": info.get("is_complete") is not False,
        "accuracy": _scores(info.get("metrics"), _SCORES),
        **({"f1": _scores(info.get("metrics"), _OF_SEVERAL)} if info.get("task") == Task.MULTI else {}),
        "examples": list(filter(None, map(_example, _items(info.get("page_examples"))))),
    }


def _encoder(encoder: object) -> str | None:
    if not isinstance(encoder, dict):
        return None
    source = _text(encoder.get("source"))
    return (
        _text(encoder.get("name"))
        or _text(encoder.get("name_in_config"))
        or (source and f"from the {source}")
    )


def _scores(metrics: object, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return scores of validation and test, as far as they were measured."""
    channels = metrics if isinstance(metrics, dict) else {}
    found = {name: channels.get(name) for name in ("validation", "test")}
    return {
        name: {key: scores[key] for key in names}
        for name, scores in found.items()
        if isinstance(scores, dict) and all(isinstance(scores.get(key), int | float) for key in names)
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _example(value: object) -> str | dict[str, str] | None:
    if not isinstance(value, dict):
        return _text(value)
    text, pair = value.get("text"), value.get("text_pair")
    return {"text": text, "text_pair": pair} if isinstance(text, str) and isinstance(pair, str) else None


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in _items(value) if isinstance(item, dict)]
