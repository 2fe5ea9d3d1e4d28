"""Render the reports' templates, with autoescaping; a missing value is an error."""

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **values: object) -> str:
    """Return the rendered page."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": number}
    return environment


def percent(share: float, digits: int = 1) -> str:
    """Return a fraction as a percentage, with a no-break space."""
    return f"{100 * share:.{digits}f}\u00a0%"


def number(value: float) -> str:
    """Return a number as people write it: 12,345 or 0.0123."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def unbroken(sentence: str) -> str:
    """Return a sentence in which no line begins with a percent sign."""
    return sentence.replace(" %", "\u00a0%")
