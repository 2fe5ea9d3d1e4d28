"""Write the tables of settings and forms into the READMEs, as declared: `python tests/docs/tables.py`."""

import dataclasses
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / folder) for folder in ("container", "docker", "tests")]

from bert_classifier.job.config import TrainConfig
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.job.settings import specs
from launcher.settings.account import AccountSettings
from launcher.settings.drift import DriftSettings
from launcher.settings.inference import DeploySettings, ModelSettings, TransformSettings
from launcher.settings.invocation import InvokeSettings
from launcher.settings.registry import RegisterSettings
from launcher.settings.scaling import ScaleSettings
from launcher.settings.training import TrainSettings
from launcher.settings.tuning import TuneSettings
from launcher.settings.watching import CleanUpSettings, WatchSettings
from launcher.settings.workload import WorkloadSettings
from support.tool_files.forms_table import forms_table

DOCUMENTS = ("container/README.md", "docker/README.md")
_TABLE = re.compile(r"(?s)(<!-- (\w+): written by tests/docs/tables\.py -->\n).*?(<!-- end -->)")


def settings_table(cls: type, heading: str, *, beyond: type = object) -> str:
    """Return the table that documents a dataclass of settings.

    Args:
        beyond: leave out what is the same in this one, which has a table of its own.
    """
    known = beyond.__dataclass_fields__ if dataclasses.is_dataclass(beyond) else {}
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    rows = [f"| {heading} | accepts | default | |", "|---|---|---|---|"]
    for name, spec in specs(cls).items():
        if name in known and known[name].default == defaults[name] and name != "instance_type":
            continue
        default = str(defaults[name]).lower() if isinstance(defaults[name], bool) else defaults[name]
        default = "auto" if default is None and spec.has_auto else default
        shown = "" if default in {None, "", ()} else f"`{default}`"
        spelled = name if heading == "hyperparameter" else name.upper()
        rows.append(f"| `{spelled}` | {spec.accepts} | {shown} | {spec.help} |")
    return "\n".join(rows)


def tables() -> dict[str, str]:
    """Return every table by the name in its marker."""
    return {
        "forms": forms_table(),
        "hyperparameters": settings_table(TrainConfig, "hyperparameter"),
        "serving": settings_table(ServeConfig, "variable"),
        "launcher": settings_table(WorkloadSettings, "setting"),
        "train": settings_table(TrainSettings, "setting", beyond=WorkloadSettings),
        "tune": settings_table(TuneSettings, "setting", beyond=TrainSettings),
        "register": settings_table(RegisterSettings, "setting", beyond=ModelSettings),
        "deploy": settings_table(DeploySettings, "setting", beyond=WorkloadSettings),
        "invoke": settings_table(InvokeSettings, "setting", beyond=WorkloadSettings),
        "scale": settings_table(ScaleSettings, "setting", beyond=AccountSettings),
        "watch": settings_table(WatchSettings, "setting", beyond=AccountSettings),
        "cleanup": settings_table(CleanUpSettings, "setting", beyond=AccountSettings),
        "drift": settings_table(DriftSettings, "setting", beyond=WorkloadSettings),
        "transform": settings_table(TransformSettings, "setting", beyond=DeploySettings),
    }


def names_in(text: str) -> list[str]:
    """Return the names of the tables that a document asks for."""
    return [name for _, name, _ in _TABLE.findall(text)]


def with_tables(text: str) -> str:
    """Return a document with its tables as the code has them."""
    current = tables()
    return _TABLE.sub(lambda found: f"{found[1]}{current[found[2]]}\n{found[3]}", text)


def main() -> None:
    """Rewrite the documents whose tables differ, and name them."""
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if with_tables(text) != text:
            path.write_text(with_tables(text), encoding="utf-8")
            print("written:", name)


if __name__ == "__main__":
    main()
