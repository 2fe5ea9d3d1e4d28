"""The Makefile: every command is documented, and the help is made from what is there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache

import pytest

from bert_classifier.job.settings import specs
from check_settings import TAKES
from launcher.settings.drift import DriftSettings
from support.patience import PATIENCE_S
from support.source_tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"(?m)^([A-Za-z][\w-]*):(?!=)", MAKEFILE)
HELP = dict(re.findall(r"(?m)^([a-z][\w-]*):(?!=).*?## (.+)$", MAKEFILE))
PHONY = re.findall(r"(?m)^\.PHONY: (.+(?:(?<=\\)\n.*)*)", MAKEFILE)
PROMISED = {
    "setup", "doctor-data", "train-local", "serve-local", "predict-local", "test", "test-integration", "lint", "format",
    "typecheck", "check", "bench", "lock", "clean",
}  # fmt: skip
VARIABLES = dict(re.findall(r"(?m)^([A-Z_]+) *[:?]?= *(.*(?:(?<=\\)\n.*)*)", MAKEFILE))
RULES = dict(re.findall(r"(?m)^((?:\$\(VENV\)/)?[\w.-]+):(?!=)((?:.*)\n(?:\t.*\n)*)", MAKEFILE))
_OWN = MAKEFILE[MAKEFILE.index("# Settings that may also come from") : MAKEFILE.index("\nCOMMA :=")]
_NAMES = {*re.findall(r"(?m)^([A-Z_]+) [:?]=", _OWN), "BASE", "CUDA_COMPAT", "UPGRADE", "PATIENCE", "VENV"}
SETTINGS = _NAMES - {"OF_OTHERS", "REFUSAL"}


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make at the top of the repository, with more in its environment."""
    command, environ = ["make", *arguments], {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PATIENCE_S)


def test_the_promised_commands_are_there() -> None:
    """The commands of the documentation exist."""
    assert set(TARGETS) >= PROMISED


def test_every_target_is_documented_and_phony() -> None:
    """Each command has its line of help, and a file of its name never hides it."""
    assert HELP.keys() == set(TARGETS)
    phony = " ".join(PHONY).replace("$(AWS_COMMANDS)", VARIABLES["AWS_COMMANDS"]).replace("\\", "").split()
    assert sorted(phony) == sorted({*TARGETS, ".engine", ".gpu-card"})


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
    assert RULES["check"].split()[:2] == ["lint", "typecheck"]
    assert RULES["check"].splitlines()[-1] == "\t@$(RUN) -m pytest -n auto $(ARGS)"


def test_an_unusable_python_is_named() -> None:
    """A Python that is not there, or not one that torch comes for, is named with what to install."""
    result = make(".venv-of-no-python/.made", "VENV=.venv-of-no-python", "PYTHON=python3.1")
    assert result.returncode != 0
    assert "python3.1 is not Python 3.11 or 3.12 with venv" in result.stderr
    assert not (ROOT / ".venv-of-no-python").exists()


def test_own_data_does_not_replace_the_sample() -> None:
    """TRAIN without TEST_DIR reaches prepare_test_dir.py, which refuses it, with its path unsplit."""
    result = make("--dry-run", "lay-out", "TRAIN=my texts.csv", "HP=seed=1 num_train_epochs=2")
    assert "'local_test/test_dir' --train 'my texts.csv'" in result.stdout
    assert "--hyperparameters 'seed=1 num_train_epochs=2'" in result.stdout


@cache
def used(target: str) -> frozenset[str]:
    """Return the settings that the rule of a target refers to, and those of all that it needs or starts."""
    fixed = set(re.findall(r"\$\(MAKE\).* ([A-Z_]+)=", RULES[target]))
    fixed |= set(re.findall(r"\b([A-Z_]+)=\w+ local_test/", RULES[target]))
    found = in_text(RULES[target], frozenset())
    for other in re.findall(r"(?:\$\(VENV\)/)?[\w.-]+", RULES[target].partition("##")[0].split("\n")[0]):
        found |= used(other) if other in RULES else set()
    for other in re.findall(r"\$\(MAKE\) (?:-s )?((?:\$\(VENV\)/)?[\w.-]+)", with_macros(RULES[target])):
        found |= used(other)
    return frozenset(found - fixed)


