"""The direction of imports, read from the syntax trees: each room knows only what lies below it."""

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from support.patience import PATIENCE_S
from support.source_tree import CONTAINER, PACKAGE, ROOT, module_name, package_files, tree_of

# A room may import rooms of its own level or below; cycles are excluded by a test of their own. Modules in no room
# are what users edit or import, and what everything uses.
LEVELS = {
    "": 0,
    "errors": 0,
    "log": 1,
    "job": 2,
    "data": 3,
    "encoding": 3,
    "label_mapper": 3,
    "records": 4,
    "modeling": 5,
    "engine": 5,
    "artifact": 6,
    "dbpedia": 6,
    "builder": 7,
    "evaluation": 8,
    "training": 9,
    "serving": 9,
    "drift": 10,
}
MODULES = {module_name(path): path for path in package_files()}
# What checks a job before anything that must be installed is imported.
BASE = sorted(
    name
    for name in MODULES
    if name.split(".")[0] == "job"
    or name
    in {
        "errors",
        "log",
        "label_mapper",
        "records",
        "data.records",
        "data.as_trained",
        "data.columns",
        "data.csv_looks",
        "data.class_list",
        "data.csv_table",
        "data.dialect",
        "data.fasttext",
        "data.field_table",
        "data.first_row",
        "data.forecast",
        "data.forms",
        "data.header",
        "data.job_files",
        "data.label_columns",
        "data.label_lists",
        "data.label_reader",
        "data.labels",
        "data.pair_columns",
        "data.plausible_roles",
        "data.reader_settings",
        "data.record_sources",
        "data.roles",
        "data.rows",
        "data.second_texts",
        "data.shapes",
        "data.suggested_roles",
        "data.table",
        "data.table_base",
        "data.text_columns",
        "data.text_fields",
        "data.text_pair",
        "data.understood",
        "data.wrong_rows",
        "data.parquet",
        "data.duckdb_reader",
        "artifact.manifest",
        "serving.http.accept_parameters",
        "serving.http.parameters",
        "serving.model.facts",
    }
)
# What a base module may import inside a function, for the file that needs it.
IMPORTED_WHEN_NEEDED = {"data.duckdb_reader": {"duckdb"}}
LAUNCHER = sorted((ROOT / "docker").rglob("*.py"))


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the full names of all modules a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            base = node.module or ""
            found |= {f"{base}.{a.name}" if _is_module(f"{base}.{a.name}") else base for a in node.names}
    return frozenset(found)


def _is_module(name: str) -> bool:
    return name.startswith("bert_classifier.") and name.removeprefix("bert_classifier.") in MODULES


