"""Which of the evaluated channels reports are about."""

from collections.abc import Mapping


def reported_channel(results: Mapping[str, object]) -> str:
    """Return the channel that reports are about: test if there is one, else validation, else the first."""
    return next((name for name in ("test", "validation") if name in results), next(iter(results)))
