"""BERT text classification for SageMaker: `train` and `serve` in one container image."""

__version__ = "0.1.0"
