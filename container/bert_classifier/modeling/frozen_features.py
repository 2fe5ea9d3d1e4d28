"""Vectors of texts from an encoder that is not trained: mean last hidden states, and what the last layer reads."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling.equal_lengths import EqualLengths
from bert_classifier.modeling.forward import Forward, Inputs


class MeanPooled(Forward):
    """Computes the mean last hidden state of each window, without its padding: float32 (b, width)."""

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """Return the vectors of b windows.

        Raises:
            ValueError: when the model has no encoder of its own, or none with a hidden state per token.
        """
        return _means(self, inputs)


class MeanPooledByLength(EqualLengths):
    """The same of encoders whose hidden states depend on padding."""

    def of_one_length(self, inputs: Inputs) -> torch.Tensor:
        """Return the vectors of windows without padding; otherwise as MeanPooled."""
        return _means(self, {**inputs, "attention_mask": None})


def mean_pooled(forward: Forward) -> MeanPooled | MeanPooledByLength:
    """Return the pass with the model, device and precision of another one."""
    kind = MeanPooledByLength if isinstance(forward, EqualLengths) else MeanPooled
    return kind(forward.model, forward.pad_id, forward.device, forward.precision)


def _means(forward: Forward, inputs: Inputs) -> torch.Tensor:
    encoder = getattr(forward.model, "base_model", forward.model)
    if encoder is forward.model:
        raise ValueError("the model has no base_model, an encoder without head")
    with _ordinary_tensors(), forward._autocast():
        hidden = getattr(encoder(**inputs), "last_hidden_state", None)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    if hidden is None or hidden.shape[:-1] != ids.shape:
        raise ValueError("its encoder has no last hidden state for each token")
    shares = torch.ones_like(ids) if mask is None else mask
    weights = (shares / shares.sum(dim=1, keepdim=True)).unsqueeze(1)
    means: torch.Tensor = (weights.float() @ hidden.float()).squeeze(1)
    return means


class HeadInputs:
    """Computes the vectors that a model's last linear layer maps to the logits: float32 (b, width).

    Args:
        forward: computes the logits.
    Attributes:
        name: of the layer in the model.
    Raises:
        ValueError: when the model has no linear layer with an output per class.
    """

    def __init__(self, forward: Forward, num_classes: int) -> None:
        self._forward = forward
        self.name, self._layer = _last_layer(forward.model, num_classes)

    def __call__(self, encoded: EncodedTexts, windows: np.ndarray) -> torch.Tensor:
        """Return the vectors of b windows."""
        return self._pass(encoded, windows)[0].float()

    def check(self, encoded: EncodedTexts, windows: np.ndarray) -> int:
        """Return the width of the vectors.

        Raises:
            ValueError: when the layer's outputs are not the logits of these windows.
        """
        vectors, outputs, logits = self._pass(encoded, windows)
        if vectors.dim() != 2 or not torch.equal(outputs.float(), logits):
            raise ValueError(f"its logits are not what the layer {self.name} gives")
        return vectors.shape[1]

    def _pass(
        self, encoded: EncodedTexts, windows: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        seen: list[tuple[torch.Tensor, torch.Tensor]] = []

        def note(module: torch.nn.Module, inputs: Any, outputs: torch.Tensor) -> None:
            seen.append((inputs[0], outputs))

        hook = self._layer.register_forward_hook(note)
        try:
            with _ordinary_tensors():
                logits = self._forward(encoded, windows)
        finally:
            hook.remove()
        if len(seen) != 1 and isinstance(self._forward, EqualLengths):
            places = self._forward.places(encoded, windows)
            vectors, outputs = (torch.cat(parts).index_select(0, places) for parts in zip(*seen, strict=True))
            return vectors, outputs, logits
        if len(seen) != 1:
            raise ValueError(f"its layer {self.name} is not computed once per pass")
        return (*seen[0], logits)


def _last_layer(model: torch.nn.Module, num_classes: int) -> tuple[str, torch.nn.Linear]:
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == num_classes
    ]
    if not found:
        raise ValueError(f"it has no linear layer with {num_classes} outputs")
    return found[-1]


@contextlib.contextmanager
def _ordinary_tensors() -> Iterator[None]:
    """Compute without gradients, but outside inference mode: a model may keep a tensor, and then train with it."""
    with torch.inference_mode(mode=False), torch.no_grad():
        yield


@contextlib.contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Turn dropout off; restore the mode of each module at the end."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, is_training in modes.items():
            module.training = is_training
