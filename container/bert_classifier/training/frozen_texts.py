"""Vectors of a sample of texts from the encoder as it is, computed by all ranks; nothing of the training changes."""

from collections.abc import Callable

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.job.task import Task
from bert_classifier.job.wording import first_line
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits
from bert_classifier.modeling.label_regressions import check_affordable
from bert_classifier.training.recipe import encoder_width
from bert_classifier.training.shared_inference import own_micro_batches
from bert_classifier.training.trainer import Trainer

# Floating-point operations for all samples of a channel's texts together: some seconds on a few cores, or on a GPU.
_FLOPS = {"cpu": 2e12, "cuda": 2e14}
_USUAL_LAYERS = 12

_Vectors = Callable[[EncodedTexts, np.ndarray], torch.Tensor]  # (texts, windows) → (b, width)


def affordable_tokens(trainer: Trainer) -> int:
    """Return how many tokens the encoder computes in some seconds.

    A forward pass takes about 24 · layers · width² operations per token (Kaplan et al. 2020, Scaling Laws for Neural
    Language Models, 2.1: two per weight).
    """
    layers = getattr(trainer.model.config, "num_hidden_layers", None) or _USUAL_LAYERS
    return int(_FLOPS[trainer.device.type] / (24 * layers * encoder_width(trainer.model) ** 2))


def check_work(trainer: Trainer, texts: int) -> None:
    """Check that regressions on so many training texts, one a label where a text may have several, take not too long.

    Raises:
        ValueError: on all ranks, with the sizes.
    """
    if Task.of(trainer.train.targets) is Task.MULTI:
        check_affordable(texts, encoder_width(trainer.model), trainer.num_classes)


def width_on_all_ranks(trainer: Trainer, width_of: Callable[[], int]) -> int:
    """Return the width of vectors, the same on all ranks.

    Raises:
        ValueError: on all ranks, when `width_of` fails on any, with its reason.
    """
    width, reason = 0, ""
    try:
        width = width_of()
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = first_line(error) or type(error).__name__
    reasons = [other for other in trainer.distributed.all_gather_json(reason) if other]
    if reasons:
        raise ValueError(reasons[0])
    return width


def vectors_of(
    trainer: Trainer, compute: _Vectors, forward: Forward, encoded: EncodedTexts, width: int
) -> np.ndarray:
    """Return the vectors of n texts, the means of those of their windows: float32 (n, width).

    Args:
        compute: gives the vectors of windows; the model must be in evaluation mode.
        forward: the pass by whose costs the micro-batches are planned.
    Raises:
        Stopped: after a stop signal.
    """
    distributed = trainer.distributed
    own = own_micro_batches(forward, encoded, trainer.state.token_budget, distributed, trainer.stop)
    return compute_logits(compute, encoded, own, width, combine=distributed.all_reduce_sum)


def unusable(vectors: np.ndarray) -> str:
    """Return why no regression can be fitted on vectors (n, width), the same on all ranks; "" if one can."""
    spoilt = int((~np.isfinite(vectors)).any(axis=1).sum())
    return f"the encoder's values are not finite for {spoilt:,} of {len(vectors):,} texts" if spoilt else ""


def weights_of(trainer: Trainer, targets: np.ndarray) -> np.ndarray:
    """Return the weights in the loss of texts with these targets, by class_weights.

    Args:
        targets: class indices (n,), or for each class 1 or 0 (n, classes).
    Returns:
        float32 (n,), or of each label (n, classes).
    """
    weights: np.ndarray = trainer.class_weights.cpu().numpy()
    is_multi = Task.of(targets) is Task.MULTI
    own: np.ndarray = np.where(targets == 1, weights[1], weights[0]) if is_multi else weights[targets]
    return own
