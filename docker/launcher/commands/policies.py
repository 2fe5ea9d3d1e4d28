"""`policies`: the least that roles and people need, filled in for your account, and the commands that grant it."""

import dataclasses
import json
import re
import string
from collections.abc import Mapping
from pathlib import Path

from bert_classifier.errors import UserError
from bert_classifier.job.settings import specs
from launcher.aws.account import Account
from launcher.checks.preflight import prefix_of
from launcher.command import Command, say
from launcher.findings import refuse_failures
from launcher.settings.declare import AccountSettings, s3_uri, text
from launcher.settings.idle import check_idle
from launcher.settings.work import WorkSettings

TEMPLATES = Path(__file__).resolve().parents[2] / "iam"
ALWAYS = ("trust", "training-role", "serving-role", "developer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicySettings(WorkSettings):
    """What `policies` can be told."""

    output: str = text("", "a folder", "Folder for the policies; needed.")
    name: str = text(
        "bert-classifier", "1 to 40 letters, digits and hyphens",
        "Beginning of the names of jobs, endpoints and the two roles.", r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,39}",
    )  # fmt: skip
    s3_prefix: str = s3_uri("", "Where data, checkpoints and results go.")


_USED = {"repository", "subnets", "security_group_ids", "volume_kms_key", "output_kms_key", "s3_prefix"}
_IDLE = {
    name: "no policy depends on it"
    for name in specs(WorkSettings)
    if name not in {*_USED, *specs(AccountSettings), "s3_prefix"}
}


def run(settings: PolicySettings, account: Account) -> int:
    """Write the policies; print the commands of the AWS command line that make roles of them."""
    if not settings.output:
        raise UserError("No folder for the policies is named.", "Give one: make policies OUTPUT=my-policies.")
    if Path(settings.output).expanduser().resolve() == TEMPLATES:
        raise UserError(f"{settings.output} holds the templates of the policies.", "Name another OUTPUT.")
    refuse_failures(list(check_idle(settings, _IDLE)))
    values = values_of(settings, account)
    filled = {name: fill(name, values) for name in names_of(settings)}
    folder = Path(settings.output).expanduser()
    if not settings.dry_run:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, policy in filled.items():
                _write(folder / f"{name}.json", policy)
        except OSError as error:
            raise UserError(f"Cannot write to {folder}: {error.strerror}.", "Name another OUTPUT.") from error
        say(f"wrote {', '.join(f'{name}.json' for name in filled)} to {folder}")
    print("\n".join(commands_of(settings, folder)))
    return 0


def _write(path: Path, policy: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != policy:
        say(f"{path} is replaced: it held something else")
    path.write_text(policy, encoding="utf-8")


def names_of(settings: PolicySettings) -> list[str]:
    """Return the policies that are needed: those for a VPC and a key only with them."""
    vpc = ["vpc"] if settings.subnets else []
    return [*ALWAYS, *vpc, *(["kms"] if key_of(settings) else [])]


def key_of(settings: PolicySettings) -> str:
    """Return the KMS key that is meant; "" when none is."""
    return settings.output_kms_key or settings.volume_kms_key


def values_of(settings: PolicySettings, account: Account) -> dict[str, str]:
    """Return what stands for each placeholder.

    Raises:
        UserError: when the key is not given by its ARN, the only name that a policy knows.
    """
    prefix, key = prefix_of(settings, account), key_of(settings)
    if key and not re.fullmatch(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+", key):
        raise UserError(
            f"{key} is no ARN of a KMS key.", "Give arn:aws:kms:…:key/…; a policy knows no alias."
        )
    if not prefix.key:
        raise UserError(f"{prefix.uri} is a whole bucket.", "Give S3_PREFIX a folder: s3://bucket/folder.")
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


def fill(name: str, values: Mapping[str, str]) -> str:
    """Return a policy with every placeholder filled in.

    Raises:
        KeyError: when a placeholder has no value.
    """
    template = string.Template((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))
    filled = template.substitute(values)
    json.loads(filled)
    return filled


def commands_of(settings: PolicySettings, folder: Path) -> list[str]:
    """Return the commands that make the two roles; the developer's policy is for whoever runs the launcher."""
    extra = [name for name in names_of(settings) if name not in ALWAYS]
    commands = []
    for use in ("training", "serving"):
        role = f"{settings.name}-{use}"
        trust = f"--assume-role-policy-document file://{folder}/trust.json"
        commands.append(f"aws iam create-role --role-name {role} {trust}")
        commands += [
            f"aws iam put-role-policy --role-name {role} --policy-name {policy} "
            f"--policy-document file://{folder}/{policy}.json"
            for policy in (f"{use}-role", *extra)
        ]
    developer = f"--policy-name {settings.name}-developer --policy-document file://{folder}/developer.json"
    return [*commands, f"aws iam create-policy {developer}"]


COMMANDS = (Command("policies", "write the IAM policies for your account", PolicySettings, run),)
