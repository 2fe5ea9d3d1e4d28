"""Detect a model that has learned nothing, or less than a logistic regression on the frozen encoder."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from bert_classifier.evaluation.assessment import AnyResult
from bert_classifier.evaluation.evaluation_of import AnyEvaluation
from bert_classifier.evaluation.floor import Floor, FloorComparison
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.multi_label.result import MultiLabelResult
from bert_classifier.job.task import Task
from bert_classifier.training.floor import floor_of
from bert_classifier.training.history import History
from bert_classifier.training.label_signs import entropy_of_labels, ranks_hardly, signs_of_labels
from bert_classifier.training.recipe import LEAST_STEPS, choose_recipe
from bert_classifier.training.score_warnings import FEW_TEXTS, few_texts_warnings, score_warnings
from bert_classifier.training.signs import Beside, Signs
from bert_classifier.training.trainer import Trainer

# Fractions of the loss of guessing: above the first, hardly anything was learned; below the second, the model
# classifies nearly all training texts correctly.
_HARDLY_MOVED = 0.95
_MEMORIZED = 0.25
_FEW_TO_TRAIN = 50  # fewer training texts are the likeliest reason why nothing generalizes
_LAST_PART = 0.25  # fraction of steps to average the loss over, since that of a single batch is mostly chance
# A class answered for nearly all texts is suspicious if it is not nearly as common.
_NEARLY_ALL, _AS_COMMON, _LEAST_TEXTS = 0.95, 0.8, 6


@dataclasses.dataclass(frozen=True)
class DataHints:
    """What is known of a job's data, for remedies.

    Attributes:
        is_held_out: whether validation was split off train, or is train in turn.
        has_unknown_tokens: whether the data doctor found many.
    """

    is_held_out: bool = True
    has_unknown_tokens: bool = False


def sanity_warnings(trainer: Trainer, evaluation: AnyResult, hints: DataHints | None = None) -> list[str]:
    """Return one sentence, with its remedy, for what shows that the model has learned nothing or too little.

    Args:
        evaluation: of validation and, if there is one, test.
    """
    hints = hints or DataHints()
    signs = _signs(trainer, evaluation)
    failure = _failure(trainer, signs, hints)
    if failure:
        return [failure]
    if signs.floor and signs.floor.is_model_below:
        return [_below_floor(trainer, signs.floor)]
    return list(signs.few_texts)


def _signs(trainer: Trainer, evaluation: AnyResult) -> Signs:
    """Return what the channels say; the floor as in the headline, which must not contradict the warning."""
    if isinstance(evaluation, MultiLabelResult):
        return signs_of_labels(evaluation, floor_of(trainer))
    results, channel, floor = evaluation.results, evaluation.channel, floor_of(trainer)
    known = floor if isinstance(floor, Floor) else None
    compared = FloorComparison.of(known, channel, results[channel])
    return Signs(
        one_answer=_one_class(trainer, results),
        at_chance=score_warnings(results, trainer.positive),
        few_texts=few_texts_warnings(results, trainer.positive),
        floor=None if compared is None else _beside(compared),
        constant="always predicting the commonest class",
    )


def _beside(compared: FloorComparison) -> Beside:
    return Beside(
        sentence=compared.sentence,
        is_model_below=compared.is_model_below,
        p_value=compared.paired.mid_p,
        says_nothing=not compared.floor_beats_constant and compared.paired.count >= FEW_TEXTS,
    )


def is_collapsed(trainer: Trainer, result: AnyEvaluation) -> bool:
    """Return whether a model has learned nothing: one class for all texts, or a training loss that hardly moved.

    With several labels per text, the loss moves little while most labels are rare, so the scores must tell nothing too.
    """
    is_unmoved = bool(_unmoved(last_loss(trainer.history), loss_of_guessing(trainer)))
    if isinstance(result, MultiLabelEvaluation):
        return is_unmoved and ranks_hardly(result)
    is_constant = len(np.unique(result.predicted)) < min(2, len(np.unique(result.targets)))
    return is_constant or is_unmoved


def last_loss(history: History) -> float | None:
    """Return the mean training loss over the last quarter of the steps; None without any."""
    first = history.start + (1 - _LAST_PART) * history.steps
    losses = [loss for middle, loss in history.training_losses() if middle > first]
    return float(np.mean(losses)) if losses else None


def loss_of_guessing(trainer: Trainer) -> float:
    """Return the loss of predicting the class frequencies for every text: their entropy, with the class weights."""
    if Task.of(trainer.train.targets) is Task.MULTI:
        return entropy_of_labels(trainer.train.targets, trainer.class_weights.cpu().numpy())
    counts = np.bincount(trainer.train.targets, minlength=trainer.num_classes)
    shares = counts * trainer.class_weights.cpu().numpy().astype(np.float64)
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * np.log(shares)).sum())


def _failure(trainer: Trainer, signs: Signs, hints: DataHints) -> str:
    """Return what shows that nothing was learned, what the floor gets right, and the remedy; "" if something was."""
    loss, guessing = last_loss(trainer.history), loss_of_guessing(trainer)
    unmoved = "" if signs.is_clearly_better else _unmoved(loss, guessing)
    same = signs.one_answer
    memorized = _memorization_note(loss, guessing)
    if memorized:
        memorized += _remedy_of_memorization(len(trainer.train.targets), hints)
    has_collapsed = bool(unmoved or same) and not memorized and _has_had_its_chance(trainer)
    if has_collapsed:
        loss_part = f"its training loss is {unmoved}" if unmoved else ""
        sentence = f"The run has collapsed: {', and '.join(filter(None, (loss_part, same)))}."
        remedy = _remedy_of_collapse(trainer)
    elif unmoved:
        sentence, remedy = f"The training loss has hardly moved: it is {unmoved}.", _remedy(trainer)
    elif signs.at_chance:
        sentence, remedy = " ".join(signs.at_chance), memorized or _remedy(trainer)
    else:
        return ""
    if signs.floor and signs.floor.says_nothing and not memorized:
        doubt = (
            f"Neither is better than {signs.constant}: check first whether the labels belong to the texts."
        )
        remedy = f"{doubt} {remedy}"
    return " ".join(filter(None, (sentence, signs.floor.sentence if signs.floor else "", remedy)))


def _unmoved(loss: float | None, guessing: float) -> str:
    if loss is None or loss < _HARDLY_MOVED * guessing:
        return ""
    return f"{loss:.3f} over the last quarter of the steps, where guessing by the classes' shares gives {guessing:.3f}"


def _one_class(trainer: Trainer, results: Mapping[str, Evaluation]) -> str:
    """Return which class is answered for nearly all texts of every channel, though it is not nearly as common."""
    counted_results = {name: result for name, result in results.items() if result.count >= _LEAST_TEXTS}
    answers = [_answered(result) for result in counted_results.values()]
    if not answers or not all(
        share >= _NEARLY_ALL and true <= _AS_COMMON * share for _, share, true in answers
    ):
        return ""
    (class_, share, _), name = answers[-1], [*counted_results][-1]
    label = trainer.model.config.id2label[class_]  # type: ignore[union-attr, index]
    count = counted_results[name].count
    texts = f"all {count:,}" if share == 1 else f"{round(share * count):,} of {count:,}"
    return f"the model answers {label!r} for {texts} {name} texts"


def _answered(result: Evaluation) -> tuple[int, float, float]:
    """Return the class predicted most often, the share of texts for which it is, and its true share."""
    class_ = int(result.confusion.sum(axis=0).argmax())
    answered, true = (float(result.confusion.sum(axis=axis)[class_] / result.count) for axis in (0, 1))
    return class_, answered, true


def _has_had_its_chance(trainer: Trainer) -> bool:
    """Whether steps and learning rate suffice to learn something, so that another reason is likelier."""
    steps = trainer.history.start + trainer.history.steps
    return 2 * steps >= LEAST_STEPS and 2 * trainer.recipe.learning_rate >= _automatic_rate(trainer)


def _automatic_rate(trainer: Trainer) -> float:
    """Return the learning rate that would have been chosen if it had not been set."""
    config = dataclasses.replace(trainer.config, learning_rate=None)
    recipe, ranks = trainer.recipe, trainer.distributed.size
    return choose_recipe(
        config, num_texts=recipe.num_texts, width=recipe.width, world_size=ranks
    ).learning_rate


def _memorization_note(loss: float | None, guessing: float) -> str:
    if loss is None or loss > _MEMORIZED * guessing:
        return ""
    return (
        f"Yet the training loss is {loss:.3f}, where guessing gives {guessing:.3f}: the model has memorized the"
        " training texts and learned nothing that generalizes."
    )


def _remedy_of_memorization(num_texts: int, hints: DataHints) -> str:
    """Return what helps, the likeliest reason first; with a space before it."""
    of = "" if hints.is_held_out else " of train or validation"
    encoder = (
        " Use an encoder for the language of the texts: many of their tokens are unknown to this one."
        if hints.has_unknown_tokens
        else ""
    )
    labels = f"heck the labels{of}{{}}: labels unrelated to the texts have this effect."
    if num_texts < _FEW_TO_TRAIN:
        return f"{encoder} Add training texts first: {num_texts} are few. Also c{labels.format('')}"
    first = "" if encoder else " first"
    return f"{encoder} C{labels.format(first)} Then add training texts."


def _below_floor(trainer: Trainer, compared: Beside) -> str:
    p = compared.p_value
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    return f"Fine-tuning stays below the floor ({chance}). {compared.sentence} {_remedy_below_floor(trainer)}"


def _remedy_below_floor(trainer: Trainer) -> str:
    if trainer.config.freeze_encoder:
        return "Leave out freeze_encoder: the head alone learns less than the encoder has to give."
    settings, by_hand = _settings(trainer)
    helpful = ["seeds=3", "more num_train_epochs"]
    if trainer.config.head_init != "logistic_regression":
        helpful.insert(0, "head_init=logistic_regression")
    tips = f"{', '.join(helpful[:-1])} or {helpful[-1]}"
    leave_out = (
        f"Leave out {by_hand}: the automatic values suit data and encoder. Else try" if by_hand else "Try"
    )
    return f"{leave_out} {tips} (now: {settings})."


def _remedy_of_collapse(trainer: Trainer) -> str:
    rate, automatic = trainer.recipe.learning_rate, _automatic_rate(trainer)
    lower = (
        f"Leave out learning_rate: it is {rate:g}, the automatic value {automatic:g}"
        if rate > automatic
        else (f"Lower learning_rate (it is {rate:g})")
    )
    return (
        f"{lower}; or train with another seed. seeds=3 trains three models and keeps the best by validation."
    )


def _remedy(trainer: Trainer) -> str:
    values, by_hand = _settings(trainer)
    if by_hand:
        return f"Change {values}, or leave out {by_hand}: the defaults suit data and encoder."
    return f"Check the labels and model_name first; then change {values}."


def _settings(trainer: Trainer) -> tuple[str, str]:
    """Return the recipe's settings with their values, and the names of those that were set by hand."""
    recipe = trainer.recipe
    settings = {
        "num_train_epochs": recipe.num_train_epochs,
        "learning_rate": f"{recipe.learning_rate:g}",
        "global_batch_size": recipe.global_batch_size,
    }
    by_hand = [name for name in settings if name not in recipe.automatic]
    return ", ".join(f"{name} ({value})" for name, value in settings.items()), ", ".join(by_hand)
