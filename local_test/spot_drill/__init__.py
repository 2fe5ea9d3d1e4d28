"""The interruption rehearsal: `make spot-drill`."""
