"""What a job with several trainings says about them: the scores of its seeds, and of its cross-validation's folds."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bert_classifier.job.wording import counted


@dataclasses.dataclass(frozen=True)
class SeedScore:
    """The score of one seed's model on validation, by what selects the best, and its loss there.

    Attributes:
        is_collapsed: whether it has learned nothing: one class for every text, or a training loss that hardly moved.
        is_exported: whether it is the job's model.
    """

    seed: int
    score: float
    loss: float
    is_collapsed: bool = False
    is_exported: bool = False


@dataclasses.dataclass(frozen=True)
class SeedScores:
    """The scores of a job's seeds, in the order in which they were trained.

    Attributes:
        metric: "accuracy" or "F1"; with several labels per text "micro-F1" or "mean average precision".
        wanted: number of seeds of the job; more than there are scores if it was stopped.
    """

    metric: str
    scores: Sequence[SeedScore]
    wanted: int

    @property
    def mean(self) -> float:
        """The mean score."""
        return statistics.fmean(each.score for each in self.scores)

    @property
    def lowest(self) -> float:
        """The lowest score."""
        return min(each.score for each in self.scores)

    @property
    def highest(self) -> float:
        """The highest score."""
        return max(each.score for each in self.scores)

    @property
    def collapsed(self) -> int:
        """Number of seeds whose model has learned nothing."""
        return sum(each.is_collapsed for each in self.scores)

    @property
    def sentence(self) -> str:
        """The spread in words, such as "3 seeds: validation accuracy 0.870 on average, 0.850 to 0.890"."""
        spread = f"{self.mean:.3f} on average, {self.lowest:.3f} to {self.highest:.3f}"
        number = next((n for n, each in enumerate(self.scores, 1) if each.is_exported), 0)
        chosen = f"; the model is of seed {number}" if number else ""
        failed = f"; collapsed: {self.collapsed}" if self.collapsed else ""
        return f"{counted(len(self.scores), 'seed')}: validation {self.metric} {spread}{chosen}{failed}"

    @property
    def facts(self) -> list[dict[str, Any]]:
        """The field `seeds` of training.json."""
        return [dataclasses.asdict(each) for each in self.scores]


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """How the validation of a job was made: each text was judged by a model trained without it.

    Attributes:
        folds: number of models.
        texts: number of texts judged, all of train unless the job was stopped.
        scores: of each fold on its own texts: accuracy, F1 of the positive class, or `metric`.
        metric: the name of the folds' scores where it is none of these two.
    """

    folds: int
    texts: int
    scores: Sequence[float] = ()
    metric: str = ""

    @property
    def description(self) -> str:
        """The origin of the validation scores, such as "by 5-fold cross-validation on 300 texts"."""
        return f"by {self.folds}-fold cross-validation on {counted(self.texts, 'text')}"

    @property
    def sentence(self) -> str:
        """The same with the spread of the folds, for the log."""
        metric = f"{self.metric} " if self.metric else ""
        spread = f"; folds: {metric}{min(self.scores):.3f} to {max(self.scores):.3f}" if self.scores else ""
        return f"validation scores are {self.description}{spread}"

    @property
    def facts(self) -> Mapping[str, Any]:
        """The field `cross_validation` of training.json."""
        return {"folds": self.folds, "texts": self.texts, "fold_scores": list(self.scores)}
