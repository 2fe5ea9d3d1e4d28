"""One attempt of a run: where the run stands when it begins, and saving so that the next attempt can go on."""

import logging
from collections.abc import Mapping
from typing import Any

import torch

from bert_classifier.job.environment import Environment
from bert_classifier.training.device import use_threads
from bert_classifier.training.exported_weights import ExportedWeights
from bert_classifier.training.state.checkpoint import Checkpoint
from bert_classifier.training.state.saver import CheckpointSaver, require_space, require_space_for_model
from bert_classifier.training.state.snapshot import restore, share, take_snapshot
from bert_classifier.training.state.store import CheckpointStore, digest_of_fingerprint
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)


class CheckpointManager:
    """Takes a run up where its newest sound checkpoint left it; nothing but the folder's content says so.

    Args:
        trainer: at its start, on every rank; the first one reads and writes the folder.
        fingerprint: of the run.
        threads: that this machine offers.
        deadline: time.monotonic() at which the job's time is up, if known.
    """

    def __init__(
        self,
        environment: Environment,
        trainer: Trainer,
        fingerprint: Mapping[str, Any],
        threads: int,
        deadline: float | None = None,
    ) -> None:
        self._trainer = trainer
        self.threads = threads
        self.fingerprint = digest_of_fingerprint(fingerprint)
        self.attempts: list[dict[str, Any]] = []
        store = self._open_store(environment, fingerprint)
        self._saver = CheckpointSaver(
            store, trainer.config.checkpoint_interval_seconds, self._snapshot, deadline
        )
        checkpoint = share(trainer.distributed, self._load(store))
        if checkpoint is not None:
            self._take_up(checkpoint)
        if not trainer.is_finished:
            self.attempts.append(self._this_attempt(environment))
            self._warn_of_other_bits()
        if trainer.distributed.is_first:
            self._require_space(environment, store)
            if store is not None:
                store.set_damaged_aside()  # only where there is room to begin anew

    def fit(self) -> None:
        """Train to the end and save the finished state, so that a restart only exports; leave the weights to export."""
        if not self._trainer.is_finished:
            try:
                self._trainer.fit(self._saver)
            finally:
                self._saver.close()
            self._saver.save_now(self._trainer.state.step)
        ExportedWeights(self._trainer).use()
        self._trainer.distributed.broadcast(list(self._trainer.model.state_dict().values()))

    def save(self) -> None:
        """Save where the run stands, and wait until it is on disk."""
        if self._trainer.state.step and not self._trainer.is_finished:
            self._saver.save_now(self._trainer.state.step)

    def _open_store(self, environment: Environment, fingerprint: Mapping[str, Any]) -> CheckpointStore | None:
        folder = environment.checkpoint_dir
        if not self._trainer.distributed.is_first:
            return None
        if folder is None:
            logger.info(
                "no checkpoint folder: an interruption loses the run (give the job a checkpoint_s3_uri)"
            )
            return None
        store = CheckpointStore(folder, fingerprint)
        store.remove_leftovers()
        return store

    def _load(self, store: CheckpointStore | None) -> Checkpoint | None:
        if store is None:
            return None
        return store.load_newest(may_be_damaged=self._trainer.config.damaged_checkpoints == "set_aside")

    def _require_space(self, environment: Environment, store: CheckpointStore | None) -> None:
        """Make sure that what this attempt will write fits beside what earlier ones have left."""
        parameters = list(self._trainer.model.parameters())
        weights = sum(p.numel() * p.element_size() for p in parameters)
        learning = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
        require_space_for_model(environment.model_dir, weights)
        if store is not None and environment.checkpoint_dir is not None and not self._trainer.is_finished:
            # Weights and the best weights, two moments of AdamW, and two evaluations.
            logits = 4 * len(self._trainer.validation.targets) * self._trainer.num_classes
            one = 2 * weights + 2 * learning + 2 * logits
            kept, others, damaged = store.sizes_kept(), store.bytes_of_others(), store.damaged_sizes()
            require_space(environment.checkpoint_dir, one, kept, others, damaged)

    def _take_up(self, checkpoint: Checkpoint) -> None:
        restore(self._trainer, checkpoint)
        self.attempts = list(checkpoint.state["lives"])
        self.threads = use_threads(self.attempts[0]["threads"], self.threads)
        self._use_all_ranks()
        if self._trainer.is_finished:
            logger.info("this run was finished at step %d: its model is only exported again", checkpoint.step)
        else:
            logger.info("resuming from step %d of %d", checkpoint.step, self._trainer.total_steps)

    def _use_all_ranks(self) -> None:
        """Use as many gradient groups as this attempt has ranks, if the run had fewer and its bits may change."""
        state, distributed = self._trainer.state, self._trainer.distributed
        if self._trainer.config.num_gradient_groups is None and state.num_gradient_groups < distributed.size:
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
            "instance_type": environment.instance_type,
        }

    def _warn_of_other_bits(self) -> None:
        """Say when this attempt computes otherwise than the first: the same run, but not the same bits."""
        fields = [
            f
            for f in ("shards", "threads", "torch", "cpu", "device")
            if self.attempts[-1][f] != self.attempts[0][f]
        ]
        if fields:
            told = "resumed with other %s: same data and order, but rounding may differ"
            logger.warning(told, ", ".join(fields))
        if "threads" in fields:  # use_threads keeps the number wherever there are cores for it
            began = self.attempts[0]["threads"]
            told = "it began with %d thread(s) per process, now it has %d: a machine with %d cores gives the same bits"
            logger.warning(told, began, self.threads, began)

    def _snapshot(self) -> Checkpoint:
        taken = take_snapshot(self._trainer)
        return Checkpoint(taken.step, {**taken.state, "lives": self.attempts}, taken.tensors)