def own_imports_of(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, by their names inside it."""
    own = {name for name in imports_of(path) if name.split(".")[0] == "bert_classifier"}
    return {name.removeprefix("bert_classifier").removeprefix(".") for name in own}


def rooms_of(path: Path) -> set[str]:
    """Return the rooms that a file imports from, and the modules in no room."""
    return {name.split(".")[0] for name in own_imports_of(path)}


def level_of(module: str) -> int:
    """Return the level of a module's room."""
    room = module.split(".")[0]
    assert room in LEVELS, f"{module} has no place yet: give its room a level in {Path(__file__).name}"
    return LEVELS[room]


def offences(found: Iterable[tuple[object, object]]) -> dict[str, object]:
    """Return what was found, without the places where nothing was."""
    return {str(place): what for place, what in found if what}


def test_imports_point_downwards() -> None:
    """A module imports nothing from above its room, and only modules that exist."""
    imported = {module: own_imports_of(path) for module, path in MODULES.items()}
    assert offences((m, names - set(MODULES)) for m, names in imported.items()) == {}
    above = ((m, [n for n in names if level_of(n) > level_of(m)]) for m, names in imported.items())
    assert offences(above) == {}


def test_there_are_no_cycles() -> None:
    """No module reaches itself through its imports, those inside functions and for types included."""
    graph = {name: own_imports_of(path) - {name} for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()


def test_training_and_serving_share_only_the_artifact() -> None:
    """Neither imports the other, and serving knows neither datasets nor label mappers."""
    not_served = {"training", "evaluation", "builder", "dbpedia", "label_mapper"}
    for module, path in MODULES.items():
        room = module.split(".")[0]
        assert room != "training" or "serving" not in rooms_of(path), module
        assert room != "serving" or not rooms_of(path) & not_served, module
        assert room != "serving" or not own_imports_of(path) & {"data.examples", "data.doctor"}, module


def test_only_the_builder_names_the_dataset() -> None:
    """Nothing but builder.py imports dbpedia, so own data takes its place by editing that file alone."""
    importers = {module for module, path in MODULES.items() if "dbpedia" in own_imports_of(path)}
    assert importers == {"builder"}


def test_the_base_uses_the_standard_library_only() -> None:
    """A base module imports no package that must be installed."""
    own = {"bert_classifier", *sys.stdlib_module_names}
    foreign = {m: {name.split(".")[0] for name in imports_of(MODULES[m])} - own for m in BASE}
    assert offences((m, found - IMPORTED_WHEN_NEEDED.get(m, set())) for m, found in foreign.items()) == {}
    assert {m: found for m, found in foreign.items() if found} == IMPORTED_WHEN_NEEDED


def test_the_base_runs_without_any_package() -> None:
    """With nothing installed, these modules can be imported: a job is checked before torch is loaded."""
    names = ", ".join(f"bert_classifier.{module}" for module in [*BASE, "training.launch"])
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {names}"
    command = [sys.executable, "-I", "-S", "-c", code, str(CONTAINER)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("program", "room"), [("train", "training"), ("serve", "serving")])
def test_a_program_knows_only_its_own_side(program: str, room: str) -> None:
    """container/train imports training, container/serve imports serving; besides, only what stands at the bottom."""
    assert rooms_of(CONTAINER / program) - {"job"} == {room}


def test_the_host_side_needs_no_torch() -> None:
    """The launcher imports nothing of the package that needs more than the standard library."""
    assert len(LAUNCHER) > 30
    assert offences((path, own_imports_of(path) - set(BASE)) for path in LAUNCHER) == {}


def test_the_launchers_rooms_point_downwards() -> None:
    """Commands know checks, checks know inputs and AWS, all know settings; none knows a room above its own."""
    rooms = ["settings", "aws", "inputs", "checks", "commands"]
    for path in LAUNCHER:
        if path.parent.name in rooms:
            imported = {name.split(".")[1] for name in imports_of(path) if name.startswith("launcher.")}
            above = rooms[rooms.index(path.parent.name) + 1 :]
            assert imported.isdisjoint(above), f"{path}: {sorted(imported & set(above))}"


def test_the_sdk_has_its_place() -> None:
    """Only what sends a training job through it imports SageMaker's SDK; the rest speaks to AWS itself."""
    importers = {
        path.stem for path in LAUNCHER if any(n.split(".")[0] == "sagemaker" for n in imports_of(path))
    }
    assert importers <= {"sdk", "estimator", "model_trainer"}


def test_only_the_environment_knows_opt_ml() -> None:
    """No other module spells /opt/ml out in its code; explanations may."""
    for module in set(MODULES) - {"job.environment"}:
        tree = tree_of(MODULES[module])
        explained = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        found = [n.lineno for n in texts if id(n) not in explained and str(n.value).startswith("/opt/ml")]
        assert found == [], module


def test_only_entry_points_read_the_environment() -> None:
    """os.environ is handed to main functions; nothing else looks at it."""
    for module, path in MODULES.items():
        tree = tree_of(path)
        mains = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "main"]
        allowed = {id(n) for main in mains for n in ast.walk(main)}
        reads = [
            n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in ("environ", "getenv")
        ]
        assert [n.lineno for n in reads if id(n) not in allowed and ast.unparse(n.value) == "os"] == [], (
            module
        )


def test_every_module_is_looked_at() -> None:
    """The tests above see the whole package."""
    assert len(MODULES) == len(list(PACKAGE.rglob("*.py")))
    assert {"errors", "job.config", "training.launch"} <= set(MODULES)
