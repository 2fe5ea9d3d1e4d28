"""What outsiders meet first: the workflow has no rights to lose, and the documents name what exists."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

import bert_classifier
from support.source_tree import ROOT, project_files, text_of

GITHUB = ROOT / ".github"
CONTRIBUTING = (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (GITHUB / "CHANGELOG.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))


def read(path: Path) -> dict[Any, Any]:
    """Return a YAML document."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_workflows_may_only_read_and_run_what_is_pinned() -> None:
    """They have no permission, each job reads the code at most, and actions are named by the hash of a commit."""
    assert WORKFLOWS
    for workflow in map(read, WORKFLOWS):
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            assert job["permissions"] == {"contents": "read"}
            assert job["timeout-minutes"]
            actions = [step["uses"] for step in job["steps"] if "uses" in step]
            assert actions
            assert [a for a in actions if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", a)] == []


def test_the_workflow_runs_the_check_on_every_python_that_the_makefile_takes() -> None:
    """It is `make check`, for pushes and pull requests, and a newer push cancels an older run."""
    workflow = read(GITHUB / "workflows" / "check.yml")
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert set(triggers) == {"push", "pull_request"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    (job,) = workflow["jobs"].values()
    assert "make check PYTHON=python${{ matrix.python }}" in [step.get("run") for step in job["steps"]]
    taken = re.search(r"version_info\[:2\] not in \((.*?\))\)", MAKEFILE)
    assert taken is not None
    assert job["strategy"]["matrix"]["python"] == [
        f"{major}.{minor}" for major, minor in re.findall(r"(\d+), (\d+)", taken[1])
    ]


def test_hooks_are_the_linters_of_the_environment() -> None:
    """Hooks fetch nothing: each is local and runs a program of .venv or a command of the Makefile."""
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert {hook["id"] for hook in repository["hooks"]} == {"ruff", "ruff-format", "shellcheck", "mypy"}
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith((".venv/bin/", "make "))


def test_the_changelog_leads_to_the_version_of_the_package() -> None:
    """Unreleased comes first, then the package's own version with its date."""
    headings = re.findall(r"(?m)^## (.*)$", CHANGELOG)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(bert_classifier.__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])


def test_contributing_is_read_to_the_end() -> None:
    """It has at most 120 lines, and names the classes that the code has."""
    assert len(CONTRIBUTING.splitlines()) <= 120
    code = "\n".join(text_of(path) for path in project_files() if path.suffix == ".py")
    for name in ("TrainConfig", "UserError", "PlatformError", "RequestError"):
        assert f"`{name}" in CONTRIBUTING
        assert f"class {name}(" in code or f"class {name}:" in code