def with_macros(text: str) -> str:
    """Return the text of a rule, and of the variables in it that are no settings."""
    names = set(re.findall(r"\$\(([A-Z_]+)\)", text)) - SETTINGS - {"MAKE"}
    return text + "".join(with_macros(VARIABLES[name]) for name in sorted(names & VARIABLES.keys()))


def with_functions(text: str) -> str:
    """Return the text of a script, and of the shared functions and variables that it uses."""
    common = (ROOT / "local_test" / "common.sh").read_text(encoding="utf-8")
    functions = dict(re.findall(r"(?ms)^(\w+)\(\) \{(.*?)^\}", common))
    text += "".join(body for name, body in functions.items() if name in text)
    return text + "".join(re.findall(r"(?m)^image=.*", common) if "$image" in text else [])


def in_text(text: str, seen: frozenset[str]) -> set[str]:
    """Return the settings that a rule or a script refers to, and those of the scripts that it calls."""
    text = re.sub(r"(?m)^ *#.*$", "", with_macros(text) if "$(" in text else text)
    found = set(re.findall(r"[$][({]([A-Z_]+)\b|environ\.get\('([A-Z_]+)'", text.replace('"', "'")))
    names = {name for pair in found for name in pair} & SETTINGS
    names |= {"FLAVOUR"} if "TAG" in names else set()
    scripts = set(re.findall(r"\b(engine|train_local|serve_local|evaluate|drift|predict|build)\.sh", text))
    scripts |= {"spot_drill/engines"} if "local_test/spot_drill" in text else set()
    for script in scripts - seen:
        (path,) = [p for folder in ("local_test", "docker") for p in (ROOT / folder).glob(f"{script}.*")]
        names |= in_text(with_functions(path.read_text(encoding="utf-8")), seen | scripts)
    return names


def test_what_a_command_takes_is_what_its_rule_uses() -> None:
    """The declaration follows from the rules: nothing is taken that does nothing; only the launcher's is its own."""
    assert TAKES.keys() == set(TARGETS) - set(VARIABLES["AWS_COMMANDS"].split())
    for target, names in TAKES.items():
        declared = {name for name in names if "%" not in name}  # what only its program reads aside
        expected = set(used(target))
        if target in {"test", "check"}:
            expected |= {"WHEELHOUSE"}  # tests/container builds the image
        if target == "help":
            expected |= {"FLAVOUR"}  # TAG's default
        if target == "drift":
            expected |= {name.upper() for name in specs(DriftSettings)}  # the launcher's part
        # The scripts find .venv by themselves.
        assert declared == (expected if "VENV" in declared else expected - {"VENV"}), target


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train-local", "TRIAN=my.csv"), "make train-local takes no TRIAN (did you mean TRAIN?)"),
        (("TRAIN=my.csv",), "make help takes no TRAIN (it is for doctor-data, gpu-record, lay-out"),
        (("drift", "ENDPOINT=e", "FILE=f.csv"), "FILE would do nothing: ENDPOINT names what to compare."),
        (("lay-out", "TEST_DIR= ", "TRAIN=x.csv"), "TEST_DIR= is empty: give it a value, or leave it out"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(arguments: tuple[str, ...], message: str) -> None:
    """With the reason; nothing is run."""
    result = make(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stdout == ""


ODD = 'it\'s $100, $(TAG) $(shell echo ran >&2) `echo ran >&2` $$HOME \\ "q" #1'


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("lay-out", f"TRAIN={ODD}"), "--train"),
        (("lay-out", f"HP={ODD}"), "--hyperparameters"),
        (("evaluate", f"DATA={ODD}", "MODEL=m", "ENGINE=process"), "m"),
        (("spot-drill", f"TEST_DIR={ODD}", "ENGINE=process"), "local_test/spot_drill"),
        (("push", f"IMAGE={ODD}"), "--image"),
        (("conformance", f"JOB={ODD}"), "--job"),
    ],
)
def test_a_value_reaches_the_program_letter_by_letter(command: tuple[str, ...], option: str) -> None:
    """Neither make nor the shell reads `$`, quotes or backticks in it."""
    result = make("--dry-run", *command)
    assert result.returncode == 0, result.stderr
    assert "ran\n" not in result.stderr
    words = [shlex.split(line) for line in result.stdout.replace("\\\n", "").splitlines() if ODD[5:9] in line]
    assert any(line[line.index(option) + 1] == ODD for line in words if option in line), result.stdout


