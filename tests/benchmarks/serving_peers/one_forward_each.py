"""What a container is usually served with: Flask, a model in each gunicorn worker, one forward pass a request."""

import os

import torch
from flask import Flask, jsonify, request
from transformers import AutoModelForSequenceClassification, AutoTokenizer

torch.set_num_threads(1)
FOLDER = os.environ["MODEL"]
LENGTH = int(os.environ["LENGTH"])  # in tokens, as this project serves the model
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForSequenceClassification.from_pretrained(FOLDER).eval()
app = Flask(__name__)


@app.get("/ping")
def ping():
    """Say that the model is loaded."""
    return ""


@app.post("/invocations")
def invocations():
    """Classify one text."""
    text = request.get_json()["inputs"]
    encoded = tokenizer(text, truncation=True, max_length=LENGTH, return_tensors="pt")
    with torch.inference_mode():
        scores = torch.softmax(model(**encoded).logits, dim=1)[0]
    best = int(scores.argmax())
    return jsonify([{"label": model.config.id2label[best], "score": float(scores[best])}])
