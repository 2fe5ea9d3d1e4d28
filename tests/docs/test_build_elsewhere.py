"""docker/ci: building and pushing on machines of GitHub and AWS; files to copy, whose commands must exist here."""

import re
import shlex
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from check_settings import TAKES
from support.source_tree import ROOT

FILES = ROOT / "docker" / "ci"
# Of a shell, and of the machines that the files name.
ELSEWHERE = {"umask", "export", "test", "sudo"}
# Settings that the launcher reads; make passes them on.
OF_PUSH = {"FLAVOUR", "PYTHON"}


def read(name: str) -> dict[str, Any]:
    """Return a file's content."""
    return dict(yaml.safe_load((FILES / name).read_text(encoding="utf-8")))


def commands_of(name: str) -> Iterator[str]:
    """Yield each command of a file, a line each."""
    content = read(name)
    if name == "buildspec.yml":
        for phase in content["phases"].values():
            yield from phase.get("commands", ())
        return
    for step in content["jobs"]["image"]["steps"]:
        yield from step.get("run", "").splitlines()


@pytest.mark.parametrize("name", ["github-workflow.yml", "buildspec.yml"])
def test_every_command_exists(name):
    """Programs are installed, make's targets are in the Makefile and take the settings that are given."""
    commands = [shlex.split(line) for line in commands_of(name)]
    assert {words[1] for words in commands if words[0] == "make"} == {"build", "push"}
    targets = re.findall(r"^([\w-]+): ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for program, *words in commands:
        if program == "make":
            assert words[0] in targets
            given = {word.partition("=")[0] for word in words[1:]}
            assert given <= {*TAKES.get(words[0], ()), *(OF_PUSH if words[0] == "push" else ())}
        else:
            assert program in ELSEWHERE or shutil.which(program), program


def test_the_workflow_keeps_no_key_and_pins_what_it_runs():
    """A role through OIDC, no permission by default, actions by their commit: those that the repository's CI has."""
    text = (FILES / "github-workflow.yml").read_text(encoding="utf-8")
    content = read("github-workflow.yml")
    assert "secrets." not in text
    assert content["permissions"] == {}
    assert content["jobs"]["image"]["permissions"] == {"contents": "read", "id-token": "write"}
    own = (ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")
    actions = [step["uses"] for step in content["jobs"]["image"]["steps"] if "uses" in step]
    assert len(actions) == 2
    assert all(re.search(r"@[0-9a-f]{40}$", action) and action in own for action in actions)


def test_both_build_what_the_launcher_pushes():
    """Each flavour, on Linux x86-64, with a version of Python that the project takes."""
    workflow = read("github-workflow.yml")["jobs"]["image"]
    assert workflow["strategy"]["matrix"]["flavour"] == ["cpu", "gpu"]
    assert workflow["runs-on"].startswith("ubuntu-")
    buildspec = read("buildspec.yml")
    assert buildspec["env"]["variables"]["FLAVOUR"] == "cpu"
    assert str(buildspec["phases"]["install"]["runtime-versions"]["python"]) in {"3.11", "3.12"}
    assert (ROOT / "docker" / "iam" / "developer.json").is_file()
