"""The direction of imports, read from the syntax trees: each module knows only what lies below it."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

from support.source_tree import CONTAINER, PACKAGE, ROOT, module_name, package_files, tree_of

# A module may import modules of its own level or below; cycles are excluded by a test of their own.
LEVELS = {
    "": 0,
    "errors": 0,
    "log": 1,
    "durable": 1,
    "fields": 1,
    "cpu_quota": 1,
    "environment": 1,
    "records": 1,
    "cuda_kernels": 1,
    "columns": 1,
    "variables": 1,
    "label_mapper": 1,
    "config": 2,
    "csv_looks": 2,
    "gpus": 3,
    "manifest": 2,
    "encoder_folder": 2,
    "job_files": 2,
    "tokenization": 3,
    "token_file": 3,
    "micro_batches": 3,
    "logits": 3,
    "forward": 4,
    "packing": 4,
    "dbpedia": 3,
    "examples": 3,
    "model_folder": 3,
    "data_doctor": 4,
    "model": 4,
    "provenance": 4,
    "builder": 5,
    "evaluation": 6,
    "training": 7,
    "serving": 7,
}
BASE = sorted(name for name, level in LEVELS.items() if level <= 2 and name)
MODULES = {module_name(path): path for path in package_files()}


def imports_of(path: Path) -> set[str]:
    """Return the full names of all modules a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            base = node.module or ""
            found |= {f"{base}.{a.name}" if _is_module(f"{base}.{a.name}") else base for a in node.names}
    return found


def _is_module(name: str) -> bool:
    return name.startswith("bert_classifier.") and name.removeprefix("bert_classifier.") in MODULES


def own_imports_of(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, by their names inside it."""
    own = {name for name in imports_of(path) if name.split(".")[0] == "bert_classifier"}
    return {name.removeprefix("bert_classifier").removeprefix(".") for name in own}


def level_of(module: str) -> int:
    """Return the level of a module, that of its folder for one in a folder."""
    area = module.split(".")[0]
    assert area in LEVELS, f"{module} has no place yet: give it a level in {Path(__file__).name}"
    return LEVELS[area]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_downwards(module: str) -> None:
    """A module imports nothing from above it, and only modules that exist."""
    imported = own_imports_of(MODULES[module])
    assert imported <= set(MODULES)
    assert [name for name in imported if level_of(name) > level_of(module)] == []


def test_there_are_no_cycles() -> None:
    """No module reaches itself through its imports, those inside functions and for types included."""
    graph = {name: own_imports_of(path) - {name} for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_training_and_serving_share_only_the_artifact(module: str) -> None:
    """Neither imports the other, and serving knows neither datasets nor label mappers."""
    areas = {name.split(".")[0] for name in own_imports_of(MODULES[module])}
    if module.startswith("training"):
        assert "serving" not in areas
    if module.startswith("serving"):
        assert not areas & {
            "training",
            "evaluation",
            "builder",
            "data_doctor",
            "dbpedia",
            "examples",
            "label_mapper",
        }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_only_the_builder_names_the_dataset(module: str) -> None:
    """Nothing but builder.py imports dbpedia, so own data takes its place by editing that file alone."""
    if module not in ("builder", "dbpedia"):
        assert "dbpedia" not in own_imports_of(MODULES[module])


@pytest.mark.parametrize("module", BASE)
def test_the_base_uses_the_standard_library_only(module: str) -> None:
    """A base module imports no package that must be installed."""
    foreign = {name.split(".")[0] for name in imports_of(MODULES[module])} - {"bert_classifier"}
    assert foreign <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", [*BASE, "training.launch"])
def test_the_base_runs_without_any_package(module: str) -> None:
    """With nothing installed, the module can be imported: a job is checked before torch is loaded."""
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import bert_classifier.{module}"
    command = [sys.executable, "-I", "-S", "-c", code, str(CONTAINER)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("program", "area"), [("train", "training"), ("serve", "serving")])
def test_a_program_knows_only_its_own_side(program: str, area: str) -> None:
    """container/train imports training, container/serve imports serving, and neither anything else."""
    assert {name.split(".")[0] for name in own_imports_of(CONTAINER / program)} == {area}


@pytest.mark.parametrize("path", sorted((ROOT / "docker").rglob("*.py")), ids=str)
def test_the_host_side_needs_no_torch(path: Path) -> None:
    """The launcher imports nothing of the package that needs more than the standard library, and little of that."""
    allowed = {
        "columns",
        "config",
        "csv_looks",
        "cuda_kernels",
        "encoder_folder",
        "errors",
        "fields",
        "records",
        "variables",
    }
    assert own_imports_of(path) <= allowed <= set(BASE)


@pytest.mark.parametrize("path", sorted((ROOT / "docker").rglob("*.py")), ids=str)
def test_the_sdk_has_its_place(path: Path) -> None:
    """Only what trains and what deploys imports SageMaker's SDK; the rest speaks to AWS itself."""
    names = {name.split(".")[0] for name in imports_of(path)}
    assert "sagemaker" not in names or path.stem in ("sdk", "estimator", "endpoint")


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"environment"}))
def test_only_the_environment_knows_opt_ml(module: str) -> None:
    """No other module spells /opt/ml out in its code; explanations may."""
    tree = tree_of(MODULES[module])
    explained = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert [n.lineno for n in texts if id(n) not in explained and str(n.value).startswith("/opt/ml")] == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_only_entry_points_read_the_environment(module: str) -> None:
    """os.environ is handed to main functions; nothing else looks at it."""
    tree = tree_of(MODULES[module])
    mains = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "main"]
    allowed = {id(n) for main in mains for n in ast.walk(main)}
    reads = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in ("environ", "getenv")]
    assert [n.lineno for n in reads if id(n) not in allowed and ast.unparse(n.value) == "os"] == []


def test_every_module_is_looked_at() -> None:
    """The tests above see the whole package."""
    assert len(MODULES) == len(list(PACKAGE.rglob("*.py")))
    assert {"errors", "config", "training.launch"} <= set(MODULES)
