"""Compile the modules that the programs import; the image cannot write bytecode, and the rest would be dead weight.

Usage: compile_imported.py PROGRAM SITE_PACKAGES. Every import statement of PROGRAM's files is executed, those within
functions too; what is loaded then is compiled. Files of bytecode name no time, so that equal builds are equal layers.
"""

import ast
import contextlib
import importlib
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path


def imports_of(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield module and names of each absolute import of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, [alias.name for alias in node.names]


def load(module: str, names: list[str]) -> None:
    """Import a module and what is taken from it; some are for other machines only."""
    with contextlib.suppress(Exception):
        loaded = importlib.import_module(module)
        for name in names:
            getattr(loaded, name, None)


# What transformers loads by a name in a model's config; each family of encoders needs most of it.
BY_NAME = ("transformers.models.bert.modeling_bert", "transformers.models.bert.tokenization_bert")


def main(program: Path, packages: Path) -> None:
    """Load all, then compile what lies in the packages' folder."""
    for path in sorted(program.rglob("*.py")):
        for module, names in imports_of(path):
            load(module, names)
    for module in BY_NAME:
        load(module, [])
    loaded = {
        Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    }
    files = sorted(file for file in loaded if file.suffix == ".py" and file.is_relative_to(packages))
    for file in files:
        py_compile.compile(
            str(file), quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
