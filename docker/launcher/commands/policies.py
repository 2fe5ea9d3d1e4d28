"""`policies`: write least-privilege IAM policies for your account, and print the commands that apply them."""

import dataclasses
import json
import re
import shlex
import string
from collections.abc import Mapping
from pathlib import Path

from bert_classifier.errors import UserError
from bert_classifier.job.settings import specs
from launcher.aws.account import Account
from launcher.aws.s3 import Location, prefix_of
from launcher.checks.unused import check_unused
from launcher.command import Command, say
from launcher.findings import refuse_failures
from launcher.settings.account import AccountSettings
from launcher.settings.fields import resource_name, s3_uri, text
from launcher.settings.workload import WorkloadSettings

TEMPLATES = Path(__file__).resolve().parents[2] / "iam"
ALWAYS = ("trust", "training-role", "serving-role", "developer", "approver")
# IAM's quotas in characters; it does not count blanks. Those that are put into a role count together.
_MOST_MANAGED, _MOST_OF_ROLE = 6144, 10_240


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicySettings(WorkloadSettings):
    """The settings of `policies`."""

    output: str = text("", "a folder", "Folder for the policies; required.")
    name: str = resource_name(
        "bert-classifier", 40, "Prefix of the names of jobs, endpoints and the two roles."
    )
    s3_prefix: str = s3_uri("", "S3 folder for data, checkpoints and outputs.")


_USED = {"repository", "subnets", "security_group_ids", "volume_kms_key", "output_kms_key", "s3_prefix"}
_UNUSED = specs(WorkloadSettings).keys() - specs(AccountSettings).keys() - _USED


def run(settings: PolicySettings, account: Account) -> int:
    """Write the policies; print the commands of the AWS CLI that create the roles."""
    if not settings.output:
        raise UserError("OUTPUT is not set.", "Give a folder: make policies OUTPUT=my-policies.")
    if Path(settings.output).expanduser().is_file():
        raise UserError(
            f"OUTPUT={settings.output} is a file.", "Give a folder: make policies OUTPUT=my-policies."
        )
    if Path(settings.output).expanduser().resolve() == TEMPLATES:
        raise UserError(f"{settings.output} holds the templates of the policies.", "Give another OUTPUT.")
    unused = dict.fromkeys(sorted(_UNUSED), "no policy depends on it")
    refuse_failures(list(check_unused(settings, unused)))
    values = values_of(settings, account)
    filled = {name: fill(name, values) for name in names_of(settings)}
    refuse_long(filled)
    folder = Path(settings.output).expanduser()
    if not settings.dry_run:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, policy in filled.items():
                _write(folder / f"{name}.json", policy)
        except OSError as error:
            raise UserError(f"Cannot write to {folder}: {error.strerror}.", "Give another OUTPUT.") from error
        say(f"wrote {', '.join(f'{name}.json' for name in filled)} to {folder}")
    print("\n".join(commands_of(settings, folder)))
    return 0


def _write(path: Path, policy: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != policy:
        say(f"replacing {path}, which had other content")
    path.write_text(policy, encoding="utf-8")


def names_of(settings: PolicySettings) -> list[str]:
    """Return the names of the policies: those for a VPC or a key only if there is one."""
    vpc = ["vpc"] if settings.subnets else []
    return [*ALWAYS, *vpc, *(["kms"] if key_of(settings) else [])]


def key_of(settings: PolicySettings) -> str:
    """Return the KMS key; "" without one."""
    return settings.output_kms_key or settings.volume_kms_key


def values_of(settings: PolicySettings, account: Account) -> dict[str, str]:
    """Return the value of each placeholder.

    Raises:
        UserError: when the key is not given by its ARN, as policies need it, or the folder would be more than one.
    """
    prefix, key = prefix_of(settings, account), key_of(settings)
    if key and not re.fullmatch(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+", key):
        raise UserError(
            f"{key} is not the ARN of a KMS key.", "Give arn:aws:kms:…:key/…; policies accept no alias."
        )
    refuse_prefix(prefix)
    return {
        "ACCOUNT": account.number,
        "PARTITION": account.identity["Arn"].split(":")[1],
        "REGION": account.region,
        "BUCKET": prefix.bucket,
        "BUCKET_OWNER": account.owner_of(prefix.bucket) or account.number,
        "PREFIX": prefix.key.rstrip("/"),
        "REPOSITORY": settings.repository,
        "NAME": settings.name,
        "KMS_KEY": key,
    }


def refuse_prefix(prefix: Location) -> None:
    """Refuse a prefix that a policy would not take for one folder.

    Raises:
        UserError: for a whole bucket, and for what IAM reads as a pattern or as a variable.
    """
    if not prefix.key:
        raise UserError(f"{prefix.uri} is a whole bucket.", "Give S3_PREFIX a folder: s3://bucket/folder.")
    pattern = re.search(r"[*?]|\$\{", prefix.key)
    if pattern:
        raise UserError(
            f"S3_PREFIX={prefix.uri} has {pattern[0]}, which a policy takes for more than this folder.",
            "Give a folder without *, ? and ${.",
        )


def fill(name: str, values: Mapping[str, str]) -> str:
    """Return a policy with its placeholders, which stand inside strings of JSON, filled in.

    Raises:
        KeyError: when a placeholder has no value.
    """
    template = string.Template((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))
    filled = template.substitute({key: json.dumps(value)[1:-1] for key, value in values.items()})
    json.loads(filled)
    return filled


def refuse_long(filled: Mapping[str, str]) -> None:
    """Refuse policies that IAM would not take.

    Raises:
        UserError: with the length and the settings to shorten.
    """
    extra = [name for name in filled if name not in ALWAYS]
    limits: list[tuple[tuple[str, ...], int, str]] = [
        ((who,), _MOST_MANAGED, "NAME, S3_PREFIX or REPOSITORY") for who in ("developer", "approver")
    ]
    limits += [
        ((f"{use}-role", *extra), _MOST_OF_ROLE, "S3_PREFIX or REPOSITORY") for use in ("training", "serving")
    ]
    for names, most, settings in limits:
        length = sum(len("".join(filled[name].split())) for name in names)
        if length > most:
            files, verb = " and ".join(f"{name}.json" for name in names), "has" if len(names) == 1 else "have"
            raise UserError(
                f"{files} {verb} {length:,} characters without blanks, and IAM takes at most {most:,}.",
                f"Shorten {settings}.",
            )


def commands_of(settings: PolicySettings, folder: Path) -> list[str]:
    """Return the commands that create the two roles and the policies for who runs the launcher and who approves."""
    extra = [name for name in names_of(settings) if name not in ALWAYS]
    at = {name: shlex.quote(f"file://{folder}/{name}.json") for name in (*ALWAYS, *extra)}
    commands = []
    for use in ("training", "serving"):
        role = f"{settings.name}-{use}"
        trust = f"--assume-role-policy-document {at['trust']}"
        commands.append(f"aws iam create-role --role-name {role} {trust}")
        commands += [
            f"aws iam put-role-policy --role-name {role} --policy-name {policy} "
            f"--policy-document {at[policy]}"
            for policy in (f"{use}-role", *extra)
        ]
    return commands + [
        f"aws iam create-policy --policy-name {settings.name}-{who} --policy-document {at[who]}"
        for who in ("developer", "approver")
    ]


COMMANDS = (Command("policies", "write the IAM policies for your account", PolicySettings, run),)
