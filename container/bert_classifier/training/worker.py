"""One rank's work: build the model, resume, train, evaluate, export, report."""

import dataclasses
import logging
import math
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import transformers

from bert_classifier import __version__
from bert_classifier.artifact.artifact import CLASS_FILE, TRAINING_LABELS, load_artifact, save_artifact
from bert_classifier.artifact.provenance import encoder_line, true_settings
from bert_classifier.builder import build_model, encoder_of
from bert_classifier.encoding.micro_batches import pad
from bert_classifier.encoding.text_encoder import CUT_SETTINGS
from bert_classifier.errors import PlatformError
from bert_classifier.evaluation.guarantee import shortage_of_texts
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.evaluation.result import EvaluationResult, assess
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.terminal import has_bar
from bert_classifier.modeling.forward import logits_of
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.training.batch_advice import advise
from bert_classifier.training.batching import derive_seed
from bert_classifier.training.closing import log_closing, log_so_far, quality_facts
from bert_classifier.training.device import choose_device, pin_threads, use_deterministic_kernels
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.existing_model import keep_existing_model
from bert_classifier.training.exported_weights import ExportedWeights
from bert_classifier.training.floor import note_floor
from bert_classifier.training.page_examples import choose_examples, log_examples
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.report import log_scores, remove_reports, write_reports
from bert_classifier.training.sanity_checks import sanity_warnings
from bert_classifier.training.signals import Stopped, StopSignal
from bert_classifier.training.state.fingerprint import require_same_run, run_fingerprint
from bert_classifier.training.state.manager import CheckpointManager
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)

_PROBES = 8  # windows for which the saved model must give the logits of the model in memory


