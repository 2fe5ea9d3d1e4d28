"""Serve /ping and /invocations with the artifact that training wrote; never imports training."""
