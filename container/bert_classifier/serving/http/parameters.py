"""What a request wants of its answers: parameters as transformers' pipelines take them.

What cannot be honoured is refused by name, since ignoring it would surprise the caller.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Self

from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ANSWER_FIELDS, ServeConfig
from bert_classifier.job.settings import ALL, nearest, shown
from bert_classifier.serving.model.facts import ANY_MODEL, ModelFacts

_OWN = ("top_k", "return_all_scores", "output", "threshold")
_OPTIONS = ("wait_for_model", "use_cache", "use_gpu")  # of Hugging Face's hosted service
_PADDINGS = (True, False, "longest", "max_length", "do_not_pad")
_SEND_TOP_K = 'Send {"top_k": 3}, {"top_k": null} for all classes, or none.'


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What the answer to a record holds; by default the best class and its score, or all labels over the thresholds.

    Attributes:
        top_k: number of classes to list, most likely first, or ALL; None: only the best, not in a list.
        in_model_order: list all classes in the model's order instead.
        fields: out of ANSWER_FIELDS, instead of classes with scores.
        threshold: score from which a label is answered, in place of the model's; only where texts have several labels.
    """

    top_k: int | str | None = None
    in_model_order: bool = False
    fields: tuple[str, ...] = ()
    threshold: float | None = None

    @classmethod
    def by_settings(cls, config: ServeConfig) -> Self:
        """Return what is wanted where a request does not say."""
        fields = config.sagemaker_inference_output
        return cls(fields=fields) if fields else cls(config.serving_top_k)

    def beside(self, other: "Wanted", *, is_setting: bool) -> "Wanted":
        """Return what is wanted where `other` is asked for elsewhere: fields and a threshold add up, else self decides.

        Args:
            other: of the Accept header, or of a setting.
            is_setting: whether it is a setting, which any request may replace.
        Raises:
            RequestError: 400 when one lists classes and the other has a threshold, which would be lost.
        """
        lists_and_threshold = (
            (self.is_list and other.threshold is not None)
            or (self.threshold is not None and not self.fields and other.is_list)
        )  # fmt: skip
        if lists_and_threshold and not is_setting:
            raise _error(
                'One of "parameters" and the Accept header has "threshold", which chooses labels, and the other'
                ' "top_k" or "return_all_scores", which list classes whatever their scores.',
                "Send one of them.",
            )
        if self.is_list:
            return self
        threshold = other.threshold if self.threshold is None else self.threshold
        return dataclasses.replace(self, fields=self.fields or other.fields, threshold=threshold)

    @property
    def is_list(self) -> bool:
        """Whether a record is answered with a list of classes."""
        return self.in_model_order or (self.top_k is not None and not self.fields)

    @property
    def is_selection(self) -> bool:
        """Whether it asks for something else than all classes."""
        return bool(self.fields) or self.top_k not in (None, ALL) or self.threshold is not None

    def most_numbers(self, classes: int) -> int:
        """Return how many scores or names the answer to a record holds at most."""
        return classes * len(self.fields) if self.fields else self.number_of(classes)

    def number_of(self, classes: int) -> int:
        """Return how many classes are listed."""
        if self.in_model_order or self.top_k == ALL:
            return classes
        return min(int(self.top_k or 1), classes)


def refuse_misplaced(envelope: Mapping[str, Any]) -> None:
    """Raise 400 for a parameter that stands beside the texts, not in `parameters`."""
    name = next((name for name in envelope if name in (*_OWN, *_HARMLESS)), None)
    if name is not None:
        raise _error(
            f'The request has "{name}" beside its texts.',
            f'Put it into "parameters": {{"inputs": "a text", "parameters": {{"{name}": …}}}}.',
        )


def of_parameters(parameters: Any, model: ModelFacts = ANY_MODEL) -> Wanted | None:
    """Return what the `parameters` of a request or record ask for; None if they leave it open.

    Raises:
        RequestError: 400 for parameters that are unknown, wrong, or cannot be honoured.
    """
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise _error('"parameters" is not an object.', _SEND_TOP_K)
    refuse_unknown(parameters, (*_OWN, *_HARMLESS), "parameter", _SEND_TOP_K)
    for name, harmless in _HARMLESS.items():
        value = parameters.get(name)
        if value is not None and not harmless.allows(value, model):
            raise _error(f'"{name}" is {shown(value)}, but {harmless.why(model)}.', harmless.remedy(model))
    wanted = wanted_of(parameters)
    check_threshold(wanted, model)
    return wanted


def check_threshold(wanted: Wanted | None, model: ModelFacts) -> None:
    """Raise 400 for a threshold where each text has one label."""
    if wanted is not None and wanted.threshold is not None and not model.is_multi_label:
        raise _error(
            '"threshold" is for models that give a text several labels.',
            "Leave it out: each text gets its best class, with its score.",
        )


