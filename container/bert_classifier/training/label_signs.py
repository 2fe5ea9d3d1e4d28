"""What shows that a model with several labels per text has learned nothing or too little."""

import numpy as np

from bert_classifier.evaluation.any_headline import AnyFloor
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.floor import LabelFloor, LabelFloorComparison
from bert_classifier.evaluation.multi_label.headline import constant_f1
from bert_classifier.evaluation.multi_label.predictions import LabelPredictions
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.job.wording import counted, listed
from bert_classifier.training.score_warnings import FEW_TEXTS
from bert_classifier.training.signs import Beside, Signs

# A set of labels answered for nearly all texts is suspicious if it is not nearly as common.
_NEARLY_ALL, _AS_COMMON, _LEAST_TEXTS = 0.95, 0.8, 6
_HARDLY = 2.0  # mean average precision, as a multiple of the labels' mean share, which random scores have or a bit more
_CONSTANT = "always predicting the commonest labels"


def signs_of_labels(evaluation: MultiLabelResult, floor: AnyFloor | None) -> Signs:
    """Return what the channels say of the answers by the artifact's thresholds."""
    answers = {name: evaluation.predictions(name) for name in evaluation.results}
    known = floor if isinstance(floor, LabelFloor) else None
    compared = LabelFloorComparison.of(known, evaluation.channel, answers[evaluation.channel])
    return Signs(
        one_answer=_one_answer(evaluation, answers),
        at_chance=[said for name, of in answers.items() if (said := _at_chance(name, of))],
        few_texts=_few_texts(answers),
        floor=None if compared is None else _beside(compared, answers[evaluation.channel]),
        constant=_CONSTANT,
        is_clearly_better=any(map(_beats_constant, answers.values())),
    )


def ranks_hardly(result: MultiLabelEvaluation) -> bool:
    """Return whether the scores hardly tell texts with a label from those without, though the texts differ."""
    shares = result.targets.mean(axis=0)
    by_chance = float(shares[shares > 0].mean()) if shares.any() else 0.0
    differ = bool((result.targets != result.targets[:1]).any())
    return differ and result.mean_average_precision <= min(_HARDLY * by_chance, (1 + by_chance) / 2)


def entropy_of_labels(targets: np.ndarray, weights: np.ndarray) -> float:
    """Return the loss of giving each label its share as probability for every text: a mean of entropies.

    Args:
        targets: uint8 (n, classes).
        weights: of texts without and with each label, (2, classes).
    """
    with_label = targets.sum(axis=0, dtype=np.int64)
    masses = np.stack([len(targets) - with_label, with_label]) * weights.astype(np.float64)
    shares = masses / np.maximum(masses.sum(axis=0), np.finfo(np.float64).tiny)
    surprises = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return float(-(masses * surprises).sum() / masses.sum())


def _one_answer(evaluation: MultiLabelResult, answers: dict[str, LabelPredictions]) -> str:
    counted_answers = {name: of for name, of in answers.items() if of.count >= _LEAST_TEXTS}
    found = [_commonest(of) for of in counted_answers.values()]
    if not found or not all(share >= _NEARLY_ALL and true <= _AS_COMMON * share for _, share, true in found):
        return ""
    (row, share, _), name = found[-1], [*counted_answers][-1]
    names = [label for label, is_answered in zip(evaluation.labels, row, strict=True) if is_answered]
    what = f"the labels {listed(names)}" if names else "no label"
    count = counted_answers[name].count
    texts = f"all {count:,}" if share == 1 else f"{round(share * count):,} of {count:,}"
    return f"the model answers {what} for {texts} {name} texts"


def _commonest(answers: LabelPredictions) -> tuple[np.ndarray, float, float]:
    """Return the set of labels answered most often, bool (classes,), its share of the answers, and its true share."""
    rows, counts = np.unique(answers.predicted, axis=0, return_counts=True)
    row = rows[counts.argmax()]
    true = float((answers.are_actual == row).all(axis=1).mean())
    return row, float(counts.max() / answers.count), true


def _at_chance(channel: str, answers: LabelPredictions) -> str:
    same = constant_f1(answers.support, answers.count)
    _, high = answers.micro_f1_interval
    is_few = answers.count < FEW_TEXTS and high >= same  # it may be chance
    if not answers.count or answers.micro_f1 > same or is_few or not answers.support.any():
        return ""
    return f"{channel.capitalize()}'s micro-F1 of {answers.micro_f1:.3f} is no better than {_CONSTANT} ({same:.3f})."


def _few_texts(answers: dict[str, LabelPredictions]) -> list[str]:
    if any(map(_beats_constant, answers.values())):
        return []
    same = {name: constant_f1(of.support, of.count) for name, of in answers.items()}
    return [
        f"{counted(of.count, f'{name} text')} {'is' if of.count == 1 else 'are'} too few to tell whether this model is"
        f" better than {_CONSTANT}: micro-F1 is {of.micro_f1:.3f}, and would be {same[name]:.3f}. Evaluate on more"
        " texts, such as with a test channel."
        for name, of in answers.items()
        if of.count
    ]


def _beats_constant(answers: LabelPredictions) -> bool:
    return answers.micro_f1_interval[0] > constant_f1(answers.support, answers.count)


def _beside(compared: LabelFloorComparison, answers: LabelPredictions) -> Beside:
    scored = answers.are_actual[np.array(compared.score.indices, dtype=np.int64)]
    constant = constant_f1(scored.sum(axis=0), len(scored))
    return Beside(
        sentence=compared.sentence,
        is_model_below=compared.is_model_below,
        p_value=compared.p_value,
        says_nothing=compared.score.micro_f1 <= constant and len(scored) >= FEW_TEXTS,
    )
