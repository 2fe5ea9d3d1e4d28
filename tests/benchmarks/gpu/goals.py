"""The goals for one NVIDIA GPU, and whether what was measured meets them. Standard library only."""

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Figure = dict[str, Any]  # one thing measured: names and values
EPOCH_TEXTS = 560_000  # rows of DBpedia's training set
MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"


@dataclasses.dataclass(frozen=True)
class Goal:
    """A bound on one figure of one part.

    Attributes:
        text: what is aimed at, with its bound.
        part: name of the part, or the beginning of several names.
        figure: name of the value.
        bound: compares a value with the limit, such as operator.ge.
        applies: whether a figure counts; others of the part do not.
    """

    text: str
    part: str
    figure: str
    bound: Callable[[Any, Any], bool]
    limit: float
    applies: Callable[[Figure], bool] = lambda figure: True

    def judge(self, figures: Mapping[str, Sequence[Figure]]) -> Figure:
        """Return the goal with the best value that was measured for it.

        Args:
            figures: of each part that ran.
        """
        values = [
            float(figure[self.figure])
            for part, found in figures.items()
            for figure in found
            if part.startswith(self.part) and figure.get(self.figure) is not None and self.applies(figure)
        ]
        if not values:
            return {"goal": self.text, "measured": None, "outcome": NOT_MEASURED}
        best = max(values) if self.bound(1, 0) else min(values)
        outcome = MET if self.bound(best, self.limit) else NOT_MET
        return {"goal": self.text, "measured": best, "outcome": outcome}


GOALS = (
    Goal(
        "share of the measured bf16 matmul peak in training, batches of 256 or more: at least 0.45",
        "speed", "share_of_peak", operator.ge, 0.45, lambda figure: figure.get("batch", 0) >= 256,
    ),
    Goal(
        "training speed at batch 32, times that of transformers' Trainer: at least 2",
        "speed", "times_transformers", operator.ge, 2, lambda figure: figure.get("batch") == 32,
    ),
    Goal(
        "seconds for one epoch of 560,000 texts with reading, evaluation and export: below 60",
        "job", "seconds", operator.lt, 60,
        lambda figure: figure.get("texts") == EPOCH_TEXTS and figure["is_bert_base"] and figure["exit_code"] == 0,
    ),
    Goal(
        "the same run twice under reproducible=true gives the same bits: 1",
        "bits", "is_identical", operator.ge, 1, lambda figure: figure.get("mode") == "reproducible",
    ),
    Goal(
        "relative change of the gradient when memory runs out and the micro-batches are halved: below 0.01",
        "memory", "gradient_change", operator.lt, 0.01, lambda figure: figure["budget"] < figure["first_budget"],
    ),
    Goal(
        "texts/s that the server's predictor classifies at 64 tokens: at least 2,000",
        "serving", "texts_per_second", operator.ge, 2000, lambda figure: figure.get("lengths") == "64",
    ),
)  # fmt: skip


def judge_all(figures: Mapping[str, Sequence[Figure]]) -> list[Figure]:
    """Return every goal with what was measured for it, and its outcome."""
    return [goal.judge(figures) for goal in GOALS]