def test_a_text_reaches_the_launcher_and_other_programs_letter_by_letter(tmp_path) -> None:
    """As a variable of the environment, from a make below another one as well."""
    result = make("--dry-run", "invoke", f"TEXT={ODD}")
    (line,) = [line for line in result.stdout.splitlines() if "LAUNCHER_TEXT" in line]
    assert f"LAUNCHER_TEXT={ODD}" in shlex.split(line)
    assert "LAUNCHER_TYPED=TEXT" in shlex.split(line)
    (tmp_path / "show.mk").write_text(
        f"include {ROOT}/Makefile\nbelow: ; @printenv SERVING_X\nabove: ; @$(MAKE) -f {tmp_path}/show.mk below\n"
    )
    assert make("-f", f"{tmp_path}/show.mk", "above", f"SERVING_X={ODD}").stdout == ODD + "\n"
    served = make("--dry-run", "serve-local", "ENGINE=process", TEST_DIR=ODD).stdout.splitlines()[-1]
    assert shlex.split(served)[-1] == ODD


@pytest.mark.parametrize("name", ["RUN", "quoted", "COMMAND_LINE", "CHECKER", "TRIAN"])
def test_names_of_the_makefile_itself_are_no_settings(name: str) -> None:
    """Nor do they change how the check runs, also below a make of somebody else's."""
    for variables in ({}, {"MAKELEVEL": "1"}):
        refused = make("--dry-run", "lint", f"{name}=docker", **variables)
        assert refused.returncode == 2
        assert f"make lint takes no {name}" in refused.stderr


def test_a_typo_is_refused_without_any_python(tmp_path) -> None:
    """As on a machine that has Docker and builds the image: FLAVOR=gpu would build the image for CPUs."""
    for program in ("bash", "make", "grep"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    for arguments, status in ((["FLAVOR=gpu"], 2), (["FLAVOUR=gpu"], 0), ([], 0)):
        built = make("--dry-run", "build", "VENV=none", *arguments, PATH=str(tmp_path))
        assert built.returncode == status, built.stderr
        assert ("make takes no FLAVOR; see make help" in built.stderr) == bool(status)
        assert "not found" not in built.stderr


def test_what_is_taken_or_in_the_environment_is_no_mistake() -> None:
    """Settings of the command, variables of other programs, and anything at all in the environment."""
    taken = ("TEST_DIR=my_run", "TRAIN=a.csv", "HP=seed=1", "OMP_NUM_THREADS=1")
    result = make("--dry-run", "lay-out", *taken, TRIAN="x", KILLS="3")
    assert result.returncode == 0, result.stderr
    assert "'my_run' --train 'a.csv'" in result.stdout
    assert make("--dry-run", "status", "JOB=a").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "names"),
    [
        (("lay-out", "TEST_DIR=x"), {"TRAIN": "a", "KILLS": "3"}, ["TRAIN"]),
        (("lay-out", "TEST_DIR=x", "TRAIN=b"), {"TRAIN": "a", "HP": "seed=1"}, ["HP"]),
        (("lay-out", "TEST_DIR=x"), {"TRAIN": ""}, []),
        (("train-local",), {"VALIDATION": "a", "MAKELEVEL": "1", "CHECKED_BY_MAKE": str(ROOT)}, []),
        (("test",), {"TRAIN": "a", "ARGS": "-x"}, []),
        (("train-spot",), {"TRAIN": "a", "KILLS": "3"}, ["TRAIN"]),
    ],
)
def test_a_setting_that_stays_in_the_environment_is_named(arguments, variables, names) -> None:
    """Once, where a command would take it; not where the command line says it, nor in a make below another."""
    result = make("--dry-run", *arguments, **variables)
    assert result.returncode == 0, result.stderr
    assert (
        re.findall(r"(\w+) from the environment is not used: give it on make's command line", result.stderr)
        == names
    )
    assert "a" not in result.stdout.split()


