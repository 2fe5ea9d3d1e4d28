"""Which commit of the model hub an encoder is taken from."""

import functools
import logging
import re
import time
from pathlib import Path

from huggingface_hub import constants, resolve_revision
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

from bert_classifier.errors import ContainerError, PlatformError
from bert_classifier.job.wording import first_line
from bert_classifier.modeling.model_folder import cannot_load

logger = logging.getLogger(__name__)

_COMMIT = re.compile(r"[0-9a-f]{40}")
_PAUSES_S = (1.0, 5.0)  # before further attempts: limits of rate and lost connections pass
_known: dict[tuple[str, str], str] = {}  # commits that another process of this job has asked for


def pinned(source: str, revision: str) -> str | None:
    """Return the commit that a job's `revision` stands for, so that all files come from that one.

    Args:
        source: a folder, or a name on the model hub.
        revision: branch, tag or commit; "" for what the hub gives by default.
    Returns:
        the commit; None without a revision.
    Raises:
        UserError: when the hub has no such name or revision.
        PlatformError: when the hub does not answer, and the cache on this machine does not know either.
    """
    return _resolved(source, revision) if revision else None


def note_commit(source: str, revision: str, commit: str | None) -> None:
    """Have this process use the commit that another one was told, without asking the hub again."""
    if commit:
        _known[source, revision] = commit


def commit_of(source: str, revision: str) -> str | None:
    """Return the commit that an encoder was taken from; None for a folder, or where the hub does not tell."""
    try:
        return None if Path(source).is_dir() else _resolved(source, revision)
    except ContainerError:
        return None


def _resolved(source: str, revision: str) -> str:
    if _COMMIT.fullmatch(revision):
        return revision
    return _known.get((source, revision)) or _asked(source, revision)


@functools.cache  # a branch may move while a job runs
def _asked(source: str, revision: str) -> str:
    for pause in (*_PAUSES_S, None):
        try:
            return str(resolve_revision(source, revision=revision or None).resolved)
        except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise cannot_load("model", source, OSError(str(error)), revision) from error
        except Exception as error:  # whatever the network does
            if pause is None or constants.HF_HUB_OFFLINE:
                raise _no_answer(source, revision, error) from error
            logger.warning("the model hub did not say which commit %s is: %s", revision, first_line(error))
        time.sleep(pause)
    raise AssertionError


def _no_answer(source: str, revision: str, error: Exception) -> PlatformError:
    return PlatformError(
        f"The model hub did not say which commit of {source} {revision or 'its main branch'} is:"
        f" {first_line(error).rstrip(' .:')}.",
        "Start again, set revision to a commit, or give the job a `model` channel with the checkpoint: it needs no"
        " network.",
    )
