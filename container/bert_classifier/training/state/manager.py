"""One attempt at a run: restore the newest checkpoint, train, and save checkpoints for the next attempt."""

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch

from bert_classifier.job.environment import Environment
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.training.device import use_threads
from bert_classifier.training.exported_weights import ExportedWeights
from bert_classifier.training.head_init import start_head
from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.state.disk_space import require_checkpoint_space, require_model_space
from bert_classifier.training.state.saver import CheckpointSaver
from bert_classifier.training.state.snapshot import broadcast_checkpoint, restore, take_snapshot
from bert_classifier.training.state.store import KEEP, CheckpointStore, digest_of_fingerprint
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)

_LAST_LAYER, _FIRST_TOKENS = "last_layer", "first tokens"  # of an attempt
# They decide how scores are answered, so a finished run takes others without training.
_OF_ANSWERS = ("abstain_below", "target_accuracy", "label_threshold", "target_precision")


class CheckpointManager:
    """Restores a run from its newest intact checkpoint and saves new ones. Only the first rank uses the folder.

    Args:
        trainer: not started yet; every rank has its own.
        fingerprint: of the run.
        threads: available to this rank.
        deadline: time.monotonic() at which the job's time is up.
        has_several: whether the job trains further models.
        first_attempt: first one at the job's first training, if this is a later one; None if this is the first.
    Attributes:
        attempts: all attempts at the run, including this one unless nothing is left to train.
    """

    def __init__(
        self,
        environment: Environment,
        trainer: Trainer,
        fingerprint: Mapping[str, Any],
        threads: int,
        deadline: float = math.inf,
        *,
        has_several: bool = False,
        first_attempt: Mapping[str, Any] | None = None,
    ) -> None:
        self._trainer = trainer
        self._has_several = has_several
        self._is_later = first_attempt is not None
        self.threads = threads
        self.fingerprint = digest_of_fingerprint(fingerprint)
        self.attempts: list[dict[str, Any]] = []
        store = self._open_store(environment, fingerprint)
        self._saver = CheckpointSaver(
            store, trainer.config.checkpoint_interval_seconds, self._snapshot, deadline
        )
        checkpoint = broadcast_checkpoint(trainer.distributed, self._load(store))
        if checkpoint is not None:
            self._restore(checkpoint)
        elif first_attempt is not None:
            self._start_as(first_attempt)
        if not trainer.is_finished:
            self.attempts.append(self._this_attempt(environment))
            self._warn_of_differences()
        if trainer.distributed.is_first:
            self._require_space(environment, store)
            if store is not None:
                store.set_damaged_aside()  # only once there is room to start over

    def fit(self) -> None:
        """Train to the end and save the final state, so that a restart only exports; load the weights to export."""
        if not self._trainer.is_finished:
            try:
                start_head(self._trainer)
                self._trainer.fit(self._saver)
            finally:
                self._saver.close()
            self._saver.save_now(self._trainer.state.step)
        ExportedWeights(self._trainer).load()
        self._trainer.distributed.broadcast(list(self._trainer.model.state_dict().values()))

    def save(self) -> None:
        """Save the current state, and wait until it is on disk; log where the run stands."""
        step, total = self._trainer.state.step, self._trainer.total_steps
        if step and not self._trainer.is_finished:
            self._saver.save_now(step)
        name = self._trainer.name
        logger.info("%s%s", f"{name}: " if name else "", self._standing(step, total))

    def _standing(self, step: int, total: int) -> str:
        if not step:
            return "stopped before the first step was done: nothing is lost"
        if self._saver.has_store:
            return f"stopped at step {step} of {total}, which is saved: the same job goes on from there"
        return f"stopped at step {step} of {total}, which is not saved: there is no checkpoint folder"

    def _open_store(self, environment: Environment, fingerprint: Mapping[str, Any]) -> CheckpointStore | None:
        folder = environment.checkpoint_dir
        if not self._trainer.distributed.is_first:
            return None
        if folder is None and self._is_later:
            return None
        if folder is None:
            logger.info("no checkpoint folder: an interruption loses the run (set checkpoint_s3_uri)")
            return None
        store = CheckpointStore(folder, fingerprint)
        store.remove_leftovers()
        return store

    def _load(self, store: CheckpointStore | None) -> Checkpoint | None:
        if store is None:
            return None
        may_be_damaged = self._trainer.config.damaged_checkpoints == "set_aside"
        return store.load_newest(may_be_damaged=may_be_damaged, warns_of_others=not self._is_later)

    def _require_space(self, environment: Environment, store: CheckpointStore | None) -> None:
        """Check that this attempt's files fit beside those of earlier attempts."""
        parameters = list(self._trainer.model.parameters())
        weights = sum(p.numel() * p.element_size() for p in parameters)
        trainable = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
        if not self._is_later:  # the job exports one model
            require_model_space(environment.model_dir, weights)
        if store is not None and environment.checkpoint_dir is not None and not self._trainer.is_finished:
            # Current and best weights, two moments of AdamW, two evaluations.
            logits = 4 * len(self._trainer.validation.targets) * self._trainer.num_classes
            one = 2 * weights + 2 * trainable + 2 * logits
            kept, others, damaged = store.sizes_kept(), store.bytes_of_others(), store.damaged_sizes()
            reserve = KEEP if self._has_several and not self._is_later else 0
            require_checkpoint_space(environment.checkpoint_dir, one, kept, others, damaged, reserve=reserve)

    def _restore(self, checkpoint: Checkpoint) -> None:
        restore(self._trainer, checkpoint)
        self.attempts = list(checkpoint.state["lives"])
        self._compute_as(self.attempts[0])
        self._use_all_ranks()
        if not self._trainer.is_finished:
            logger.info("resuming from step %d of %d", checkpoint.step, self._trainer.total_steps)
        elif self._has_several:
            logger.info("already finished at step %d", checkpoint.step)
        else:
            logger.info("run already finished at step %d; re-exporting the model", checkpoint.step)
        if self._trainer.is_finished and not self._is_later:
            self._name_changes(checkpoint.state.get("answers", {}))

    def _name_changes(self, before: Mapping[str, float | None]) -> None:
        """Log which settings of the answers differ from those in training; checkpoints of early versions have none."""
        now = self._settings_of_answers()
        changed = [
            f"{name} was {_shown(value)} in training, now {_shown(now[name])}"
            for name, value in before.items()
            if name in now and now[name] != value
        ]
        if changed:
            logger.info("%s: the weights are unchanged", "; ".join(changed))

    def _settings_of_answers(self) -> dict[str, float | None]:
        return {name: getattr(self._trainer.config, name) for name in _OF_ANSWERS}

    def _start_as(self, first_attempt: Mapping[str, Any]) -> None:
        """Begin as this training would have begun in the job's first attempt, so that it gets the same bits."""
        if self._trainer.config.num_gradient_groups is None:
            self._trainer.state.num_gradient_groups = first_attempt["shards"]
        self._compute_as(first_attempt)
        self._use_all_ranks()

    def _compute_as(self, attempt: Mapping[str, Any]) -> None:
        """Compute as an attempt did, so that the bits are the same: with its threads, and its version's last layer."""
        if not self._trainer.engine.is_reproducible:
            return  # the bits differ anyway
        self.threads = use_threads(attempt["threads"], self.threads)
        forward = self._trainer.forward
        if isinstance(forward, PackedForward):
            forward.is_last_layer_full = attempt.get(_LAST_LAYER) != _FIRST_TOKENS

    def _use_all_ranks(self) -> None:
        """Raise the number of gradient groups to the number of ranks, unless num_gradient_groups fixes it.

        Without reproducible, each rank has one group.
        """
        state, distributed = self._trainer.state, self._trainer.distributed
        is_free = (
            self._trainer.config.num_gradient_groups is None and state.num_gradient_groups < distributed.size
        )
        if is_free or not self._trainer.engine.is_reproducible:
            state.num_gradient_groups = distributed.size

    def _this_attempt(self, environment: Environment) -> dict[str, Any]:
        return {
            "from_step": self._trainer.state.step,
            "ranks": self._trainer.distributed.size,
            "shards": self._trainer.state.num_gradient_groups,
            "threads": self.threads,
            "torch": torch.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "device": str(self._trainer.device.type),
            **self._last_layer(),
            "instance_type": environment.instance_type,
            "job_name": environment.job_name,
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _last_layer(self) -> dict[str, str]:
        """Return a field for a last layer that early versions computed for all tokens."""
        is_full = getattr(self._trainer.forward, "is_last_layer_full", False)
        return {} if is_full else {_LAST_LAYER: _FIRST_TOKENS}

    def _warn_of_differences(self) -> None:
        """Warn if this attempt's environment differs from the first one's, since its bits may then differ."""
        first, this = self.attempts[0], self.attempts[-1]
        names = {"shards": "gradient groups"}
        fields = [f for f in ("shards", "threads", "torch", "cpu", "device") if this[f] != first[f]]
        if fields:
            # The groups decide how a batch is cut into micro-batches, and each of these draws its own masks.
            masks = "dropout masks and " if {"shards", "device"} & set(fields) else ""
            different = ", ".join(names.get(field, field) for field in fields)
            logger.warning(
                "resumed with different %s: same data and order, but %srounding may differ", different, masks
            )
        if fields == ["threads"] and self._trainer.engine.is_reproducible:
            logger.warning(
                "the run started with %d thread(s) per process and now has %d: a machine with %d cores per process"
                " gives the same bits",
                first["threads"], self.threads, first["threads"],
            )  # fmt: skip

    def _snapshot(self) -> Checkpoint:
        self._trainer.settle()
        snapshot = take_snapshot(self._trainer)
        more = {"lives": self.attempts, "answers": self._settings_of_answers()}
        return Checkpoint(snapshot.step, {**snapshot.state, **more}, snapshot.tensors)


def _shown(setting: float | None) -> str:
    return "auto" if setting is None else f"{setting:g}"
