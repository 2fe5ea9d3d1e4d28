"""Which commit of the model hub an encoder is taken from."""

import functools
import re
from pathlib import Path

from transformers.utils.hub import resolve_revision

_COMMIT = re.compile(r"[0-9a-f]{40}")


def pinned(source: str, revision: str) -> str | None:
    """Return the commit that a job's `revision` stands for, so that all files come from that one.

    Args:
        source: a folder, or a name on the model hub.
        revision: branch, tag or commit; "" for what the hub gives by default.
    Returns:
        the commit, or the revision itself where the hub does not tell; None without a revision.
    """
    return _resolved(source, revision) if revision else None


def commit_of(source: str, revision: str) -> str | None:
    """Return the commit that an encoder was taken from; None for a folder, or where the hub does not tell."""
    found = None if Path(source).is_dir() else _resolved(source, revision)
    return found if found and _COMMIT.fullmatch(found) else None


@functools.cache  # a branch may move while a job runs
def _resolved(source: str, revision: str) -> str | None:
    found = resolve_revision(source, revision or None)
    commit: str | None = getattr(found, "resolved", found)
    return commit