@pytest.mark.parametrize("name", ["TEST_DIR", "ENGINE"])
def test_nothing_in_the_environment_is_refused_where_it_would_count(name: str) -> None:
    """`export TEST_DIR=$DIR` without a DIR: the folder would be this one; a command that does not take it runs."""
    result = make("--dry-run", "train-local", **{name: ""})
    assert result.returncode == 2
    assert f"{name}= is empty" in result.stderr
    assert make("--dry-run", "lint", **{name: ""}).returncode == 0


@pytest.mark.parametrize("command", ["train-local", "spot-drill"])
def test_an_engine_that_cannot_be_used_is_named_before_anything_is_laid_out(tmp_path, command) -> None:
    """The folder keeps the data that it has."""
    (tmp_path / "my.csv").write_text("label,text\na,x\nb,y\n")
    result = make(command, f"TEST_DIR={tmp_path / 'run'}", f"TRAIN={tmp_path / 'my.csv'}", "ENGINE=proces")
    assert result.returncode == 2
    assert "ENGINE=proces is not one of auto, docker, process." in result.stderr
    assert not (tmp_path / "run").exists()


def test_another_python_than_that_of_the_environment_is_refused(tmp_path) -> None:
    """The environment is made once: PYTHON would change nothing in it, and in silence."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".made").touch()
    refused = make("--dry-run", "lint", f"VENV={tmp_path}", "PYTHON=true")
    assert refused.returncode == 2
    assert f"PYTHON=true is another version than {tmp_path} was made with" in refused.stderr
    unknown = make("--dry-run", "lint", f"VENV={tmp_path}", "PYTHON=no-such-python")
    assert "PYTHON=no-such-python cannot be run" in unknown.stderr
    options = make("--dry-run", "lint", f"VENV={tmp_path}", f"PYTHON={sys.executable} -X dev")
    assert options.returncode == 0, options.stderr
    assert make("--dry-run", "lint", f"VENV={tmp_path}", f"PYTHON={sys.executable}").returncode == 0


def test_no_command_runs_in_a_dry_run(tmp_path) -> None:
    """`make -n` prints what would train and serve, and does neither."""
    result = make("--dry-run", "train-local", f"TEST_DIR={tmp_path}", "ENGINE=process")
    assert "exec local_test/train_local.sh" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_settings_of_an_outer_make_do_not_reach_tests() -> None:
    """`make test ARGS=…` hands ARGS to every make below through MAKEFLAGS: not to those that tests call."""
    if "MAKELEVEL" in os.environ.get("PYTEST_OF_MAKE", ""):
        assert "--nonsense" not in make("--dry-run", "policies").stdout
        assert make("lint", "SEED=1").returncode == 2
        return
    outer = {"PYTEST_OF_MAKE": "MAKELEVEL", "MAKELEVEL": "1", "MAKEFLAGS": " -- ARGS=--nonsense"}
    this = [__file__, "-k", "test_the_settings_of_an_outer_make", "-q", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *this]
    ended = subprocess.run(command, env={**os.environ, **outer}, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout
