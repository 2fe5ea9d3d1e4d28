"""Settings of `drift`."""

import dataclasses
import re
from typing import Any

from bert_classifier.job.settings import Spec, integer
from launcher.settings.account import AccountSettings
from launcher.settings.fields import text
from launcher.settings.inference import endpoint_name

_HOURS = {"h": 1, "d": 24, "w": 168}
_MOST_HOURS = 24 * 366


def _span(default: str, help: str) -> Any:
    """Return a dataclass field for a span of time, such as 24h."""

    def parse(value: str) -> str:
        if not 0 < hours_of(value) <= _MOST_HOURS:
            raise ValueError
        return value

    spec = Spec(parse, "hours, days or weeks, such as 24h, 7d or 2w", help)
    return dataclasses.field(default=default, metadata={"spec": spec})


def hours_of(span: str) -> int:
    """Return the hours of a span such as 7d; raise a ValueError if it is none."""
    match = re.fullmatch(r"(\d{1,5})\s*([hdw])", span.strip().lower())
    if not match:
        raise ValueError
    return int(match[1]) * _HOURS[match[2]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriftSettings(AccountSettings):
    """The settings of `drift`."""

    endpoint: str = endpoint_name("Name of the endpoint whose captured requests to download.")
    since: str = _span("24h", "How far back the captured requests go.")
    output: str = text("drift", "a folder", "Folder for what is downloaded, and for the report.")
    artifact: str = text(
        "", "a folder or file", "The endpoint's model, if it is on this machine; default: it is downloaded."
    )
    max_mb: int = integer(200, 1, 100_000, "Most MB of captured requests to download, the newest first.")
