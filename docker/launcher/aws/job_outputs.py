"""What a training job leaves in S3 beside its model: evaluation, report, and the facts of training."""

import json
import tarfile
import zlib
from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from bert_classifier.errors import PlatformError, UserError
from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.aws.s3 import Location
from launcher.command import say

EVALUATION, REPORT, TRAINING = "evaluation.json", "report.html", "training.json"
_LARGEST = 64 * 1024 * 1024  # of one file, in bytes


def read_outputs(account: Account, artifact: str) -> dict[str, bytes]:
    """Return evaluation, report and facts of a training job by file name, as far as it left them.

    Args:
        artifact: URI of its model.tar.gz; SageMaker puts output.tar.gz beside it.
    Raises:
        UserError: when there is no evaluation.
        PlatformError: when an archive is damaged, or the download breaks off.
    """
    outputs = artifact.removesuffix("model.tar.gz") + "output.tar.gz"
    found = _members(account, outputs, (EVALUATION, REPORT, TRAINING))
    if EVALUATION not in found:
        raise UserError(
            f"{outputs} holds no {EVALUATION}, so nothing says how good the model is.",
            "Register a model whose training came to its end.",
        )
    if TRAINING not in found:
        say(f"reading {TRAINING} in {artifact}")
        found |= _members(account, artifact, (TRAINING,))
    return found


def facts_of(found: dict[str, bytes]) -> dict[str, Any]:
    """Return the content of training.json; empty where it is missing or not JSON."""
    try:
        facts = json.loads(found.get(TRAINING, b"{}"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _members(account: Account, uri: str, names: Collection[str]) -> dict[str, bytes]:
    """Return files of an archive by name; the download ends with the last of them."""
    location, found = Location.of(uri), dict[str, bytes]()
    try:
        body = account.client("s3").get_object(Bucket=location.bucket, Key=location.key)["Body"]
        with tarfile.open(fileobj=body, mode="r|gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                content = archive.extractfile(member) if name in names and member.size <= _LARGEST else None
                if content:
                    found[name] = content.read()
                if found.keys() == set(names):
                    break
    except ClientError as error:
        if code_of(error) in ("NoSuchKey", "404"):
            raise UserError(
                f"There is nothing at {uri}.", "Register a model whose training job wrote its outputs there."
            ) from error
        raise
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise PlatformError(
            f"{uri} cannot be read: {error}.", "Try again; if it stays so, train again."
        ) from error
    return found
