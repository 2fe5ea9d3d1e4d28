"""The container of an endpoint that is there: what of it the next model keeps, and what of it an update may change."""

from collections.abc import Mapping
from typing import Any

# What no setting of `deploy` names, and any image can have.
_KEPT = ("ContainerHostname", "AdditionalModelDataSources", "ContainerMetricsConfig")


def next_container(now: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of the next container, with what the present one has beside it.

    Args:
        now: the present one, as SageMaker describes it.
        new: the request of a new model's.
    """
    same_registry = _registry(now) == _registry(new)  # ImageConfig says how to get at it
    names = (*_KEPT, "ImageConfig") if same_registry else _KEPT
    return {**{name: now[name] for name in names if now.get(name)}, **new}


def _registry(container: Mapping[str, Any]) -> str:
    return str(container.get("Image", "")).partition("/")[0]


def told_fields(now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an update could change of the present container, each thing once."""
    twice = {"Mode", "ModelDataSource"} if "ModelDataUrl" in now else {"Mode"}
    return {name: value for name, value in now.items() if name not in twice}
