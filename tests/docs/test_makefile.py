"""The Makefile: every command is documented, and the help is made from what is there."""

import re
import subprocess

import pytest

from source_tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"(?m)^([A-Za-z][\w-]*):(?!=)", MAKEFILE)
HELP = dict(re.findall(r"(?m)^([a-z][\w-]*):(?!=).*?## (.+)$", MAKEFILE))
PHONY = re.findall(r"(?m)^\.PHONY: (.+)$", MAKEFILE)
PROMISED = {
    "setup", "doctor-data", "train-local", "serve-local", "predict-local", "test", "test-integration", "lint", "format",
    "typecheck", "check", "bench", "lock", "clean",
}  # fmt: skip


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make at the top of the repository."""
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_promised_commands_are_there() -> None:
    """The commands of the documentation exist."""
    assert set(TARGETS) >= PROMISED


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_documented_and_phony(target: str) -> None:
    """Each command has its line of help, and a file of its name never hides it."""
    assert HELP.get(target, "").strip()
    assert target in PHONY


def test_no_target_is_declared_in_vain() -> None:
    """Everything declared phony is a rule."""
    assert set(PHONY) <= set(TARGETS)


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_make_alone_lists_the_commands(arguments: tuple[str, ...]) -> None:
    """`make` prints every command with its help, each on a line of at most 110 characters."""
    result = make(*arguments)
    assert result.returncode == 0, result.stderr
    for target, text in HELP.items():
        assert re.search(rf"(?m)^  {target} +{re.escape(text)}$", result.stdout)
    assert max(map(len, result.stdout.splitlines())) <= 110


def test_check_is_what_ci_runs() -> None:
    """CI runs `make check` and nothing after it, and check ends with the tests: their summary comes last."""
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and line[0] != "#"]
    assert commands[-1].startswith("exec make check")
    rule = re.search(r"(?m)^check:(.*?)##", MAKEFILE)
    assert rule is not None
    assert rule[1].split() == ["lint", "typecheck", "test"]


def test_an_unusable_python_is_told() -> None:
    """A Python that is not there, or not one that torch comes for, is named with what to install."""
    result = make(".venv-of-no-python/.made", "VENV=.venv-of-no-python", "PYTHON=python3.1")
    assert result.returncode != 0
    assert "python3.1 is not Python 3.11 or 3.12 with venv" in result.stderr
    assert not (ROOT / ".venv-of-no-python").exists()


def test_own_data_does_not_replace_the_sample() -> None:
    """TRAIN without a TEST_DIR of its own reaches the refusal of lay_out.py with its path in one piece."""
    result = make("--dry-run", "lay-out", "TRAIN=my texts.csv", "HP=seed=1 num_train_epochs=2")
    assert '"local_test/test_dir" --train "my texts.csv"' in result.stdout
    assert "--hyperparameters 'seed=1 num_train_epochs=2'" in result.stdout
