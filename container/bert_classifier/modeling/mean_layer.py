"""Mean pooling that every BERT can open: one more encoder layer, which begins as the mean of a text's tokens.

Sentence encoders are trained so that the mean of their last hidden states says what a text is about; their [CLS] token
says little. Classification heads read [CLS]. The layer that is put on top brings the mean there, by the encoder's own
code: its queries are 0, so every token attends to all tokens alike; its values are the hidden states themselves, far
larger than the residual they are added to; its feed-forward network adds nothing at first. From there on it is trained
like any other layer, and checkpoints, artifacts and servers see an encoder that has one layer more.
"""

import copy
from operator import attrgetter
from typing import Any

import torch

from bert_classifier.errors import UserError
from bert_classifier.modeling.layer_names import LAYER_NAMES, LayerNames

HAS_MEAN_LAYER = "has_mean_layer"  # in config.json
_SHARE = 10.0  # how much larger the mean is than the residual, before both are normalised
_LINEAR = 0.5  # keeps normalised values in the middle part of tanh, which changes them little


# The first part of a classification head, and what scales the values that it hands on.
_HEADS = {
    "bert": ("bert.pooler.dense", _LINEAR),
    "camembert": ("classifier.dense", _LINEAR),
    "distilbert": ("pre_classifier", 1.0),
    "electra": ("classifier.dense", 1.0),
    "roberta": ("classifier.dense", _LINEAR),
    "xlm-roberta": ("classifier.dense", _LINEAR),
}


def can_add_mean_layer(model_type: str) -> bool:
    """Return whether encoders of this family can get such a layer."""
    return model_type in _HEADS


def add_mean_layer(model: Any, source: str) -> None:
    """Put the layer on top of a classifier's encoder, unless it has one, and let the head begin by handing the mean on.

    The heads of DistilBERT and ELECTRA hand on the positive half of it (their activations are ReLU and GELU). No random
    number is drawn: the same encoder gets the same layer.

    Args:
        model: a classifier of transformers.
        source: the encoder's name, for messages.
    Raises:
        UserError: for a family that cannot get such a layer.
    """
    family = model.config.model_type
    if getattr(model.config, HAS_MEAN_LAYER, False):
        return  # a model of ours that is trained further, with its head
    if not can_add_mean_layer(family):
        known = ", ".join(sorted(_HEADS))
        raise UserError(
            f"pooling=mean needs an encoder of the families {known}; {source} is of type {family}.",
            "Leave pooling out.",
        )
    names = LAYER_NAMES[family]
    layers = attrgetter(names.layers)(model.base_model)
    layer = _shared_config_copy(layers[-1], model.config)
    with torch.no_grad():
        _make_mean(layer, names)
        head, scale = _HEADS[family]
        _set_identity(attrgetter(head)(model), scale)
    layers.append(layer)
    model.config.num_hidden_layers = len(layers)
    setattr(model.config, HAS_MEAN_LAYER, True)


def mean_layer_parameters(model: Any) -> int:
    """Return the number of parameters of the layer that add_mean_layer put on top of an encoder; 0 without it."""
    if not getattr(model.config, HAS_MEAN_LAYER, False):
        return 0
    layer = attrgetter(LAYER_NAMES[model.config.model_type].layers)(model.base_model)[-1]
    return sum(parameter.numel() for parameter in layer.parameters())


def _shared_config_copy(layer: Any, config: Any) -> Any:
    """Return a copy of a layer with the model's own config: what is set there must reach this layer too."""
    return copy.deepcopy(layer, memo={id(config): config})


def _make_mean(layer: Any, names: LayerNames) -> None:
    _set_zero(
        attrgetter(names.query)(layer)
    )  # the keys stay: were both zero, neither would ever have a gradient
    attention, feed_forward = (attrgetter(name)(layer) for name in (names.attended, names.down))
    _set_identity(attrgetter(names.value)(layer), 1.0)
    _set_identity(attention, _SHARE)
    _set_zero(feed_forward)
    for name in (names.attention_norm, names.norm):
        norm = attrgetter(name)(layer)
        norm.weight.fill_(1.0)
        norm.bias.zero_()


def _set_zero(linear: torch.nn.Linear) -> None:
    linear.weight.zero_()
    linear.bias.zero_()


def _set_identity(linear: torch.nn.Linear, scale: float) -> None:
    linear.weight.copy_(scale * torch.eye(linear.in_features))
    linear.bias.zero_()
