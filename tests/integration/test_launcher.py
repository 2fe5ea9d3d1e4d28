"""The launcher as a program: what it says of wrong words, wrong accounts and an AWS that does not answer."""

import re
import subprocess

import pytest

from support.aws import HOST_PYTHON, REPOSITORY, ROLE
from support.free_port import free_port
from support.patience import PATIENCE_S


def test_it_lists_its_commands(aws):
    """Each with a line of help."""
    ended = aws.launch("--help")
    assert ended.code == 0
    assert "report the status of a training job" in ended.out


def test_mistakes_of_settings_end_it_with_one_sentence(aws):
    """All of them, exit code 2, no traceback."""
    ended = aws.launch("status", "no_job", "--region=Frankfurt")
    assert ended.code == 2
    assert ended.err.startswith("UserError: Setting --")
    assert "--job='no_job' is not the name of a training job" in ended.err
    assert "--region='Frankfurt' is not an AWS region" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("environ", "code", "expected"),
    [
        ({"AWS_DEFAULT_REGION": ""}, 2, "No AWS region is set. Give REGION="),
        ({"LAUNCHER_REGION": "eu-wset-1"}, 2, "no region eu-wset-1. Did you mean eu-west-1?"),
        ({"LAUNCHER_PROFILE": "another"}, 2, "has no profile another. It has: none."),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 2, "There are no AWS credentials. Log in"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:{port}"}, 3, "PlatformError: AWS cannot be reached"),
    ],
    ids=["no region", "no such region", "no profile", "no credentials", "no network"],
)
def test_an_account_that_cannot_be_used_is_reported(aws, environ, code, expected):
    """Cause and remedy, and the family's exit code."""
    told_environ = {name: value.format(port=free_port()) for name, value in environ.items()}
    ended = aws.launch("status", "a-job", **told_environ)
    assert ended.code == code
    assert expected in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["doctor", "train-spot"])
def test_without_a_region_whatever_else_is_missing_is_named_at_once(aws, command):
    """Nobody has to run the command once per setting."""
    ended = aws.launch(command, AWS_DEFAULT_REGION="")
    said = ended.out + ended.err
    for expected in (
        "No AWS region is set",
        "There is no training data. → Give TRAIN=",
        "none is given → Give ROLE=",
    ):
        assert expected in " ".join(said.split()), said
    assert ended.code == 2
    ended = aws.launch(command, "--train=s3://a-bucket/in", f"--role={ROLE}", AWS_DEFAULT_REGION="")
    assert not re.search("ROLE=|no training data", ended.out + ended.err)


@pytest.mark.parametrize("port", [0, free_port()], ids=["no credentials", "no network"])
@pytest.mark.parametrize(
    ("command", "wrong"), [(("doctor",), ""), (("train-spot",), ""), (("train-spot", "--dry-run"), "wrong")]
)
def test_without_aws_the_data_are_checked_all_the_same(aws, tmp_path, port, command, wrong):
    """Whoever has no account yet, or no network, sees how the files would be read; the exit code stays AWS's."""
    data = tmp_path / "texts.csv"
    data.write_text("label,text\nAlpha,a text\nBeta,another\n", encoding="utf-8")
    gone = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"} if port else {"AWS_ACCESS_KEY_ID": ""}
    hp = (f"--hp=text_column={wrong}",) if wrong else ()
    ended = aws.launch(*command, f"--train={data}", *hp, "--validation=s3://a-bucket/in/", **gone)
    said = ended.out if command == ("doctor",) else ended.err
    assert "OK    hyperparameters" in said
    assert "OK    time" in said
    expected = "there is no column 'wrong'" if wrong else "texts.csv is CSV with ',' and a header"
    assert expected in said
    assert ended.code == (3 if port and command != ("doctor",) else 2)
    assert ("AWS cannot be reached" if port else "credentials") in said
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("deploy", "IMAGE=mine"),
            "IMAGE is a setting of another command, not of deploy, did you mean IMAGE_URI?",
        ),
        (("train-spot", "TEST_DIR=my_run"), "Unknown setting 'test_dir'"),
        (("status", "MEMORY_SIZE=2048", "JOB=a-job"), "MEMORY_SIZE is a setting of another command"),
        (("train", "TEXT_COLUMN=review"), 'not of train, did you mean HP="text_column=…"?'),
        (("push", "FLAVOUR=gpu", "TAG=of-no-image", "ROLE=mine"), "ROLE is a setting of another command"),
    ],
)
def test_what_make_is_given_for_another_command_is_refused(aws, arguments, expected):
    """Typed for this very command, it would be ignored in silence."""
    if not HOST_PYTHON.exists():
        pytest.skip("the SDK is not installed: `make test` does that")
    ended = subprocess.run(
        ["make", "-s", *arguments],
        env=aws.environ,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 2
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr
    assert aws.operations() == []
