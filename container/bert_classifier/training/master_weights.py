"""Low-precision weights for computing beside the float32 weights that the optimizer updates.

Source: Micikevicius et al. 2018, Mixed Precision Training, section 3.1. Autocast would convert every weight again in
each pass: for BERT-base, 400 kernels per micro-batch.
"""

import copy

import torch


class MasterWeights:
    """A model's float32 weights, and a bfloat16 copy of the model that computes logits and gradients.

    Args:
        model: float32; stays what is optimised, saved and exported.
    Attributes:
        copy: the same model in bfloat16, on the same device.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self.copy = copy.deepcopy(model).to(torch.bfloat16)
        pairs = zip(model.parameters(), self.copy.parameters(), strict=True)
        self._trained = [(own, low) for own, low in pairs if own.requires_grad]

    def publish(self) -> None:
        """Round the trained weights into the copy: after every optimizer step."""
        if self._trained:
            with torch.no_grad():
                torch._foreach_copy_([low for _, low in self._trained], [own for own, _ in self._trained])

    def publish_all(self) -> None:
        """Round all weights and buffers into the copy: after others were loaded."""
        self.copy.load_state_dict(self._model.state_dict())
