"""docker/compile_imported.py: which modules of the image have bytecode."""

import os
import subprocess
import sys
from pathlib import Path

from support.source_tree import ROOT


def compiled(tmp_path: Path) -> dict[str, bytes]:
    """Compile what a small program imports of four packages; return the bytecode by module."""
    packages, program = tmp_path / "packages", tmp_path / "program"
    packages.mkdir()
    program.mkdir()
    (packages / "early.py").write_text("import behind\n")
    (packages / "behind.py").write_text("")
    (packages / "late.py").write_text("")
    (packages / "never.py").write_text("")
    (program / "main.py").write_text("import early\nimport absent\n\ndef f():\n    from late import x\n")
    command = [
        sys.executable,
        "-B",
        str(ROOT / "docker" / "compile_imported.py"),
        str(program),
        str(packages),
    ]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(packages)}, check=True, timeout=60)
    return {path.name.partition(".")[0]: path.read_bytes() for path in packages.rglob("*.pyc")}


def test_what_is_imported_is_compiled_and_nothing_else(tmp_path):
    """Within functions, too, and what is imported by what is imported; what is absent is passed over."""
    assert compiled(tmp_path).keys() == {"early", "behind", "late"}


def test_bytecode_names_no_time(tmp_path):
    """Equal files give equal bytecode on every machine, so that a layer is uploaded once."""
    flags = {content[4:8] for content in compiled(tmp_path).values()}
    assert flags == {b"\x01\0\0\0"}  # by hash, and not checked when it is imported: PEP 552
