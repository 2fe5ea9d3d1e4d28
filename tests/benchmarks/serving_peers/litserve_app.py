"""LitServe with its batching on; started with MODEL and PORT in the environment."""

import os

import litserve
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

FOLDER = os.environ["MODEL"]
LENGTH = int(os.environ["LENGTH"])  # in tokens, as this project serves the model


class Classifier(litserve.LitAPI):  # type: ignore[misc] # installed only where it is compared
    """One model in one worker, as many threads as there are cores."""

    def setup(self, device):
        """Load the model."""
        self.tokenizer = AutoTokenizer.from_pretrained(FOLDER)
        self.model = AutoModelForSequenceClassification.from_pretrained(FOLDER).to(device).eval()

    def decode_request(self, request):
        """Return the text."""
        return request["inputs"]

    def batch(self, inputs):
        """Keep a batch a list of texts."""
        return list(inputs)

    def predict(self, texts):
        """Classify a batch of texts, padded to its longest."""
        encoded = self.tokenizer(texts, truncation=True, max_length=LENGTH, padding=True, return_tensors="pt")
        with torch.inference_mode():
            scores = torch.softmax(self.model(**encoded.to(self.model.device)).logits, dim=1)
        return [(int(row.argmax()), float(row.max())) for row in scores]

    def unbatch(self, output):
        """Return one result for each text."""
        return output

    def encode_response(self, output):
        """Return label and score."""
        return [{"label": self.model.config.id2label[output[0]], "score": output[1]}]


if __name__ == "__main__":
    api = Classifier(max_batch_size=int(os.environ["BATCH"]), batch_timeout=0.005, api_path="/invocations")
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/ping")
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="error")
