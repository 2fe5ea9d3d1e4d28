"""The files and commands of `policies`, whatever signs the settings have."""

import json
import shlex
from pathlib import Path

import pytest

from bert_classifier.errors import UserError
from launcher.aws.s3 import Location
from launcher.commands.policies import ALWAYS, PolicySettings, commands_of, fill, refuse_long, refuse_prefix
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


def filled(*extra: str, **values: str) -> dict[str, str]:
    """Return the policies that are always written, and others."""
    return {name: fill(name, {**VALUES, **values}) for name in (*ALWAYS, *extra)}


def test_a_policy_that_iam_would_refuse_is_refused_with_its_length():
    """Each setting may be as long as it likes by itself; together they are too long for a managed policy."""
    long = {
        "NAME": "customer-support-ticket-classifier-prod2",
        "REPOSITORY": "customer-support/bert-classifier",
        "BUCKET": "acme-machine-learning-prod-eu-central-1",
        "PREFIX": "teams/customer-support/bert-classifier",
        "REGION": "eu-central-1",
    }
    with pytest.raises(UserError) as caught:
        refuse_long(filled(**long))
    length = len("".join(fill("developer", {**VALUES, **long}).split()))
    assert length > 6144
    assert str(caught.value) == (
        f"developer.json has {length:,} characters without blanks, and IAM takes at most 6,144. "
        "Shorten NAME, S3_PREFIX or REPOSITORY."
    )
    refuse_long(filled(**{**long, "NAME": "customer-support"}))


def test_the_last_length_that_iam_takes_is_taken():
    """REPOSITORY is once in the developer's policy, so each of its letters counts once."""
    room = 6144 - len("".join(filled(REPOSITORY="")["developer"].split()))
    refuse_long(filled(REPOSITORY="r" * room))
    with pytest.raises(UserError, match=r"has 6,145 characters"):
        refuse_long(filled(REPOSITORY="r" * (room + 1)))


def test_the_policies_of_a_role_count_together():
    """IAM's limit is that of all policies that are put into a role."""
    policies = filled("vpc")
    policies["training-role"] += "x" * (10_240 - len("".join(policies["training-role"].split())))
    with pytest.raises(
        UserError, match=r"training-role\.json and vpc\.json have 10,\d{3} .* at most 10,240\."
    ):
        refuse_long(policies)
    refuse_long({name: policy for name, policy in policies.items() if name != "vpc"})
