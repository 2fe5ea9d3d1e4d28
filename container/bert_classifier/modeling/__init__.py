"""Pretrained checkpoints, the forward passes over texts, and the one inference loop."""
