"""Share the micro-batches of an inference among the ranks."""

from collections.abc import Iterator

import numpy as np

from bert_classifier.encoding.micro_batches import partition
from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import plan_inference
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.signals import StopSignal


def own_micro_batches(
    forward: Forward,
    encoded: EncodedTexts,
    token_budget: int,
    distributed: DistributedContext,
    stop: StopSignal,
) -> Iterator[np.ndarray]:
    """Yield this rank's micro-batches; before each one all ranks, idle ones too, check for a stop signal.

    Raises:
        Stopped: on all ranks, after a stop signal on any.
    """
    micro_batches = plan_inference(forward, encoded, token_budget)
    costs = [forward.tokens_of(encoded.lengths[micro_batch]) for micro_batch in micro_batches]
    assigned = partition(costs, distributed.size)
    own = assigned[distributed.rank]
    for position in range(max(map(len, assigned))):
        distributed.check(stop)
        if position < len(own):
            yield micro_batches[own[position]]