@dataclasses.dataclass(frozen=True)
class Job:
    """One rank's parts of a training job, and what they write."""

    config: TrainConfig
    environment: Environment
    prepared: PreparedData
    model: transformers.PreTrainedModel
    tokenizer: Any
    trainer: Trainer
    manager: CheckpointManager
    encoder: Mapping[str, Any]
    results: dict[str, Evaluation] = dataclasses.field(default_factory=dict)

    @property
    def exported(self) -> ExportedWeights:
        """The weights to export."""
        return ExportedWeights(self.trainer)

    @property
    def evaluated_channels(self) -> list[str]:
        """Validation and, if there is one, test."""
        return [name for name in self.prepared.splits if name != "train"]

    def evaluate(self) -> None:
        """Evaluate the weights to export, which must be loaded, on validation and test.

        Raises:
            Stopped: after a stop signal; `results` then holds the finished channels.
        """
        known = {"validation": self.exported.result}
        for name in self.evaluated_channels:
            self.results[name] = known.get(name) or self.trainer.evaluate(self.prepared.splits[name])

    def assess(self) -> EvaluationResult | None:
        """Return the result for the weights to export, calibrated on validation; None if validation is not done."""
        validation = self.results.get("validation") or self.exported.result
        if validation is None:
            return None
        config, results = self.config, {**self.results, "validation": validation}
        return assess(results, abstain_below=config.abstain_below, target_accuracy=config.target_accuracy)

    def export(self, evaluation: EvaluationResult | None) -> None:
        """Save the current model as the artifact."""
        info = self.describe(evaluation)
        if self.config.page_examples:
            log_examples(info["page_examples"], self.config.page_examples)
        self.trainer.model.to("cpu")
        remove_reports(self.environment)
        save_artifact(self.environment.model_dir, self.model, self.tokenizer, self.prepared.labels, info)

    def describe(self, evaluation: EvaluationResult | None) -> dict[str, Any]:
        """Return the content of training.json."""
        state, config = self.trainer.state, self.config
        return {
            **{name: getattr(config, name) for name in CUT_SETTINGS},
            "temperature": evaluation.temperature.value if evaluation else 1.0,
            "abstain_below": evaluation.abstain_below if evaluation else config.abstain_below,
            **({"guarantee": evaluation.guarantee.facts} if evaluation and evaluation.guarantee else {}),
            "is_complete": self.trainer.is_finished and set(self.results) == set(self.evaluated_channels),
            "run_fingerprint": self.manager.fingerprint,
            "steps": state.step,
            "best_step": state.best_step,
            "kept_step": self.exported.step,
            "metrics": evaluation.summaries if evaluation else {},
            **quality_facts(self.environment, self.prepared, evaluation, self.trainer),
            "precision": self.trainer.precision,
            "reproducible": self.trainer.engine.is_reproducible,
            "token_budget": state.token_budget,
            "warnings": self._warnings(evaluation) if evaluation else [],
            "encoder": dict(self.encoder),
            "hyperparameters": true_settings(self.hyperparameters, self.encoder),
            "automatic_hyperparameters": list(self.trainer.recipe.automatic),
            **self._page_examples(),
            "classes_from": CLASS_FILE if self.prepared.has_class_file else TRAINING_LABELS,
            "data": {
                "train_texts": len(self.prepared.splits["train"].targets),
                "train_sha256": self.prepared.fingerprints["train"],
                "validation_sha256": self.prepared.fingerprints["validation"],
                **({"columns": self.prepared.columns} if self.prepared.columns else {}),
            },
            "lives": self.manager.attempts,
            "versions": {
                "bert_classifier": __version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        }

    def _page_examples(self) -> dict[str, list[str]]:
        """Return the field for the texts that the server's page may show; none unless the job asks for them."""
        most = self.config.page_examples
        if not most:
            return {}
        texts = self.prepared.records["validation"]().texts
        return {"page_examples": choose_examples(texts, self.prepared.splits["validation"].targets, most)}

    def _warnings(self, evaluation: EvaluationResult) -> list[str]:
        return [*sanity_warnings(self.trainer, evaluation.results), *evaluation.warnings]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The settings with automatic values filled in; a batch size per device stays as it was set."""
        recipe = self.trainer.recipe
        chosen = {name: getattr(recipe, name) for name in recipe.automatic}
        return {**self.config.recorded(), **chosen}

    def finish_early(self) -> None:
        """Save a checkpoint and export the model so far, unless the folder already holds a complete model."""
        try:
            self.manager.save()
        finally:  # even if saving fails
            if not keep_existing_model(self.environment.model_dir, self.describe(None)):
                self.exported.load()
                evaluation = self.assess()
                self.export(evaluation)
                self.exported.log()
                log_so_far(self.environment, self.prepared, evaluation, self.trainer)
                _warn(evaluation.warnings if evaluation else ())

    def verify_artifact(self) -> None:
        """Load the saved model and compare its logits with those of the model in memory.

        Raises:
            PlatformError: when they differ, since the disk then altered the files.
        """
        split, folder = self.prepared.splits["validation"], self.environment.model_dir
        windows = np.arange(min(_PROBES, len(split.targets)))  # there are at least as many windows as texts
        input_ids, mask = pad(split.encoded, windows, self.trainer.forward.pad_id)
        saved = load_artifact(folder).model
        with torch.inference_mode():
            ours, theirs = (logits_of(model.eval(), input_ids, mask) for model in (self.model, saved))
        if not torch.equal(ours, theirs):
            raise PlatformError(
                f"The model read back from {folder} gives other logits than the one in memory.",
                "Start the job again; if it happens again, use another instance.",
            )

    def report(self, evaluation: EvaluationResult) -> None:
        """Log scores and warnings, and write the reports."""
        self.exported.log(evaluation.results["validation"])
        log_scores(evaluation)
        info = self.describe(evaluation)
        _warn(info["warnings"])
        write_reports(self.environment, self.prepared, self.trainer, evaluation, info)


def _warn(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        logger.warning("%s", sentence)


def run(
    config: TrainConfig,
    environment: Environment,
    prepared: PreparedData,
    stop: StopSignal,
    distributed: DistributedContext,
    started: float,
) -> None:
    """Train one model, on all ranks; the first one writes checkpoints, artifact and reports.

    Args:
        started: time.monotonic() at the start of the job.
    Raises:
        UserError: for invalid data, settings or checkpoints.
        PlatformError: when the artifact cannot be written or read back, or another rank is lost.
        Stopped: after a stop signal; a checkpoint and the model so far are then saved.
    """
    quiet_transformers()
    job = _build(config, environment, prepared, stop, distributed, started)
    try:
        note_floor(job.trainer, prepared.splits)
        job.manager.fit()
        job.evaluate()
    except Stopped:
        if distributed.is_first:
            job.finish_early()
        raise
    if distributed.is_first:
        evaluation = job.assess()
        assert evaluation is not None, "validation is done"
        job.export(evaluation)
        job.verify_artifact()
        job.report(evaluation)
        log_closing(environment, prepared, evaluation, job.trainer, started)
    distributed.leave()


def _build(
    config: TrainConfig,
    environment: Environment,
    prepared: PreparedData,
    stop: StopSignal,
    distributed: DistributedContext,
    started: float,
) -> Job:
    """Build model and trainer, and restore the run's newest checkpoint."""
    threads = pin_threads(distributed.local_size)
    device = choose_device(distributed.local_rank)
    if device.type == "cuda" and config.is_reproducible(device.type):
        use_deterministic_kernels()
    distributed.connect(device)
    torch.manual_seed(derive_seed(config.seed, "head"))
    model, tokenizer = build_model(config, environment, prepared.labels)
    trainer = Trainer(
        model,
        config,
        prepared.splits["train"],
        prepared.splits["validation"],
        num_classes=len(prepared.labels),
        pad_id=tokenizer.pad_token_id,
        device=device,
        positive=prepared.positive,
        show_bar=distributed.is_first and has_bar(),
        stop=stop,
        distributed=distributed,
    )
    fingerprint = run_fingerprint(trainer, prepared, tokenizer)
    require_same_run(distributed, fingerprint, environment.current_host)
    deadline = started + (config.max_run_seconds or math.inf)
    manager = CheckpointManager(environment, trainer, fingerprint, threads, deadline)
    encoder = encoder_of(config, environment, model)
    logger.info("%s", encoder_line(encoder))
    _log_plan(trainer, manager.threads)
    _warn(_doubts_about_target(config.target_accuracy, len(prepared.splits["validation"].targets)))
    return Job(config, environment, prepared, model, tokenizer, trainer, manager, encoder)


def _doubts_about_target(target: float, texts: int) -> list[str]:
    """Return why a target accuracy cannot be guaranteed however well the training goes; empty if it can."""
    shortage = shortage_of_texts(target, texts) if target else ""
    return [f"target_accuracy={target:g} will give no threshold: {shortage}."] if shortage else []


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
    if trainer.recipe.automatic:
        logger.info("%s", trainer.recipe.description(trainer.total_steps))
    if trainer.device.type == "cuda":
        _warn(advise(trainer.recipe, trainer.model, trainer.train.encoded, ranks=trainer.distributed.size))
