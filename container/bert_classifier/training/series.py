"""The trainings of a job, one after the other: the only one, several seeds, or the model and its folds.

After each one, a small file keeps its result, so that an interrupted job does not repeat it; of its checkpoints only
those of the model to export stay. At most two models are in memory: the one that is trained, and the one to export.
"""

import abc
import dataclasses
import gc
import logging
from collections.abc import Mapping
from typing import Any

from bert_classifier.training.floor import note_floor
from bert_classifier.training.job import Job
from bert_classifier.training.opening import Built, Opener, Training
from bert_classifier.training.state.results import ResultFiles
from bert_classifier.training.state.store import digest_of_fingerprint

logger = logging.getLogger(__name__)


class Series(abc.ABC):
    """The trainings of a job on one rank.

    Attributes:
        current: the one in progress; None before the first and after the last one.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.current: Job | None = None

    @abc.abstractmethod
    def train(self) -> Job:
        """Do all trainings that are not finished yet; return the job with the model to export, loaded into it.

        Raises:
            Stopped: after a stop signal.
        """

    @abc.abstractmethod
    def so_far(self) -> Job | None:
        """Return the job with the model to export after a stop; None before the first training was opened."""

    def save(self) -> None:
        """Save a checkpoint of the training in progress."""
        if self.current is not None:
            self.current.manager.save()


class SingleTraining(Series):
    """A job's only training."""

    def train(self) -> Job:
        """Train; see Series."""
        opener = self._opener
        self.current = opener.open(opener.build(Training(opener.config, opener.prepared)))
        note_floor(self.current.trainer, opener.prepared.splits)
        self.current.manager.fit()
        return self.current

    def so_far(self) -> Job | None:
        """Return the only training."""
        return self.current


class FurtherTrainings(Series):
    """Several trainings: what they share. The first one gives the job its run, whichever is opened first."""

    def __init__(self, opener: Opener) -> None:
        super().__init__(opener)
        self._files: ResultFiles
        self._run: str
        self._first_attempt: Mapping[str, Any] | None = None

    def _build_first(self, training: Training) -> Built:
        first, opener = self._opener.build(training), self._opener
        folder = opener.environment.checkpoint_dir if opener.distributed.is_first else None
        self._files = ResultFiles(folder, first.fingerprint)
        self._run = digest_of_fingerprint(first.fingerprint)
        return first

    def _open(self, built: Built) -> Job:
        """Open a training and make it the current one."""
        self.current = self._opener.open(built, run=self._run, first_attempt=self._first_attempt)
        attempts = self.current.manager.attempts
        self._first_attempt = self._first_attempt or attempts[0]
        return self.current

    def _announce(self, name: str) -> None:
        logger.info("%s begins", name)

    def _close(self) -> None:
        """Forget the current training, and free its memory before the next one needs it."""
        self.current = None
        gc.collect()


def unfinished(job: Job, **fields: Any) -> Job:
    """Return a job whose trainings are not all done."""
    return dataclasses.replace(job, is_whole=False, **fields)
