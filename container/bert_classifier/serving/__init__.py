"""Answers /ping and /invocations with the artifact that training wrote; imports nothing of training."""
