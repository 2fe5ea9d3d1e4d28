"""The README says what the code does: settings, commands, files."""

import dataclasses
import re
from pathlib import Path

import pytest

from bert_classifier.job.config import ALIASES, IGNORED, ServeConfig, TrainConfig
from bert_classifier.job.settings import specs
from launcher.commands.invoke import InvokeSettings
from launcher.settings.model import DeploySettings, TransformSettings
from launcher.settings.training import TrainSettings
from launcher.settings.work import WorkSettings

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def settings_table(cls: type, heading: str, *, capitals: bool, beyond: type = object) -> str:
    """Return the table that documents a dataclass of settings.

    Args:
        beyond: leave out what is as in this one, which has a table of its own.
    """
    known = beyond.__dataclass_fields__ if dataclasses.is_dataclass(beyond) else {}
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    rows = [f"| {heading} | accepts | default | |", "|---|---|---|---|"]
    for name, spec in specs(cls).items():
        if name in known and known[name].default == defaults[name] and name != "instance_type":
            continue
        default = str(defaults[name]).lower() if isinstance(defaults[name], bool) else defaults[name]
        default = "auto" if default is None and spec.has_auto else default
        told = "" if default in {None, "", ()} else f"`{default}`"
        rows.append(f"| `{name.upper() if capitals else name}` | {spec.accepts} | {told} | {spec.help} |")
    return "\n".join(rows)


TABLES = {
    "hyperparameters": settings_table(TrainConfig, "hyperparameter", capitals=False),
    "serving": settings_table(ServeConfig, "variable", capitals=True),
    "launcher": settings_table(WorkSettings, "setting", capitals=True),
    "train": settings_table(TrainSettings, "setting", capitals=True, beyond=WorkSettings),
    "deploy": settings_table(DeploySettings, "setting", capitals=True, beyond=WorkSettings),
    "invoke": settings_table(InvokeSettings, "setting", capitals=True, beyond=WorkSettings),
    "transform": settings_table(TransformSettings, "setting", capitals=True, beyond=DeploySettings),
}


@pytest.mark.parametrize("marker", TABLES)
def test_every_setting_is_documented_as_it_is(marker: str) -> None:
    """The tables are the code's: name, range, default and help of every setting."""
    found = re.search(rf"<!-- {marker}:.*?-->\n(.*?)\n<!-- end -->", README, re.DOTALL)
    assert found is not None
    assert found[1] == TABLES[marker]


def test_every_older_name_is_documented() -> None:
    """Each accepted alias is named in the README."""
    for name in (*ALIASES, *IGNORED):
        if name != "log-level":
            assert re.search(rf"\b{name}\b", README), name


def test_every_command_of_the_readme_exists() -> None:
    """Each `make target` that the README names is a target of the Makefile."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`?make ([a-z]+(?:-[a-z]+)*)", README)) - {"alone"}
    assert len(targets) > 10
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_files_that_the_readme_names_exist() -> None:
    """Each path in back quotes that looks like a file of the repository is one."""
    names = re.findall(r"`((?:container|tests|local_test|docker)/[\w./]+\.\w+)`", README)
    assert names
    for name in names:
        assert (REPOSITORY / name).exists(), name
