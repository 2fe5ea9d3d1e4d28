"""What shows of a trained model that it has learned nothing or too little, whatever the task."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Beside:
    """The model beside the floor, on the same texts of one channel.

    Attributes:
        sentence: both numbers.
        is_model_below: whether the model is significantly worse.
        p_value: of the difference.
        says_nothing: whether these are enough texts, and even the floor is not better than a constant answer.
    """

    sentence: str
    is_model_below: bool
    p_value: float
    says_nothing: bool


@dataclasses.dataclass(frozen=True)
class Signs:
    """What the evaluated channels say.

    Attributes:
        one_answer: which one nearly all texts of every channel get, though it is not nearly as common; "" if none.
        at_chance: a sentence for each channel with a score no better than that of a constant answer.
        few_texts: a sentence for each channel if no channel has enough texts to tell the model from a constant answer.
        floor: None if it is not known.
        constant: what a constant answer is, in words.
        is_clearly_better: whether a channel shows that something was learned, however little the training loss moved.
    """

    one_answer: str
    at_chance: Sequence[str]
    few_texts: Sequence[str]
    floor: Beside | None
    constant: str
    is_clearly_better: bool = False
