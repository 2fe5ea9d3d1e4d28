"""Encode texts as token ids, and group them into micro-batches."""
