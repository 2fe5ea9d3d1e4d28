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
_NO_SCRIPTS = "this container runs no scripts of yours"
_OF_OTHERS = {
    "SAGEMAKER_INFERENCE_INPUT": "a request holds texts",
    "SAGEMAKER_INFERENCE_SUPPORTED": "SAGEMAKER_INFERENCE_OUTPUT chooses among all fields",
    "SAGEMAKER_PROGRAM": _NO_SCRIPTS,
    "SAGEMAKER_SUBMIT_DIRECTORY": _NO_SCRIPTS,
    "SAGEMAKER_MAX_REQUEST_SIZE": "set SAGEMAKER_MAX_PAYLOAD_IN_MB",
    "SAGEMAKER_SAFE_PORT_RANGE": "SAGEMAKER_BIND_TO_PORT is the only port",
    "HF_MODEL_ID": "the model is that of model.tar.gz",
    "HF_TASK": "the task is to classify texts",
    "MODEL_SERVER_TIMEOUT": "set SAGEMAKER_MODEL_SERVER_TIMEOUT",
    "MODEL_SERVER_WORKERS": "set SAGEMAKER_MODEL_SERVER_WORKERS",
}
_OTHER_SERVERS = ("TS_", "MMS_", "GUNICORN_", "NGINX_", "OPTION_")
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
    others = [name for name in _given(environ, _SAGEMAKERS, settings) if name not in _OF_OTHERS]
    close = {name: difflib.get_close_matches(name.upper(), settings, n=1, cutoff=_NEAR) for name in others}
    doubts = [f"{shown(name)} has no effect, did you mean {near[0]}?" for name, near in close.items() if near]
    links = [name for name, value in environ.items() if value and _is_service_link(name, value)]
    if links:
        doubts.append(f"{shown(min(links))} belongs to a Kubernetes service and has no effect here")
    return doubts


def without_effect(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable by which people configure other inference containers, but not this one."""
    found = [f"{name} has no effect: {why}" for name, why in _OF_OTHERS.items() if environ.get(name)]
    servers = [name for name, value in environ.items() if value and name.startswith(_OTHER_SERVERS)]
    return [*found, *(f"{shown(name)} has no effect: it is for another server" for name in servers)]


def _is_service_link(name: str, value: str) -> bool:
    is_address = name.startswith(_OURS) and name.endswith("_PORT") and "://" in value
    return is_address or _SERVICE_LINK.fullmatch(name) is not None


def _given(environ: Mapping[str, str], prefix: str, known: Iterable[str]) -> list[str]:
    return [n for n, value in environ.items() if value and n.upper().startswith(prefix) and n not in known]
