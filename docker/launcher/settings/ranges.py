"""Ranges of hyperparameters to tune: `learning_rate=1e-5..4e-4:log`, `num_train_epochs=2..6`, `pooling=cls|mean`.

No hyperparameter that can be tuned accepts such text as a value, so a range is never mistaken for one, or one for a
range; all others keep whatever they are given, such as delimiter=|.
"""

import dataclasses
import itertools
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.job.config import READER_SETTINGS, TrainConfig
from bert_classifier.job.former_names import current_name
from bert_classifier.job.settings import AUTO, Spec, shown, specs

_SPECS = specs(TrainConfig)
_TYPES = typing.get_type_hints(TrainConfig)
# Another value would change which texts are scored, or how the job is run and not what it learns.
_FIXED = {
    **dict.fromkeys(READER_SETTINGS, "it says how the data are read"),
    **dict.fromkeys(("train_file", "validation_file", "class_file"), "it says which data are read"),
    **dict.fromkeys(
        ("validation_split", "cross_validation"), "scores on other texts could not be compared"
    ),
    **dict.fromkeys(
        ("revision", "checkpoint_interval_seconds", "damaged_checkpoints", "max_run_seconds", "logging_steps",
         "processes_per_host", "reproducible", "num_gradient_groups", "peer_timeout_seconds", "page_examples",
         "abstain_below", "target_accuracy", "label_threshold", "target_precision", "max_tokens_per_micro_batch"),
        "it is not what the model learns by",
    ),
}  # fmt: skip
_SCALES = {"": "Auto", "linear": "Linear", "log": "Logarithmic", "reverselog": "ReverseLogarithmic"}
_BOUNDS = re.compile(r"(?P<low>[^:]*?)\.\.(?P<high>[^:]*)(:(?P<scale>.*))?")
_MOST_OPTIONS = 30  # of CategoricalParameterRange.Values
_MOST_TRIED = 1000  # combinations that are checked before a job starts


@dataclasses.dataclass(frozen=True)
class Range:
    """What a hyperparameter may be in a trial.

    Attributes:
        kind: Continuous, Integer or Categorical, as SageMaker names its ranges.
        values: the lowest and the highest value, or all options.
        scale: ScalingType; "" for options.
    """

    name: str
    kind: str
    values: tuple[str, ...]
    scale: str = ""

    @property
    def request(self) -> dict[str, Any]:
        """The range as the API holds it."""
        if self.kind == "Categorical":
            return {"Name": self.name, "Values": list(self.values)}
        low, high = self.values
        return {"Name": self.name, "MinValue": low, "MaxValue": high, "ScalingType": self.scale}


def ranges_of(pairs: Sequence[tuple[str, str]]) -> tuple[list[Range], dict[str, str], list[str]]:
    """Return the ranges among hyperparameters, the others, and a sentence per mistake."""
    ranges, fixed, mistakes = [], {}, []
    for name, value in pairs:
        current = current_name(name, dict(pairs))
        if not looks_like_range(current, value):
            fixed[name] = value
        elif current in _FIXED:
            mistakes.append(f"{name} cannot be tuned: {_FIXED[current]}")
        else:
            try:
                ranges.append(_parse(name, value, _SPECS[current], _TYPES[current]))
            except ValueError as error:
                mistakes.append(f"{name}={shown(value)} {error}")
    return ranges, fixed, mistakes


def looks_like_range(name: str, value: str) -> bool:
    """Whether a value is a range: of options, or of numbers where the hyperparameter is a number."""
    if name not in _SPECS:
        return False  # the check of the hyperparameters says so
    if name in _FIXED and _accepts(_SPECS[name], value):
        return False
    return "|" in value or (_is_number(_TYPES[name]) and ".." in value)


def trials_to_check(ranges: Sequence[Range]) -> list[dict[str, str]]:
    """Return settings of trials at the ends of all ranges, in every combination as far as these are few enough."""
    names = [one.name for one in ranges]
    combinations = itertools.product(*(one.values for one in ranges))
    found = [dict(zip(names, values, strict=True)) for values in itertools.islice(combinations, _MOST_TRIED)]
    first = found[0]
    alone = [{**first, one.name: value} for one in ranges for value in one.values]
    return [*found, *(one for one in alone if one not in found)]


def in_words(values: Mapping[str, str]) -> str:
    """Return the settings of a trial, as HP takes them."""
    return " ".join(f"{name}={value}" for name, value in values.items())


def _parse(name: str, text: str, spec: Spec, of_type: Any) -> Range:
    """Return the range that a text describes.

    Raises:
        ValueError: what is wrong with it, as the end of a sentence.
    """
    if "|" in text:
        return Range(name, "Categorical", _options(text, spec))
    low, high, scale = _parts(text)
    wrong = [end for end in (low, high) if not _accepts(spec, end)]
    if wrong:
        raise ValueError(
            f"has the end {shown(wrong[0])}, which is not {spec.accepts.removesuffix(f', or {AUTO}')}"
        )
    if float(low) >= float(high):
        raise ValueError("does not end above its beginning")
    if scale == "log" and float(low) <= 0:
        raise ValueError("begins at 0, which has no logarithm")
    if scale == "reverselog" and (float(low) < 0 or float(high) >= 1):
        raise ValueError("leaves [0, 1), where :reverselog is defined")
    return Range(
        name, "Integer" if int in _options_of(of_type) else "Continuous", (low, high), _SCALES[scale]
    )


def _parts(text: str) -> tuple[str, str, str]:
    """Return the ends and the scale of a range of numbers."""
    if "..." in text:  # 1e-5...4e-4 could be meant to end at 4e-4 or at .4e-4
        raise ValueError("has three dots: put two between the ends, and a 0 before the point of 0.3")
    bounds = _BOUNDS.fullmatch(text)
    if not bounds:
        raise ValueError("is no range such as 2..6 or 1e-5..4e-4:log")
    scale = bounds["scale"] or ""
    if scale not in _SCALES or (bounds["scale"] is not None and not scale):
        raise ValueError("has an unknown scale: give :log, :linear or :reverselog")
    return bounds["low"], bounds["high"], scale


def _options(text: str, spec: Spec) -> tuple[str, ...]:
    options = tuple(text.split("|"))
    wrong = [
        option for option in options if not _accepts(spec, option) and not (option == AUTO and spec.has_auto)
    ]
    if wrong:
        raise ValueError(f"has the option {shown(wrong[0])}, which is not {spec.accepts}")
    if len(set(options)) < len(options):
        raise ValueError("names an option twice")
    if len(options) > _MOST_OPTIONS:
        raise ValueError(f"has more than {_MOST_OPTIONS} options")
    return options


def _accepts(spec: Spec, value: str) -> bool:
    try:
        spec.parse(value)
    except ValueError:
        return False
    return True


def _options_of(of_type: Any) -> tuple[Any, ...]:
    return typing.get_args(of_type) or (of_type,)


def _is_number(of_type: Any) -> bool:
    return bool({int, float} & set(_options_of(of_type)))
