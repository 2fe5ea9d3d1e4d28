"""Open a training of a job on one rank: build the model, and restore the run's newest checkpoint."""

import dataclasses
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from bert_classifier.artifact.provenance import encoder_line
from bert_classifier.builder import build_model, encoder_of
from bert_classifier.data.job_files import model_source
from bert_classifier.evaluation.guarantee import shortage_of_texts
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.terminal import has_bar
from bert_classifier.modeling.heads import doubts_about_pooling, loaded_head
from bert_classifier.training.batch_advice import advise
from bert_classifier.training.batching import derive_seed
from bert_classifier.training.device import choose_device, pin_threads, use_deterministic_kernels
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.job import Job, warn
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.signals import StopSignal
from bert_classifier.training.state.fingerprint import require_same_run, run_fingerprint
from bert_classifier.training.state.manager import CheckpointManager
from bert_classifier.training.state.store import digest_of_fingerprint
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of a job.

    Attributes:
        config: the job's settings, with the seed and recipe of this training.
        data: the texts that it is trained and evaluated on.
        name: such as "seed 2 of 3"; "" for the only or main one.
        key: JSON values that tell it from the job's other trainings.
    """

    config: TrainConfig
    data: PreparedData
    name: str = ""
    key: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Built:
    """A training that has not looked for its checkpoints yet."""

    training: Training
    model: transformers.PreTrainedModel
    tokenizer: Any
    trainer: Trainer
    fingerprint: Mapping[str, Any]


class Opener:
    """Opens the trainings of a job on one rank, with its device and its threads.

    Args:
        config: of the job.
        prepared: what the exported model is trained and evaluated on.
        started: time.monotonic() at the start of the job.
    """

    def __init__(
        self,
        config: TrainConfig,
        environment: Environment,
        prepared: PreparedData,
        stop: StopSignal,
        distributed: DistributedContext,
        started: float,
    ) -> None:
        self.config = config
        self.environment = environment
        self.prepared = prepared
        self.distributed = distributed
        self._stop = stop
        self._deadline = started + (config.max_run_seconds or math.inf)
        self._threads = pin_threads(distributed.local_size)
        self._device = choose_device(distributed.local_rank)
        if self._device.type == "cuda" and config.is_reproducible(self._device.type):
            use_deterministic_kernels()
        distributed.connect(self._device)
        self._has_opened = False

    @property
    def has_several(self) -> bool:
        """Whether the job trains more than one model."""
        return self.config.seeds > 1 or self.config.cross_validation > 0

    def build(self, training: Training) -> Built:
        """Build model and trainer."""
        config, data, environment = training.config, training.data, self.environment
        torch.manual_seed(derive_seed(config.seed, "head"))
        model, tokenizer = build_model(config, environment, data.labels, data.task)
        trainer = Trainer(
            model,
            config,
            data.splits["train"],
            data.splits["validation"],
            num_classes=len(data.labels),
            pad_id=tokenizer.pad_token_id,
            device=self._device,
            positive=data.positive,
            name=training.name,
            show_bar=self.distributed.is_first and has_bar(),
            stop=self._stop,
            distributed=self.distributed,
        )
        fingerprint = run_fingerprint(trainer, data, tokenizer)
        source = model_source(config, environment)
        hub_name = "" if Path(source).is_dir() else source
        require_same_run(self.distributed, fingerprint, environment.current_host, hub_name)
        return Built(training, model, tokenizer, trainer, fingerprint)

    def open(self, built: Built, *, run: str = "", first_attempt: Mapping[str, Any] | None = None) -> Job:
        """Restore the newest checkpoint, and log what will be trained.

        Args:
            run: digest of the fingerprint of the job's first training; "" if this is it.
            first_attempt: see CheckpointManager.
        """
        trainer = built.trainer
        manager = CheckpointManager(
            self.environment, trainer, built.fingerprint, self._threads, self._deadline,
            has_several=self.has_several, first_attempt=first_attempt,
        )  # fmt: skip
        encoder = encoder_of(self.config, self.environment, built.model)
        if not self._has_opened:
            logger.info("%s", encoder_line(encoder))
            if sentence := loaded_head(built.model).sentence:
                logger.info("%s", sentence)
            warn(doubts_about_pooling(built.model, self.config.pooling))
        _log_plan(trainer, manager.threads)
        if not self._has_opened:
            texts = len(self.prepared.splits["validation"].targets)
            for name in ("target_accuracy", "target_precision"):
                warn(_doubts_about_target(name, getattr(self.config, name), texts))
        self._has_opened = True
        return Job(
            self.config, self.environment, self.prepared, built.model, built.tokenizer, trainer, manager, encoder,
            run=run or digest_of_fingerprint(built.fingerprint),
        )  # fmt: skip


def _doubts_about_target(name: str, target: float, texts: int) -> list[str]:
    """Return why a target cannot be guaranteed however well the training goes; empty if it can."""
    shortage = shortage_of_texts(target, texts) if target else ""
    return [f"{name}={target:g} will give no threshold: {shortage}."] if shortage else []


def _log_plan(trainer: Trainer, threads: int) -> None:
    trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    logger.info(
        "training %.1f M parameters on %d × %s (%d threads, %s): %d steps of %d texts in %d gradient group(s),"
        " a budget of %d tokens per micro-batch, %s",
        trainable / 1e6, trainer.distributed.size, trainer.device.type, threads, trainer.precision, trainer.total_steps,
        min(trainer.recipe.global_batch_size, len(trainer.train.targets)), trainer.state.num_gradient_groups,
        trainer.state.token_budget,
        "reproducible" if trainer.engine.is_reproducible else "not reproducible to the bit (reproducible=true is)",
    )  # fmt: skip
    if chosen := trainer.recipe.description(trainer.total_steps):
        logger.info("%s", chosen)
    if trainer.device.type == "cuda":
        warn(advise(trainer.recipe, trainer.model, trainer.train.encoded, ranks=trainer.distributed.size))
