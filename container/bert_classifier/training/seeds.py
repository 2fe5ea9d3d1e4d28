"""Several seeds: the same data and settings trained with each of them; the best on validation is exported."""

import dataclasses
import logging
from typing import Any

from bert_classifier.evaluation.several_runs import SeedScore, SeedScores
from bert_classifier.job.task import Task
from bert_classifier.training.batching import derive_seed
from bert_classifier.training.exported_weights import resolve_keep_weights
from bert_classifier.training.floor import note_floor
from bert_classifier.training.job import Job
from bert_classifier.training.opening import Opener, Training
from bert_classifier.training.sanity_checks import is_collapsed
from bert_classifier.training.series import FurtherTrainings, unfinished
from bert_classifier.training.state.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

_SPOKEN = {"micro_f1": "micro-F1", "mean_average_precision": "mean average precision"}


def seed_trainings(opener: Opener) -> list[Training]:
    """Return the trainings: the first with the job's seed, as without `seeds`; the others with seeds derived from it.

    They do not depend on the number of seeds: a job with more of them reuses the results of one with fewer. The weights
    to keep are in their keys, since a result is that of the kept weights.
    """
    config, prepared, number = opener.config, opener.prepared, opener.config.seeds
    kept = resolve_keep_weights(config, len(prepared.splits["validation"].targets))
    seeds = [config.seed, *(derive_seed(config.seed, "seeds", n) % 2**32 for n in range(1, number))]
    return [
        Training(
            dataclasses.replace(config, seed=seed),
            prepared,
            f"seed {n} of {number}",
            {"seed": seed, "keep_weights": kept},
        )
        for n, seed in enumerate(seeds, 1)
    ]


class SeedSeries(FurtherTrainings):
    """The trainings of a job with several seeds."""

    def __init__(self, opener: Opener) -> None:
        super().__init__(opener)
        self._trainings = seed_trainings(opener)
        self._results: dict[int, dict[str, Any]] = {}  # by number of the training
        self._best: Job | None = None
        self._best_number: int | None = None
        self._floor: dict[str, Any] | None = None

    def train(self) -> Job:
        """Train with each seed; see Series."""
        first = self._build_first(self._trainings[0])
        self._load_results()
        leader = min(self._results, key=self._rank, default=0)
        # The leader first, so that its model is there to export if the job is stopped.
        for number in sorted(range(len(self._trainings)), key=lambda number: number != leader):
            training, result = self._trainings[number], self._results.get(number)
            self._announce(training.name)
            if result is not None and number != leader:
                logger.info("%s finished at step %d; its result is kept", training.name, result["step"])
                self._files.replaces(training.key, result["run"])
                continue
            job = self._open(first if number == 0 else self._opener.build(training))
            job.trainer.history.floor = job.trainer.history.floor or self._floor  # no seed changes it
            note_floor(job.trainer, self._opener.prepared.splits)
            self._floor = job.trainer.history.floor
            job.manager.fit()
            del job
            self._note(number)
            self._close()
        self._files.prune()
        assert self._best is not None, "there is at least one seed"
        return dataclasses.replace(self._best, seeds=self._scores())

    def so_far(self) -> Job | None:
        """Return the best seed that is finished, or else the first one as far as it has come."""
        if self._best is not None:
            return unfinished(self._best, seeds=self._scores())
        return unfinished(self.current) if self.current is not None else None

    def _load_results(self) -> None:
        """Learn on all ranks what the first one finds in the folder."""
        found = {}
        for number, training in enumerate(self._trainings):
            checkpoint = self._files.load(training.key)
            if checkpoint is not None:
                found[str(number)] = dict(checkpoint.state)
        shared = self._opener.distributed.all_gather_json(found)[0]
        self._results = {int(number): result for number, result in shared.items()}
        if self._results:
            any_result = self._results[min(self._results)]
            self._first_attempt, self._floor = any_result["attempt"], any_result["floor"]

    def _note(self, number: int) -> None:
        """Record the result of the current training, which is finished, and keep the better one of it and the best."""
        job, training, before = self.current, self._trainings[number], self._best_number
        assert job is not None
        self._results[number] = self._opener.distributed.all_gather_json(_result_of(job))[0]
        self._files.save(training.key, Checkpoint(0, self._results[number], {}))
        _log(training.name, self._results[number], self._metric)
        if before is None or self._rank(number) < self._rank(before):
            self._best, self._best_number, beaten = job, number, before
            job.trainer.release()
        else:
            beaten = number
        if beaten is not None:
            self._files.replaces(self._trainings[beaten].key, self._results[beaten]["run"])
        self._files.prune()

    def _rank(self, number: int) -> tuple[bool, float, float, int]:
        """Return a key by which the best result comes first: not collapsed, higher score, lower loss, earlier."""
        result = self._results[number]
        return result["is_collapsed"], -result["score"], result["loss"], number

    @property
    def _metric(self) -> str:
        prepared = self._opener.prepared
        if prepared.task is Task.MULTI:
            return _SPOKEN[self._opener.config.multi_label_score]
        return "accuracy" if prepared.positive is None else "F1"

    def _scores(self) -> SeedScores:
        scores = [
            SeedScore(
                seed=self._trainings[number].config.seed,
                score=result["score"],
                loss=result["loss"],
                is_collapsed=result["is_collapsed"],
                is_exported=number == self._best_number,
            )
            for number, result in sorted(self._results.items())
        ]
        return SeedScores(self._metric, scores, len(self._trainings))


def _result_of(job: Job) -> dict[str, Any]:
    """Return what remains of a finished training; JSON values."""
    trainer = job.trainer
    evaluation = job.exported.result or trainer.evaluate(trainer.validation)
    return {
        "step": trainer.state.step,
        "score": evaluation.score(trainer.positive),
        "loss": evaluation.loss,
        "is_collapsed": is_collapsed(trainer, evaluation),
        "run": job.manager.fingerprint,
        "attempt": job.manager.attempts[0],
        "floor": trainer.history.floor,
    }


def _log(name: str, result: dict[str, Any], metric: str) -> None:
    failed = "; it has learned nothing" if result["is_collapsed"] else ""
    score, loss = result["score"], result["loss"]
    logger.info("%s: validation %s %.4f, loss %.4f%s", name, metric, score, loss, failed)
