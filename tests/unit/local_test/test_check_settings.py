"""What make refuses on its command line, and what it says of the environment."""

import pytest

from check_settings import TAKES, Request, hint, matches, refusal, unused

OF_OTHERS = ("OMP_%", "%_proxy", "TMPDIR")


def asked(command: str, environ: dict[str, str] | None = None, **line: str) -> Request:
    """Return a request for commands, with settings on the command line."""
    return Request(command.split(), line, environ or {}, OF_OTHERS)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (asked("train-local", TRIAN="x"), "make train-local takes no TRIAN (did you mean TRAIN?); see make help"),
        (asked("doctor-data", VALIDATON="x"), "takes no VALIDATON (did you mean VALIDATION?)"),
        (asked("doctor-data", KILLS="3"), "takes no KILLS (it is for spot-drill)"),
        (asked("doctor-data", ENGINE="docker"), "takes no ENGINE (it is for compare, drift, evaluate, "),
        (asked("serve-local", TRAIN="x"), "takes no TRAIN (it is for doctor-data, gpu-record, lay-out"),
        (asked("clean", TEST_DIR="my_run"), "make clean takes no TEST_DIR"),
        (asked("help", TRIAN="x"), "make help takes no TRIAN (did you mean TRAIN?)"),
        (asked("train-local", EPOCHS="3"), 'takes no EPOCHS (did you mean HP="num_train_epochs=3"?); see'),
        (asked("lay-out", global_batch_size="8"), '(did you mean HP="global_batch_size=8"?)'),
        (asked("lay-out", TRAIN="", global_batch_size="8"), '(did you mean HP="global_batch_size=8"?)'),
        (asked("train-local", XYZZY="3"), "make train-local takes no XYZZY; see make help"),
        (asked("lint typecheck", SEED="1", KILLS="2"), "takes no SEED (it is for spot-drill), no KILLS (it is for"),
        (asked("train-local", TEST_DIR="", TRAIN="x"), "TEST_DIR= is empty: give it a value, or leave it out"),
        (asked("lay-out", TEST_DIR=" "), "TEST_DIR= is empty"),
        (asked("compare", MODEL="a", DATA="x", OTHER=""), "OTHER= is empty"),
        (asked("conformance", JOB=""), "JOB= is empty"),
        (asked("build", {"BASE": ""}), "BASE= is empty"),
    ],
)  # fmt: skip
def test_a_setting_that_would_do_nothing_is_refused(request_: Request, reason: str) -> None:
    """A typo is named with the nearest setting, a setting of another command with that command."""
    assert reason in refusal(request_)


@pytest.mark.parametrize(
    "request_",
    [
        asked("train-local", TEST_DIR="my_run", HP="", OMP_NUM_THREADS="1", http_proxy=""),
        asked("serve-local", SERVING_PRECISION="", SAGEMAKER_ANYTHING="1"),
        asked("train-local", {"TRIAN": "x", "TRAIN": "", "BASE": ""}),
        asked("lint", {"TEST_DIR": ""}),
        asked("status", ANYTHING="", SEED="1"),
        asked("train-spot train-local", KILLS="1"),
        asked(".venv/.made", ANYTHING="1"),
    ],
)
def test_what_is_taken_or_somebody_elses_is_no_mistake(request_: Request) -> None:
    """Settings of the command and of other programs, any environment, and what the launcher checks by itself."""
    assert refusal(request_) == ""


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (asked("lay-out", {"TRAIN": "a", "KILLS": "3"}), ["TRAIN"]),
        (asked("lay-out", {"TRAIN": "a", "HP": "seed=1"}, TRAIN="b"), ["HP"]),
        (asked("lay-out", {"TRAIN": ""}), []),
        (asked("lint", {"TRAIN": "a"}), []),
        (asked("train-spot", {"TRAIN": "a", "KILLS": "3", "JOB": "b"}), ["JOB", "TRAIN"]),
    ],
)
def test_a_setting_that_stays_in_the_environment_is_named(request_: Request, names: list[str]) -> None:
    """Where a command would take it from the command line, which does not set it."""
    assert unused(request_) == names


def test_a_pattern_matches_at_both_ends() -> None:
    """As in make, % stands for any letters."""
    assert matches("OMP_NUM_THREADS", OF_OTHERS)
    assert matches("http_proxy", OF_OTHERS)
    assert not matches("HTTP_PROXY_", OF_OTHERS)


def test_a_setting_that_make_takes_by_a_pattern_is_named_itself() -> None:
    """`make serve-local SERVIN_PRECISION=int8`: nobody could set SERVING_%."""
    assert hint("SERVIN_PRECISION", "int8", TAKES["serve-local"]) == "did you mean SERVING_PRECISION?"
    assert hint("TEST_DIRR", "x", TAKES["serve-local"]) == "did you mean TEST_DIR?"
