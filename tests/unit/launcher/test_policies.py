"""The files and commands of `policies`, whatever signs the settings have."""

import json
import shlex
from pathlib import Path

import pytest

from bert_classifier.errors import UserError
from launcher.aws.s3 import Location
from launcher.commands.policies import ALWAYS, PolicySettings, commands_of, fill, refuse_prefix
from support.policy import allows

VALUES = {
    "ACCOUNT": "123456789012", "PARTITION": "aws", "REGION": "us-east-1", "BUCKET": "a-bucket",
    "BUCKET_OWNER": "123456789012", "PREFIX": "mine", "REPOSITORY": "bert-classifier", "NAME": "bert-classifier",
    "KMS_KEY": "",
}  # fmt: skip


@pytest.mark.parametrize("folder", ['a"b', "a\\b", "déjà", "a$b", "a$NAME"])
def test_a_folder_of_any_signs_gives_policies_of_that_folder(folder):
    """Quotes and backslashes end no string of the JSON, and a placeholder in it is none."""
    filled = {name: json.loads(fill(name, {**VALUES, "PREFIX": folder})) for name in ALWAYS}
    assert allows(filled["training-role"], "s3:GetObject", f"arn:aws:s3:::a-bucket/{folder}/data/train/x")
    assert f"arn:aws:s3:::a-bucket/{folder}/*" in [
        one["Resource"] for one in filled["developer"]["Statement"]
    ]


@pytest.mark.parametrize(("folder", "sign"), [("*", "*"), ("a?/b", "?"), ("team/${aws:username}", "${")])
def test_a_folder_that_would_be_more_than_one_is_refused(folder, sign):
    """IAM takes these signs for a pattern or a variable."""
    with pytest.raises(UserError) as caught:
        refuse_prefix(Location.of(f"s3://a-bucket/{folder}").as_folder())
    assert str(caught.value) == (
        f"S3_PREFIX=s3://a-bucket/{folder}/ has {sign}, which a policy takes for more than this folder. "
        "Give a folder without *, ? and ${."
    )


def test_a_folder_may_have_other_signs():
    """A dollar alone begins no variable."""
    refuse_prefix(Location.of("s3://a-bucket/a$b{c}'").as_folder())


@pytest.mark.parametrize("folder", ["my policies", "it's", "$HOME", "my-policies"])
def test_a_shell_reads_the_commands_as_they_are_meant(folder):
    """Each file is one word, whatever the name of its folder."""
    commands = commands_of(PolicySettings(subnets=("subnet-1",)), Path(folder))
    words = [word for command in commands for word in shlex.split(command) if word.startswith("file:")]
    training, serving = ["trust", "training-role", "vpc"], ["trust", "serving-role", "vpc"]
    assert words == [
        f"file://{folder}/{name}.json" for name in (*training, *serving, "developer", "approver")
    ]
    quoted = [command.split("-document ")[1] for command in commands]
    assert [shlex.quote(word) for word in words] == quoted
