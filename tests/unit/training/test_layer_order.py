"""Depths against the computation itself: which layer's values change first when a parameter does."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.layer_depths import _layers, layer_depths
from support.encoders import FAMILIES, make_encoder

LAYERS = 2
TOKENS = 16  # a whole window of Longformer, which fills up others with whatever memory holds
TEXT = (
    "the river is old, and nobody knows how wide it was or who called it a river when it was new, of the two"
)
# What only a convolution beside the first layer shows.
MORE: Mapping[str, dict[str, Any]] = {"deberta-v2": {"conv_kernel_size": 3}}
# Never used for texts alone: LUKE's entities, the pooler of BigBird's classifier, MRA's attention without its kernels.
UNUSED = {"luke": ("entity_embeddings", "w2e", "e2w", "e2e"), "big_bird": ("pooler",), "mra": ("attention",)}
# Layers share their weights; layers are run past their hooks; places without a token hold what memory held.
LEFT_OUT = {"albert", "squeezebert", "longformer"}
Event = tuple[int, str, list[torch.Tensor]]


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way."""
    quiet_transformers()


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield copies of the numbers in the arguments or results of a layer."""
    if isinstance(value, torch.Tensor):
        yield value.detach().clone()
    elif isinstance(value, Mapping):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


class Watched:
    """A classifier whose layers tell what goes in and what comes out, in order of computation."""

    def __init__(self, model: Any, ids: torch.Tensor) -> None:
        self.model, self._ids = model, ids
        self._events: list[Event] = []
        for name, number in _layers(model.base_model, LAYERS).items():
            layer = model.base_model.get_submodule(name.rstrip("."))
            layer.register_forward_pre_hook(self._on_input(number), with_kwargs=True)
            layer.register_forward_hook(self._on_output(number))

    def _on_input(self, number: int) -> Any:
        return lambda _, args, kwargs: self._events.append((number, "in", list(tensors_in([args, kwargs]))))

    def _on_output(self, number: int) -> Any:
        return lambda _, __, output: self._events.append((number, "out", [next(tensors_in(output))]))

    def events(self) -> list[Event]:
        """Return what happens for the text, the logits last."""
        self._events.clear()
        with torch.no_grad():
            logits = self.model(input_ids=self._ids).logits
        return [*self._events, (LAYERS, "in", [logits])]


def first_change(before: list[Event], after: list[Event]) -> int | None:
    """Return the layers above what has changed first; None if nothing has."""
    for (number, side, ours), (_, _, theirs) in zip(before, after, strict=True):
        if not all(map(torch.equal, ours, theirs)):
            return LAYERS - number - (side == "out")
    return None


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - LEFT_OUT))
def test_depths_follow_the_order_of_computation(tmp_path: Path, family: str) -> None:
    """A parameter has as many layers above it as come after the first place where it makes a difference."""
    source = str(make_encoder(tmp_path / family, family, **MORE.get(family, {})))
    tokenizer = load_tokenizer(source)
    model = load_pretrained(source, ("a", "b"), tokenizer, None).eval()
    watched = Watched(model, torch.tensor([tokenizer(TEXT)["input_ids"]]))
    depths, before = layer_depths(model), watched.events()
    generator = torch.Generator().manual_seed(1)
    wrong = {}
    for name, parameter in model.named_parameters():
        saved = parameter.detach().clone()
        parameter.data += 0.5 * torch.randn(parameter.shape, generator=generator)
        found = first_change(before, watched.events())
        parameter.data = saved
        if found is None:
            assert any(part in name for part in UNUSED.get(family, ())), name
        elif found != depths[name]:
            wrong[name] = (depths[name], found)
    assert wrong == {}
