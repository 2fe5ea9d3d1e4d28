"""Low-precision weights for computing beside the float32 weights that the optimizer updates.

Source: Micikevicius et al. 2018, Mixed Precision Training, section 3.1. Autocast would convert every weight again in
each pass: for BERT-base, 400 kernels per micro-batch.
"""

import copy
import logging

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.low_precision import to_bfloat16

logger = logging.getLogger(__name__)

_PROBES = 2  # texts


class MasterWeights:
    """A model's float32 weights, and a bfloat16 copy of the model that computes logits and gradients.

    Args:
        model: float32; stays what is optimised, saved and exported.
    Attributes:
        copy: the same model with bfloat16 parameters, on the same device.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self.copy = to_bfloat16(copy.deepcopy(model))
        pairs = zip(model.parameters(), self.copy.parameters(), strict=True)
        self._trained = [(own, low) for own, low in pairs if own.requires_grad]

    def publish(self) -> None:
        """Round the trained weights into the copy: after every optimizer step."""
        if self._trained:
            with torch.no_grad():
                torch._foreach_copy_([low for _, low in self._trained], [own for own, _ in self._trained])

    def publish_all(self) -> None:
        """Round all weights into the copy, and copy the buffers: after others were loaded."""
        self.copy.load_state_dict(self._model.state_dict())


def master_weights(model: torch.nn.Module, sample: EncodedTexts, pad_id: int) -> MasterWeights | None:
    """Return bfloat16 weights beside a model's own, or None if a pass with them fails, as FNet's and MRA's.

    Args:
        model: float32, on its device.
        sample: texts to try it on.
    """
    weights = MasterWeights(model)
    weights.copy.eval()
    forward = Forward(weights.copy, pad_id, next(model.parameters()).device, "bf16")
    try:
        with torch.no_grad():  # not inference mode, whose tensors a model may keep and then not train with
            forward(sample, np.arange(min(_PROBES, len(sample))))
    except torch.OutOfMemoryError:
        pass  # training takes smaller micro-batches then
    except (RuntimeError, TypeError, ValueError) as error:
        logger.warning(
            "a pass with bf16 weights failed (%s); computing by autocast instead, which is slower", error
        )
        return None
    return weights
