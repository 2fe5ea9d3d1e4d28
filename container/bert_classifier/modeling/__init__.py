"""Checkpoints that come in, and one forward pass over texts."""
