"""The state of a run: saved in checkpoints, restored by the next attempt."""
