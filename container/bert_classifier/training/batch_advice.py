"""Whether a global batch is large enough to keep all GPUs busy, and which batch and learning rate would."""

import math

import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.training.recipe import LEAST_STEPS, Recipe, automatic_batch_size

# Rough figures for a GPU of 2022 and later; slower ones need fewer tokens to hide their launches, but have slower
# links too, and then wait for the exchange of gradients instead.
_LAUNCHES_PER_PARAMETER = 3.5  # kernels per parameter tensor and pass: about 700 for BERT base's 201
_SECONDS_PER_LAUNCH = 7.5e-6  # on the host
_FLOP_PER_SECOND = 400e12  # in bf16 matrix products
_FLOP_PER_WEIGHT = 6  # and token: forward and backward pass (Kaplan et al. 2020)
_LARGEST_FACTOR = 8  # by which a proposed batch may exceed the present one, and the recipe's


def tokens_to_keep_busy(model: torch.nn.Module) -> int:
    """Return about how many tokens a GPU must have per step to compute for longer than its kernels take to launch.

    These are 4,100 for BERT base, more for smaller models and fewer for larger ones. Embeddings count for nothing:
    looking them up computes nothing.
    """
    embeddings = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    looked_up = {id(parameter) for module in embeddings for parameter in module.parameters()}
    parameters = list(model.parameters())
    weights = sum(p.numel() for p in parameters if id(p) not in looked_up)
    launch_seconds = len(parameters) * _LAUNCHES_PER_PARAMETER * _SECONDS_PER_LAUNCH
    return round(launch_seconds * _FLOP_PER_SECOND / (_FLOP_PER_WEIGHT * max(weights, 1)))


def advise(recipe: Recipe, model: torch.nn.Module, texts: EncodedTexts, *, ranks: int) -> list[str]:
    """Say that the batch is too small for the GPUs that share it, and what to do; nothing where it is not.

    Args:
        texts: the training texts.
        ranks: number of GPUs.
    Returns:
        at most one sentence.
    """
    needed, mean = tokens_to_keep_busy(model), float(texts.text_lengths.mean())
    own = recipe.global_batch_size / ranks
    if ranks == 1 or own * mean >= needed:
        return []
    shortage = (
        f"the batch is small for {ranks} GPUs: each gets {own:.3g} texts (about {own * mean:.0f} tokens) per step, and"
        f" is busy from about {needed} tokens on"
    )
    larger = larger_batch(recipe, ranks * needed / mean)
    if larger is None:
        return [f"{shortage}; {_why_not_larger(recipe)}, so fewer GPUs cost less"]
    batch, rate = larger
    instead = " in place of per_device_batch_size" if recipe.is_batch_per_device else ""
    return [
        f"{shortage}; use them better with global_batch_size={batch} learning_rate={rate:g}{instead}, or take fewer"
        " GPUs"
    ]


def _why_not_larger(recipe: Recipe) -> str:
    if 2 * recipe.global_batch_size > _largest_batch(recipe):
        return f"twice the batch would exceed {_LARGEST_FACTOR} times the automatic one"
    return f"a larger batch would leave fewer than {LEAST_STEPS} steps"


def _largest_batch(recipe: Recipe) -> int:
    """Return the largest batch to propose, however often a proposal was followed by a new start."""
    return _LARGEST_FACTOR * automatic_batch_size(recipe.num_texts)


def larger_batch(recipe: Recipe, wanted: float) -> tuple[int, float] | None:
    """Return a larger batch and the learning rate that suits it, or None where no larger one is sound.

    The batch is doubled until it is as large as wanted, at most three times, up to eight times the recipe's automatic
    batch, and only while the run keeps its least number of steps. The learning rate of Adam grows with the square root
    of the batch (Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms"). Their rule
    also shortens the memory of Adam's moments, which is no setting here; so the factor is limited.

    Args:
        wanted: texts per step that would keep all ranks busy.
    Returns:
        texts per step, and the learning rate in two digits, as the message shows it.
    """
    factor = 1
    while factor < _LARGEST_FACTOR and recipe.global_batch_size * factor < wanted:
        twice = recipe.global_batch_size * factor * 2
        if twice > _largest_batch(recipe) or recipe.total_steps(twice) < LEAST_STEPS:
            break
        factor *= 2
    if factor == 1:
        return None
    rate = float(f"{recipe.learning_rate * math.sqrt(factor):.2g}")
    return recipe.global_batch_size * factor, rate
