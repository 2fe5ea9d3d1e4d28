"""How many tokens a micro-batch may have: on a GPU as many as its memory holds, measured by two trial passes."""

import contextlib
import logging
import time
from collections.abc import Iterator

import numpy as np
import torch

from bert_classifier.encoding.micro_batches import plan_even_micro_batches, plan_gradient_groups
from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.job.config import TrainConfig
from bert_classifier.modeling.forward import Forward
from bert_classifier.training.device import OVERHEAD_TOKENS, TOKEN_BUDGETS
from bert_classifier.training.distributed import DistributedContext

logger = logging.getLogger(__name__)

# Limits of a measured budget. Below the least, launching kernels takes longer than running them; beyond the most, a
# pass gains nothing: its launches are hidden by then.
_LEAST, _MOST, _MULTIPLE = 2048, 65_536, 1024
_SLACK = 1 / 8  # by which a default budget may be exceeded where that saves a pass
_RESERVE = 1 / 8  # of the memory, for fragmentation, workspaces of kernels and buffers of NCCL
# Per trainable parameter, in float32: the gradient, the one that is being added to it, AdamW's two moments.
_STATE_BYTES = 16
_TRIAL_TOKENS = 4096  # in the smaller of the two trial passes
_SETTLE_SECONDS = 0.1  # for autograd's own thread to free the tensors of a pass


def choose_token_budget(
    config: TrainConfig,
    forward: Forward,
    sample: EncodedTexts,
    distributed: DistributedContext,
    *,
    reproducible: bool,
) -> int:
    """Return the maximum tokens of a micro-batch; all ranks call this, and get the same.

    The budget is measured only on GPUs and where neither a setting nor `reproducible` fixes it: the bits of a
    gradient depend on its micro-batches.

    Args:
        sample: the training texts.
    """
    fixed = config.max_tokens_per_micro_batch or TOKEN_BUDGETS[forward.device.type]
    if config.max_tokens_per_micro_batch or reproducible or forward.device.type != "cuda":
        return fixed
    # Not all_reduce_max: other ranks may still be loading the model.
    budgets: list[int] = distributed.all_gather_json(measured_budget(forward, sample))
    return min(budgets)


def plan_batch(
    config: TrainConfig, forward: Forward, lengths: np.ndarray, token_budget: int, num_gradient_groups: int
) -> list[np.ndarray]:
    """Divide the windows of a batch into micro-batches; a pure function of its arguments.

    On a GPU without padding these are as few as possible and of about equal size. The default budget may then be
    exceeded by an eighth where that saves a pass; an explicit one is a maximum.

    Args:
        lengths: int (w,), tokens of each window.
    Returns:
        see plan_gradient_groups.
    """
    device, max_windows = forward.device.type, config.per_device_batch_size
    if device == "cuda" and not forward.is_padded:
        slack = 0.0 if config.max_tokens_per_micro_batch else _SLACK
        return plan_even_micro_batches(lengths, token_budget, num_gradient_groups, max_windows, slack=slack)
    overhead, is_padded = OVERHEAD_TOKENS[device], forward.is_padded
    return plan_gradient_groups(
        lengths, token_budget, num_gradient_groups, max_windows, overhead, is_padded=is_padded
    )


def measured_budget(forward: Forward, sample: EncodedTexts) -> int:
    """Return the maximum tokens of a micro-batch that this GPU's memory holds.

    Runs two training passes over the longest window of the sample, many times over. Gradients, modes of modules and
    random generators are afterwards as before. Where not even the smallest trial fits, returns the least budget:
    training then halves it, or says that the memory is too small.

    Args:
        sample: texts of which the longest decides.
    """
    device, longest = forward.device, int(sample.lengths.max())
    before = torch.cuda.memory_allocated(device)
    with _without_traces(forward.model, device):
        peaks = _peaks(forward, sample)
    if peaks is None:
        return max(_LEAST, longest)
    (tokens, peak), (more_tokens, higher_peak) = peaks
    bytes_per_token = (higher_peak - peak) / (more_tokens - tokens)
    trainable = sum(p.numel() for p in forward.model.parameters() if p.requires_grad)
    fixed = max(before, peak - bytes_per_token * tokens) + _STATE_BYTES * trainable
    memory = _memory_limit(device)
    budget = budget_for(memory, fixed, bytes_per_token, longest)
    logger.info(
        "a token of a micro-batch takes %.0f kB of GPU memory: %d tokens fit into %.1f GiB",
        bytes_per_token / 1000, budget, memory / 2**30,
    )  # fmt: skip
    return budget


def budget_for(memory: float, fixed: float, bytes_per_token: float, longest: int) -> int:
    """Return the largest multiple of 1,024 tokens that fits, between 2,048 and 65,536, but at least `longest`.

    An eighth of the memory is left free, and the budget may be exceeded by an eighth: see plan_batch.

    Args:
        memory: bytes that this process may use.
        fixed: bytes that do not depend on the tokens: weights, gradients, the optimizer's state.
        longest: tokens of the longest window.
    """
    tokens = (memory * (1 - _RESERVE) - fixed) / max(bytes_per_token, 1) / (1 + _SLACK)
    fitting = int(min(max(tokens, _LEAST), _MOST)) // _MULTIPLE * _MULTIPLE
    return max(fitting, longest)


def _memory_limit(device: torch.device) -> int:
    """Return the bytes that torch may use on the GPU, those that it has already included."""
    free, total = torch.cuda.mem_get_info(device)
    share = torch.cuda.get_per_process_memory_fraction(device)
    return min(free + torch.cuda.memory_reserved(device), int(total * share))


def _peaks(forward: Forward, sample: EncodedTexts) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return tokens and peak memory of a pass and of one twice as large; None where not even the smallest fits."""
    count = max(1, _TRIAL_TOKENS // int(sample.lengths.max()))
    while count:
        try:
            return _peak(forward, sample, count), _peak(forward, sample, 2 * count)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            count //= 2
    return None


def _peak(forward: Forward, sample: EncodedTexts, count: int) -> tuple[int, int]:
    """Compute a training pass over the longest window `count` times; return its tokens and the peak memory in bytes."""
    windows = np.full(count, sample.lengths.argmax())
    windows[1:2] = sample.lengths.argmin()  # so that padding, where there is any, needs a mask
    trainable = [p for p in forward.model.parameters() if p.requires_grad]
    time.sleep(_SETTLE_SECONDS)
    torch.cuda.reset_peak_memory_stats(forward.device)
    # Not backward(): it would add to the gradients and run their hooks.
    torch.autograd.grad(forward(sample, windows).square().sum(), trainable, allow_unused=True)
    return forward.tokens_of(sample.lengths[windows]), torch.cuda.max_memory_allocated(forward.device)


@contextlib.contextmanager
def _without_traces(model: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """Put the model into training mode; restore modes and random generators, and free cached memory, at the end."""
    modes = {module: module.training for module in model.modules()}
    with torch.random.fork_rng([device]):
        try:
            model.train()
            yield
        finally:
            for module, is_training in modes.items():
                module.training = is_training
            torch.cuda.empty_cache()
