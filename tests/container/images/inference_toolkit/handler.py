"""What the toolkit asks: how to load the model, and how to answer a request."""

import json
from pathlib import Path

import numpy
from sagemaker_inference.default_handler_service import DefaultHandlerService  # type: ignore[import-not-found]
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler  # type: ignore[import-not-found]
from sagemaker_inference.transformer import Transformer  # type: ignore[import-not-found]


class Handler(DefaultInferenceHandler):  # type: ignore[misc]
    """Adds the model's mean to each number of a request."""

    def default_model_fn(self, model_dir, context=None):
        return json.loads((Path(model_dir) / "mean.json").read_text())

    def default_predict_fn(self, data, model, context=None):
        return numpy.atleast_1d(data) + model


class Service(DefaultHandlerService):  # type: ignore[misc]
    """Tells the toolkit of the handler."""

    def __init__(self):
        super().__init__(transformer=Transformer(default_inference_handler=Handler()))


service = Service()
loaded: list[bool] = []


def handle(data, context):
    """Load the model at first, then answer what the multi-model-server passes on."""
    if not loaded:
        service.initialize(context)
        loaded.append(True)
    return None if data is None else service.handle(data, context)
