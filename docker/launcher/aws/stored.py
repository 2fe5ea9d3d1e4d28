"""The folders in S3 of jobs and endpoints with a prefix: how much they hold, and their removal."""

from collections.abc import Iterator

from bert_classifier.errors import PlatformError
from launcher.aws import in_use
from launcher.aws.account import Account
from launcher.aws.inventory import Found, Inventory, lies_below, matches
from launcher.aws.s3 import MOST_KEYS, Location, list_folders, list_keys, list_sizes

# Below S3_PREFIX, a folder per job or endpoint.
_PARENTS = (("jobs",), ("checkpoints",), ("async",), ("capture",), ("transform", "output"))
_AT_ONCE = 1000  # keys that DeleteObjects takes


def add_folders(account: Account, root: Location, prefix: str, there: Inventory) -> None:
    """Add the folders of jobs and endpoints whose names match the prefix; what somebody uses is kept.

    Args:
        there: what else there is under the prefix, with the models and endpoints that go.
    """
    named = [(parent, name) for parent in _PARENTS for name in list_folders(account, root.below(*parent))]
    named = [(parent, name) for parent, name in named if matches(name, prefix)]
    users = list(_users(account, there)) if named else []
    for parent, name in named:
        folder = root.below(*parent, name)
        user = name if name in there.others else next(
            (user for user, uris in users if any(lies_below(uri, folder.uri) for uri in uris)), ""
        )  # fmt: skip
        if user:
            there.kept.append(f"S3 folder {folder.uri} stays: {user} needs it")
        else:
            there.found.append(_found(account, folder))


def _users(account: Account, there: Inventory) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield who stays and has something in S3, and the URIs of that."""
    going = {kind: {one.name for one in there.found if one.kind == kind} for kind in ("endpoint", "model")}
    for name, uris in in_use.packages(account):
        yield f"the model package {name}", uris
    for name, uris in in_use.endpoints(account, going["endpoint"]):
        yield f"the endpoint {name}", uris
    for name, uris in in_use.models(account, going["model"]):
        yield f"the model {name}", uris


def _found(account: Account, folder: Location) -> Found:
    sizes = list_sizes(account, folder)
    least = "at least " if len(sizes) >= MOST_KEYS else ""
    detail = f"{least}{len(sizes)} objects, {sum(sizes.values()) / 1e6:.0f} MB"
    return Found("S3 folder", folder.uri, detail, 0, lambda: _empty(account, folder))


def _empty(account: Account, folder: Location) -> None:
    """Delete every object of a folder.

    Raises:
        PlatformError: when S3 deletes some of them only.
    """
    if account.is_dry_run:
        return
    while keys := list_keys(account, folder):
        for start in range(0, len(keys), _AT_ONCE):
            objects = [{"Key": key} for key in keys[start : start + _AT_ONCE]]
            answer = account.client("s3").delete_objects(
                Bucket=folder.bucket, Delete={"Objects": objects, "Quiet": True}
            )
            for error in answer.get("Errors", ())[:1]:
                raise PlatformError(
                    f"{error['Key']}: {error.get('Message', error.get('Code'))}.", "Try again."
                )
