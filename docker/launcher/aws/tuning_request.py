"""A tuning job as CreateHyperParameterTuningJob's fields, made of those of the training job that it repeats."""

from collections.abc import Mapping
from typing import Any

from launcher.aws.model import without_unset
from launcher.settings.ranges import Range
from launcher.settings.tuning import GRID, TuneSettings

_SEED = 42  # the same choice of trials, as far as the strategy has none from their scores
OPERATION = "CreateHyperParameterTuningJob"
# Fields of a training job that a tuning job has elsewhere, or does without: it profiles nothing by itself.
ELSEWHERE = ("TrainingJobName", "HyperParameters", "Tags", "ProfilerConfig")


def tuning_request(settings: TuneSettings, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the request.

    Args:
        training: CreateTrainingJob's fields of one trial, under the name of the tuning job.
    """
    tuned = {one.name for one in settings.ranges}
    shared = {name: value for name, value in training.items() if name not in ELSEWHERE}
    fixed = {name: value for name, value in training["HyperParameters"].items() if name not in tuned}
    return without_unset(
        {
            "HyperParameterTuningJobName": training["TrainingJobName"],
            "HyperParameterTuningJobConfig": _config(settings),
            "TrainingJobDefinition": {**shared, "StaticHyperParameters": fixed},
            "Tags": training.get("Tags"),
        }
    )


def _config(settings: TuneSettings) -> dict[str, Any]:
    limits = {"MaxNumberOfTrainingJobs": settings.num_trials, "MaxParallelTrainingJobs": settings.parallel}
    return {
        "Strategy": settings.strategy,
        "HyperParameterTuningJobObjective": {
            "Type": "Minimize" if settings.objective == "loss" else "Maximize",
            "MetricName": settings.metric,
        },
        "ResourceLimits": limits,
        "ParameterRanges": _ranges(settings.ranges),
        "TrainingJobEarlyStoppingType": "Auto" if settings.early_stopping else "Off",
        **({} if settings.strategy == GRID else {"RandomSeed": _SEED}),
    }


def _ranges(ranges: list[Range]) -> dict[str, Any]:
    kinds = ("Continuous", "Integer", "Categorical")
    by_kind = {kind: [one.request for one in ranges if one.kind == kind] for kind in kinds}
    return without_unset({f"{kind}ParameterRanges": found for kind, found in by_kind.items()})
