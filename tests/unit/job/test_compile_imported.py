"""docker/compile_imported.py: which modules of the image have bytecode."""

import os
import subprocess
import sys
from pathlib import Path

from support.patience import PATIENCE_S
from support.source_tree import ROOT

PACKAGES = [f"transformers/{folder}__init__.py" for folder in ("", "models/", "models/bert/")]
REQUIRED = ("torch.py", *PACKAGES, "transformers/models/bert/modeling_bert.py")


def compile_in(tmp_path: Path, *, required: tuple[str, ...] = REQUIRED) -> subprocess.CompletedProcess[str]:
    """Compile what a small program imports of four packages and of those that are required."""
    packages, program = tmp_path / "packages", tmp_path / "program"
    packages.mkdir()
    program.mkdir()
    (packages / "early.py").write_text("import behind\n")
    (packages / "behind.py").write_text("")
    (packages / "late.py").write_text("")
    (packages / "never.py").write_text("")
    for name in required:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("")
    (program / "main.py").write_text(
        "import torch, early\nimport absent\n\ndef f():\n    from late import x\n"
    )
    command = [
        sys.executable,
        "-B",
        str(ROOT / "docker" / "compile_imported.py"),
        str(program),
        str(packages),
    ]
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    return subprocess.run(
        command, env=environment, check=False, timeout=PATIENCE_S, capture_output=True, text=True
    )


def compiled(tmp_path: Path) -> dict[str, bytes]:
    """Return the bytecode by module, without what is required."""
    done = compile_in(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not compiled: absent (ModuleNotFoundError" in done.stderr
    found = {path.name.partition(".")[0]: path.read_bytes() for path in tmp_path.rglob("*.pyc")}
    assert found.keys() >= {"torch", "modeling_bert"}
    return {name: code for name, code in found.items() if name not in ("torch", "modeling_bert", "__init__")}


def test_an_image_without_the_bytecode_of_bert_is_not_built(tmp_path):
    """A package that cannot be imported any more would make each start slow, and nobody would see it."""
    done = compile_in(tmp_path, required=REQUIRED[:-1])
    assert done.returncode == 1
    assert "transformers.models.bert.modeling_bert has no bytecode" in done.stderr


def test_what_is_imported_is_compiled_and_nothing_else(tmp_path):
    """Within functions, too, and what is imported by what is imported; what is absent is passed over."""
    assert compiled(tmp_path).keys() == {"early", "behind", "late"}


def test_bytecode_names_no_time(tmp_path):
    """Equal files give equal bytecode on every machine, so that a layer is uploaded once."""
    flags = {content[4:8] for content in compiled(tmp_path).values()}
    assert flags == {b"\x01\0\0\0"}  # by hash, and not checked when it is imported: PEP 552
