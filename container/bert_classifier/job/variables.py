"""Find environment variables that look like settings of the server but are not.

Standard library only.
"""

import difflib
import re
from collections.abc import Iterable, Mapping

from bert_classifier.job.settings import shown

_OURS, _SAGEMAKERS = "SERVING_", "SAGEMAKER_"
_ALIKE = 0.6  # similarity of two names without their common prefix
# Kubernetes sets these in every container of a namespace with a service called serving or serving-….
_SERVICE_LINK = re.compile(
    r"SERVING_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_NEAR = 0.9  # similarity of two names with the prefix, whose ten letters are equal anyway


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each unknown SERVING_ variable, except empty ones and those of Kubernetes."""
    settings, found = [name.upper() for name in known], list[str]()
    own = {name.removeprefix(_OURS): name for name in settings if name.startswith(_OURS)}
    for name in _given(environ, _OURS, settings):
        if _is_service_link(name, environ[name]):
            continue
        close = difflib.get_close_matches(name.upper().removeprefix(_OURS), own, n=1, cutoff=_ALIKE)
        hint = f", did you mean {own[close[0]]}?" if close else ""
        found.append(f"unknown environment variable {shown(name)}{hint}")
    return found


def near_misses(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each SAGEMAKER_ variable that is nearly a known one, and one for those of Kubernetes.

    SageMaker itself sets many variables with that prefix, so an unknown one is not a mistake.
    """
    settings = [name.upper() for name in known if name.upper().startswith(_SAGEMAKERS)]
    others = _given(environ, _SAGEMAKERS, settings)
    close = {name: difflib.get_close_matches(name.upper(), settings, n=1, cutoff=_NEAR) for name in others}
    doubts = [f"{shown(name)} has no effect, did you mean {near[0]}?" for name, near in close.items() if near]
    links = [name for name, value in environ.items() if value and _is_service_link(name, value)]
    if links:
        doubts.append(f"{shown(min(links))} belongs to a Kubernetes service and has no effect here")
    return doubts


def _is_service_link(name: str, value: str) -> bool:
    is_address = name.startswith(_OURS) and name.endswith("_PORT") and "://" in value
    return is_address or _SERVICE_LINK.fullmatch(name) is not None


def _given(environ: Mapping[str, str], prefix: str, known: Iterable[str]) -> list[str]:
    return [n for n, value in environ.items() if value and n.upper().startswith(prefix) and n not in known]
