"""Compile the modules that the programs import; the image cannot write bytecode, and the rest would be dead weight.

Usage: compile_imported.py PROGRAM SITE_PACKAGES. Every import statement of PROGRAM's files is executed, those within
functions too; what is loaded then is compiled. Files of bytecode name no time, so that equal builds are equal layers.
"""

import ast
import importlib
import py_compile
import sys
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path


def imports_of(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield module and names of each absolute import of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, [alias.name for alias in node.names]


def load(module: str, names: list[str]) -> None:
    """Import a module and what is taken from it; print what fails, since some are for other machines only."""
    try:
        loaded = importlib.import_module(module)
        for name in names:
            getattr(loaded, name, None)
    except Exception as error:  # noqa: BLE001 - a module may raise anything
        sys.stderr.write(f"not compiled: {module} ({type(error).__name__}: {error})\n")


# What transformers loads by a name in a model's config; each family of encoders needs most of it.
BY_NAME = ("transformers.models.bert.modeling_bert", "transformers.models.bert.tokenization_bert")
REQUIRED = ("torch", "transformers.models.bert.modeling_bert")


def main(program: Path, packages: Path) -> None:
    """Load all, then compile what lies in the packages' folder."""
    for path in sorted(program.rglob("*.py")):
        for module, names in imports_of(path):
            load(module, names)
    for module in BY_NAME:
        load(module, [])
    files = loaded_files(packages)
    for file in files:
        py_compile.compile(
            str(file), quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
    check_required(files)


def loaded_files(packages: Path) -> list[Path]:
    """Return the sources in the packages' folder that are loaded."""
    loaded = {
        Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    }
    return sorted(file for file in loaded if file.suffix == ".py" and file.is_relative_to(packages))


def check_required(files: list[Path]) -> None:
    """Exit unless what every start loads has bytecode: without it, each start of the image takes seconds longer."""
    for name in REQUIRED:
        source = getattr(sys.modules.get(name), "__file__", None)
        if source is None or Path(source) not in files or not Path(cache_from_source(source)).exists():
            sys.exit(f"{name} has no bytecode: it was not imported, or does not lie in the packages' folder.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
