"""Settings of `register`, `approve` and `reject`."""

import dataclasses
from typing import Any

from launcher.settings.account import AccountSettings
from launcher.settings.fields import resource_name, text
from launcher.settings.inference import ModelSettings
from launcher.settings.package_names import model_package


def note() -> Any:
    """Return a dataclass field for a remark that the registry keeps."""
    return text("", "a sentence", "Remark that the registry keeps with the decision.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegisterSettings(ModelSettings):
    """The settings of `register`."""

    model_package_group: str = resource_name(
        "bert-classifier", 63, "Group that the model becomes the next version of; made if there is none."
    )
    note: str = note()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecisionSettings(AccountSettings):
    """The settings of `approve` and `reject`."""

    model_package: str = model_package("The version to decide on, such as bert-classifier:3; required.")
    note: str = note()
