"""The state of a run: kept in checkpoints, taken up again by the next attempt."""
