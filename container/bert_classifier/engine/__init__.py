"""The forward pass of served models on CPUs: a few lines over the checkpoint's tensors, without transformers."""
