"""ONNX Runtime, int8, without torch: Flask and tokenizers; each of gunicorn's threads computes one text at a time."""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-not-found] # installed only where it is compared
from flask import Flask, jsonify, request
from tokenizers import Tokenizer

FOLDER = Path(os.environ["MODEL"])
LENGTH = int(os.environ["LENGTH"])  # in tokens, as this project serves the model
tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(LENGTH)
labels = json.loads((FOLDER / "config.json").read_text())["id2label"]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    FOLDER / "model_int8.onnx", options, providers=["CPUExecutionProvider"]
)
app = Flask(__name__)


@app.get("/ping")
def ping():
    """Say that the model is loaded."""
    return ""


@app.post("/invocations")
def invocations():
    """Classify one text."""
    ids = np.array([tokenizer.encode(request.get_json()["inputs"]).ids])
    logits = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
    scores = np.exp(logits - logits.max())
    best = int(scores.argmax())
    return jsonify([{"label": labels[str(best)], "score": float(scores[best] / scores.sum())}])
