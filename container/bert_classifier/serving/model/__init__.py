"""The loaded model: micro-batches of requests, predictions, precision, threads."""
