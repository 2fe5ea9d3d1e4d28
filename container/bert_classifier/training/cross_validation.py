"""Cross-validation: the model is trained on all texts; further models judge each text without having seen it.

The model to export comes first, so that a stop in the folds still leaves it. The temperature is fitted to the folds'
models but used with the exported one, which has seen more texts and is expected to be a little better than they say.
"""

import dataclasses
import logging
from typing import Any

import numpy as np
import torch

from bert_classifier.evaluation.any_headline import AnyFloor
from bert_classifier.evaluation.evaluation_of import AnyEvaluation, evaluation_of
from bert_classifier.evaluation.multi_label.evaluation import MultiLabelEvaluation
from bert_classifier.evaluation.several_runs import CrossValidation
from bert_classifier.job.task import Task
from bert_classifier.training.floor import note_floor
from bert_classifier.training.floor_scores import floor_from, pooled_floor
from bert_classifier.training.folds import (
    assign_folds,
    fold_of,
    judging_train,
    recipe_of_fold,
    without_validation,
)
from bert_classifier.training.job import Job
from bert_classifier.training.opening import Opener, Training
from bert_classifier.training.series import FurtherTrainings, unfinished
from bert_classifier.training.state.checkpoint import Checkpoint

logger = logging.getLogger(__name__)


class CrossValidationSeries(FurtherTrainings):
    """The trainings of a cross-validated job."""

    def __init__(self, opener: Opener) -> None:
        super().__init__(opener)
        self._prepared = judging_train(opener.prepared)
        opener.prepared = self._prepared
        self._targets = np.array(self._prepared.splits["train"].targets)
        self._folds = opener.config.cross_validation
        self._fold = assign_folds(self._targets, self._folds, opener.config.seed)
        # float32 (texts, classes) of the folds that are done, bool (texts,)
        self._logits = np.zeros((len(self._targets), len(self._prepared.labels)), dtype=np.float32)
        self._is_judged = np.zeros(len(self._targets), dtype=bool)
        self._floors: list[dict[str, Any] | None] = []  # of the folds that are done
        self._main: Job | None = None

    def train(self) -> Job:
        """Train on all texts, then without each fold in turn; see Series."""
        opener = self._opener
        first = self._build_first(Training(opener.config, without_validation(self._prepared)))
        logger.info("training on all %d texts; %d folds follow", len(self._targets), self._folds)
        main = self._open(first)
        del first
        if "test" in self._prepared.splits:
            others = {name: of for name, of in self._prepared.splits.items() if name != "validation"}
            note_floor(main.trainer, others)
        main.manager.fit()
        main.trainer.release()
        self._main = main
        for fold in range(self._folds):
            self._judge(fold, main)
            self._files.prune()
            self._close()
        main.trainer.history.floor = self._with_folds(main.trainer.history.floor)
        return self._judged(main)

    def so_far(self) -> Job | None:
        """Return the model trained on all texts, with the estimates of the folds that are done."""
        job = self._main or self.current
        return None if job is None else unfinished(self._judged(job))

    def _judge(self, fold: int, main: Job) -> None:
        """Learn the logits of a fold's texts: from its result, or by training on the others."""
        is_judged = self._fold == fold
        key = {"fold": fold, "folds": self._folds}
        name = f"fold {fold + 1} of {self._folds}"
        self._announce(name)
        result = self._shared_result(key, is_judged)
        if result is None:
            data, trainer = fold_of(self._prepared, is_judged), main.trainer
            texts = len(data.splits["train"].targets)
            config = recipe_of_fold(self._opener.config, trainer.recipe, trainer.total_steps, texts)
            result = self._train_fold(Training(config, data, name, key))
            self._files.save(key, result)
        else:
            logger.info("%s finished at step %d; its result is kept", name, result.state["step"])
        self._files.replaces(key, result.state["run"])
        self._logits[is_judged] = result.tensors["logits"].numpy()
        self._is_judged |= is_judged
        self._floors.append(result.state["floor"])

    def _train_fold(self, training: Training) -> Checkpoint:
        job = self._open(self._opener.build(training))
        trainer = job.trainer
        note_floor(trainer, training.data.splits)
        job.manager.fit()
        evaluation = job.exported.result or trainer.evaluate(trainer.validation)
        state = {"step": trainer.state.step, "run": job.manager.fingerprint, "floor": trainer.history.floor}
        return Checkpoint(0, state, {"logits": torch.from_numpy(np.ascontiguousarray(evaluation.logits))})

    def _shared_result(self, key: dict[str, Any], is_judged: np.ndarray) -> Checkpoint | None:
        """Return on all ranks the result that the first one finds in the folder, if any."""
        found, distributed = self._files.load(key), self._opener.distributed
        state = distributed.all_gather_json(dict(found.state) if found else None)[0]
        if state is None:
            return None
        logits = found.tensors["logits"] if found else torch.from_numpy(self._logits[is_judged])
        distributed.broadcast([logits])
        return Checkpoint(0, state, {"logits": logits})

    def _with_folds(self, main: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the exported model's floor, on test if there is one, joined by that of the folds; JSON values."""
        pooled = self._pooled_floor()
        if main is None or pooled is None:
            return main if pooled is None else pooled.as_json()
        floor = floor_from(main, self._targets)
        channels: dict[str, Any] = {**pooled.channels, **floor.channels}
        return type(floor)(floor.trained_on, floor.seconds + pooled.seconds, channels).as_json()

    def _pooled_floor(self) -> AnyFloor | None:
        """Return the floor on the folds' texts together, each predicted by one that has not seen it.

        Its number of training texts is that of the fold with the fewest.
        """
        floors = [floor_from(floor, self._targets) for floor in self._floors if floor is not None]
        if len(floors) < self._folds:
            return None
        indices = [np.flatnonzero(self._fold == fold) for fold in range(self._folds)]
        return pooled_floor(floors, indices, self._targets, self._logits.shape[1])

    def _judged(self, job: Job) -> Job:
        """Return the job with the evaluation of all texts that were judged; as it is if none was."""
        if not self._is_judged.any():
            return job
        done = [fold for fold in range(self._folds) if self._is_judged[self._fold == fold].all()]
        scores = [self._score(self._evaluation(self._fold == fold)) for fold in done]
        texts = int(self._is_judged.sum())
        return dataclasses.replace(
            job,
            validation=self._evaluation(self._is_judged),
            cross_validation=CrossValidation(self._folds, texts, scores, self._metric),
        )

    def _score(self, evaluation: AnyEvaluation) -> float:
        """Return a fold's score; of several labels one that needs no thresholds, since a fold chooses none."""
        if isinstance(evaluation, MultiLabelEvaluation):
            return evaluation.mean_average_precision
        return evaluation.score(self._prepared.positive)

    @property
    def _metric(self) -> str:
        return "mean average precision" if self._prepared.task is Task.MULTI else ""

    def _evaluation(self, chosen: np.ndarray) -> AnyEvaluation:
        selects_by = self._opener.config.multi_label_score
        return evaluation_of(self._logits[chosen], self._targets[chosen], selects_by)