def wanted_of(parameters: Mapping[str, Any]) -> Wanted | None:
    """Return what `top_k`, `return_all_scores`, `output` and `threshold` ask for together; None without any of them.

    Raises:
        RequestError: 400 for a wrong value, or two that contradict each other.
    """
    fields, all_scores = parameters.get("output"), parameters.get("return_all_scores")
    threshold = _threshold_of(parameters.get("threshold"))
    if not isinstance(all_scores, bool | None):
        raise _error('"return_all_scores" is neither true nor false.', _SEND_TOP_K)
    if fields is not None:
        if all_scores or "top_k" in parameters:
            raise _error('"output" replaces "top_k" and "return_all_scores".', "Send one of them.")
        return Wanted(fields=_fields_of(fields), threshold=threshold)
    if threshold is not None and (all_scores or "top_k" in parameters):
        raise _error(
            '"threshold" chooses labels, and "top_k" and "return_all_scores" list classes whatever their scores.',
            "Send one of them.",
        )
    if "top_k" in parameters:  # it decides in transformers, too
        return Wanted(_top_k_of(parameters["top_k"]))
    if threshold is not None:
        return Wanted(threshold=threshold)
    return Wanted(in_model_order=True) if all_scores else None


def _threshold_of(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise _error('"threshold" is not a number from 0 to 1.', 'Send {"threshold": 0.5}, or leave it out.')
    return float(value)


def check_options(options: Any) -> None:
    """Check the `options` of a request to Hugging Face's hosted service, which change no answer here.

    Raises:
        RequestError: 400 for unknown ones.
    """
    if options is None:
        return
    if not isinstance(options, dict):
        raise _error('"options" is not an object.', "Leave it out.")
    refuse_unknown(options, _OPTIONS, "option", "Leave it out.")


def refuse_unknown(
    given: Mapping[str, Any], known: Sequence[str], what: str, remedy: str, code: str = "bad_parameters"
) -> None:
    """Raise 400 for the first unknown name: ignoring it would surprise the sender.

    Args:
        what: the names are of: "parameter", "field".
    """
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        close = nearest(unknown, known)
        cause = f"The request has an unknown {what} {shown(unknown)}."
        raise RequestError(400, code, cause, f"Did you mean {close}?" if close else remedy)


def _is_count(value: Any, _model: ModelFacts) -> bool:
    return type(value) is int and value >= 0


def _is_among(value: Any, allowed: Collection[Any]) -> bool:
    """Return whether a value is allowed; 1 is not true."""
    return any(type(value) is type(other) and value == other for other in allowed)


class _Harmless(NamedTuple):
    """A parameter of transformers that changes no answer here: which values it may have, and why no others."""

    allows: Callable[[Any, ModelFacts], bool]
    why: Callable[[ModelFacts], str]
    remedy: Callable[[ModelFacts], str]


def _always(text: str) -> Callable[[ModelFacts], str]:
    return lambda _: text


def _is_cut(value: Any, model: ModelFacts) -> bool:
    # transformers' True is longest_first
    return _is_among(value, model.truncations) or (value is True and "longest_first" in model.truncations)


def _why_cut_otherwise(model: ModelFacts) -> str:
    if "only_first" in model.truncations:
        return "texts longer than the model reads are always cut"
    return f"pairs longer than the model reads are always cut by {model.truncations[0]}"


_NO_EFFECT = _always("Leave it out: it changes no answer.")
_MEANINGS = {
    "softmax": "scores are the softmax over all classes",
    "sigmoid": "scores are the sigmoid of each class, since a text may have several labels",
}
_HARMLESS = {
    "function_to_apply": _Harmless(
        lambda value, model: isinstance(value, str) and value.lower() == model.function,
        lambda model: _MEANINGS[model.function],
        lambda model: f"Send {model.function}, or leave it out.",
    ),
    "truncation": _Harmless(
        _is_cut,
        _why_cut_otherwise,
        _always("Leave it out; truncation is chosen at training."),
    ),
    "max_length": _Harmless(
        lambda value, model: type(value) is int and value == model.max_length,
        _always("the model reads as many tokens of a text as training's max_seq_length says"),
        _always("Leave it out."),
    ),
    "padding": _Harmless(
        lambda value, _: _is_among(value, _PADDINGS),
        _always("that is none of transformers' values"),
        _NO_EFFECT,
    ),
    "batch_size": _Harmless(_is_count, _always("that is no whole number"), _NO_EFFECT),
    "num_workers": _Harmless(_is_count, _always("that is no whole number"), _NO_EFFECT),
}


def _top_k_of(value: Any) -> int | str:
    if value is None or value == ALL:
        return ALL
    if type(value) is not int or value < 1:
        raise _error('"top_k" is not a whole number of at least 1.', _SEND_TOP_K)
    return value


def _fields_of(value: Any) -> tuple[str, ...]:
    names = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    are_fields = isinstance(names, list) and all(isinstance(n, str) and n in ANSWER_FIELDS for n in names)
    if not are_fields or not names or len(set(names)) < len(names):
        raise _error(
            '"output" does not list fields of an answer.',
            f"Send some of {', '.join(ANSWER_FIELDS)}, each once.",
        )
    return tuple(names)


def _error(cause: str, remedy: str) -> RequestError:
    return RequestError(400, "bad_parameters", cause, remedy)
