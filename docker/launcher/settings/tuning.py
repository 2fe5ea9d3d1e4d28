"""Settings of `tune`."""

import dataclasses
import functools
import math
from typing import ClassVar

from bert_classifier.job.settings import boolean, choice, integer
from launcher.settings.fields import pairs, resource_name
from launcher.settings.ranges import Range, ranges_of
from launcher.settings.training import TrainSettings

MOST_NAME = 32  # of a tuning job; its trials add a number and 8 characters
GRID = "Grid"
OF_SEVERAL_LABELS = ("micro_f1", "subset_accuracy", "mean_average_precision")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuneSettings(TrainSettings):
    """The settings of a tuning job: those of the training job that it repeats, and how it varies it."""

    hp: tuple[tuple[str, str], ...] = pairs(
        "Hyperparameters, and ranges: learning_rate=1e-5..4e-4:log num_train_epochs=2..6 pooling=cls|mean.",
        most=99,
        longest=2500,
    )
    job: str = resource_name(
        "", MOST_NAME, "Tuning job to show, instead of a new one.", "the name of a tuning job"
    )
    trials: int = integer(
        10, 1, 750, "Maximum number of training jobs; with STRATEGY=Grid: all combinations."
    )
    parallel: int = integer(2, 1, 100, "Training jobs at a time; with fewer, Bayesian learns more from each.")
    strategy: str = choice(
        "Bayesian", ("Bayesian", "Random", GRID), "How the next trial is chosen; Grid takes options only."
    )
    objective: str = choice(
        "macro_f1", ("macro_f1", "accuracy", "loss", *OF_SEVERAL_LABELS),
        "Score on validation of the model that a trial keeps; the last three where texts have several labels, accuracy"
        " where they have one.",
    )  # fmt: skip
    early_stopping: bool = boolean(
        False, "Stop trials whose evaluations are worse than the median of the earlier ones."
    )
    spot: bool = boolean(True, "Train on spot instances.")
    job_name: str = resource_name(
        "", MOST_NAME, "Name of the tuning job; default: BASE_JOB_NAME and the time."
    )
    base_job_name: str = resource_name("bert-classifier", 18, "Prefix of the tuning job's name.")

    chooses_spot: ClassVar[str] = "SPOT"
    on_demand: ClassVar[str] = "Give SPOT=false."
    on_spot: ClassVar[str] = "give SPOT=true"

    @functools.cached_property
    def _read(self) -> tuple[list[Range], dict[str, str], list[str]]:
        return ranges_of(self.hp)

    @property
    def ranges(self) -> list[Range]:
        """What is tuned."""
        return self._read[0]

    @property
    def fixed(self) -> dict[str, str]:
        """The hyperparameters that all trials share."""
        return self._read[1]

    @property
    def mistakes(self) -> list[str]:
        """What is wrong with the ranges."""
        return self._read[2]

    @property
    def metric(self) -> str:
        """The metric of the objective.

        `validation_…` is logged once, of the model that is kept. Early stopping needs one value per evaluation, which
        `eval_…` has; its last value is that of the model that is kept, too.
        """
        return f"{'eval' if self.early_stopping else 'validation'}_{self.objective}"

    @property
    def num_trials(self) -> int:
        """The maximum number of trials."""
        if self.strategy == GRID:
            return math.prod(len(one.values) for one in self.ranges)
        return self.trials
