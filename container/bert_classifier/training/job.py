"""What one rank's training becomes: evaluated, exported as the artifact, verified, reported."""

import dataclasses
import logging
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import transformers

from bert_classifier import __version__
from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.artifact.contents import CLASS_FILE, TRAINING_LABELS
from bert_classifier.artifact.profile import Profile
from bert_classifier.artifact.provenance import true_settings
from bert_classifier.errors import PlatformError
from bert_classifier.evaluation.assessment import AnyResult, assess
from bert_classifier.evaluation.evaluation_of import AnyEvaluation
from bert_classifier.evaluation.several_runs import CrossValidation, SeedScores
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.modeling.forward import Forward
from bert_classifier.training.automatic import text_encoder
from bert_classifier.training.baseline import baseline_of
from bert_classifier.training.closing import log_so_far, quality_facts
from bert_classifier.training.existing_model import keep_existing_model
from bert_classifier.training.exported_weights import ExportedWeights
from bert_classifier.training.page_examples import as_json, choose_examples, log_examples
from bert_classifier.training.pairs import cut_settings
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.report import log_scores, remove_reports, write_reports
from bert_classifier.training.sanity_checks import DataHints, sanity_warnings
from bert_classifier.training.served_precisions import measure_precisions
from bert_classifier.training.state.manager import CheckpointManager
from bert_classifier.training.threshold_fields import threshold_fields
from bert_classifier.training.trainer import Trainer

logger = logging.getLogger(__name__)

_PROBES = 8  # windows for which the saved model must give the logits of the model in memory


@dataclasses.dataclass(frozen=True)
class Job:
    """One rank's parts of a training, and what they write if its model is the job's.

    Attributes:
        config: of the job; the trainer's own may differ from it in the seed.
        prepared: the job's data: what the exported model is trained and evaluated on.
        run: 12 hexadecimal digits that identify the job's (first) run.
        validation: what stands for the evaluation of the exported weights on validation, where it has none of its own.
        seeds: scores of the job's seeds; None if it has one.
        cross_validation: how `validation` was made; None without cross-validation.
        is_whole: whether all trainings of the job are done.
        results: evaluations of the exported weights by channel, as far as they are done.
        precisions: the field of training.json on them, once it is measured.
    """

    config: TrainConfig
    environment: Environment
    prepared: PreparedData
    model: transformers.PreTrainedModel
    tokenizer: Any
    trainer: Trainer
    manager: CheckpointManager
    encoder: Mapping[str, Any]
    run: str
    validation: AnyEvaluation | None = None
    seeds: SeedScores | None = None
    cross_validation: CrossValidation | None = None
    is_whole: bool = True
    results: dict[str, AnyEvaluation] = dataclasses.field(default_factory=dict)
    precisions: dict[str, Any] = dataclasses.field(default_factory=dict)

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
        known = {"validation": self.validation or self.exported.result}
        for name in self.evaluated_channels:
            self.results[name] = known.get(name) or self.trainer.evaluate(self.prepared.splits[name])

    def assess(self, *, is_hurried: bool = False) -> AnyResult | None:
        """Return the result for the weights to export, calibrated on validation; None if validation is not done."""
        validation = self.results.get("validation") or self.validation or self.exported.result
        if validation is None:
            return None
        config, results = self.config, {**self.results, "validation": validation}
        evaluation = assess(
            results, self.prepared.labels,
            abstain_below=config.abstain_below, target_accuracy=config.target_accuracy,
            label_threshold=config.label_threshold, target_precision=config.target_precision,
            is_hurried=is_hurried,
        )  # fmt: skip
        seeds = len(self.seeds.scores) if self.seeds else 1
        return dataclasses.replace(evaluation, cross_validation=self.cross_validation, seeds=seeds)

    def measure_precisions(self, evaluation: AnyResult) -> None:
        """Measure what serving in other precisions changes, on texts that the model was not trained on if it can be."""
        splits = self.prepared.splits
        held_out = [
            name for name in ("validation", "test") if name in splits and splits[name] is not splits["train"]
        ]
        channel = next((name for name in held_out if len(splits[name].targets)), "train")
        encoder = text_encoder(self.config, self.tokenizer, self.prepared.pairs)
        measured = measure_precisions(self.trainer, splits[channel], channel, encoder, evaluation.reading)
        self.precisions.update(measured)

    def export(self, evaluation: AnyResult | None) -> None:
        """Save the current model as the artifact."""
        info = {**self.describe(evaluation), **self._page_examples()}
        self.trainer.model.to("cpu")
        remove_reports(self.environment)
        baseline = self._baseline(evaluation)
        save_artifact(
            self.environment.model_dir, self.model, self.tokenizer, self.prepared.labels, info, baseline
        )

    def _baseline(self, evaluation: AnyResult | None) -> Profile | None:
        """Return what `make drift` compares with; None without evaluation, or where counting fails."""
        if evaluation is None:
            return None
        is_held_out, unknown_id = "validation" not in self.environment.channels, self.tokenizer.unk_token_id
        try:
            return baseline_of(self.prepared, evaluation, is_held_out=is_held_out, unknown_id=unknown_id)
        except Exception as error:  # noqa: BLE001 - the model must not be lost for these counts
            logger.warning("the model gets no drift baseline (%s: %s)", type(error).__name__, error)
            return None

    def describe(self, evaluation: AnyResult | None) -> dict[str, Any]:
        """Return the content of training.json, without the texts for the server's page."""
        return {
            **self._settings_of_use(evaluation),
            **self._progress(),
            **self._quality(evaluation),
            **self._arithmetic(),
            **self.precisions,
            "warnings": self._warnings(evaluation) if evaluation else [],
            "encoder": dict(self.encoder),
            "hyperparameters": true_settings(self.hyperparameters, self.encoder),
            "automatic_hyperparameters": [*self.prepared.automatic, *self.trainer.recipe.automatic],
            "classes_from": CLASS_FILE if self.prepared.has_class_file else TRAINING_LABELS,
            "data": self._data_facts(),
            "lives": self.manager.attempts,
            "versions": _versions(),
        }

    def _settings_of_use(self, evaluation: AnyResult | None) -> dict[str, Any]:
        """Return what the server and a batch job need beside the weights."""
        config = self.config
        return {
            **cut_settings(config, self.prepared.pairs),
            "temperature": evaluation.temperature.value if evaluation else 1.0,
            "abstain_below": getattr(evaluation, "abstain_below", config.abstain_below),
            **threshold_fields(config, self.prepared, evaluation),
            **({"guarantee": evaluation.guarantee.facts} if evaluation and evaluation.guarantee else {}),
        }

    def _progress(self) -> dict[str, Any]:
        state = self.trainer.state
        return {
            "is_complete": self._is_complete,
            "run_fingerprint": self.run,
            "steps": state.step,
            "best_step": state.best_step,
            "kept_step": self.exported.step,
        }

    def _quality(self, evaluation: AnyResult | None) -> dict[str, Any]:
        return {
            "metrics": evaluation.summaries if evaluation else {},
            **quality_facts(self.environment, self.prepared, evaluation, self.trainer),
            **({"seeds": self.seeds.facts} if self.seeds else {}),
            **({"cross_validation": self.cross_validation.facts} if self.cross_validation else {}),
        }

    def _arithmetic(self) -> dict[str, Any]:
        return {
            "precision": self.trainer.precision,
            "reproducible": self.trainer.engine.is_reproducible,
            "token_budget": self.trainer.state.token_budget,
        }

    def _data_facts(self) -> dict[str, Any]:
        prepared = self.prepared
        return {
            "train_texts": len(prepared.splits["train"].targets),
            "train_sha256": prepared.fingerprints["train"],
            "validation_sha256": prepared.fingerprints["validation"],
            **({"columns": prepared.columns} if prepared.columns else {}),
        }

    @property
    def _is_complete(self) -> bool:
        is_evaluated = set(self.results) == set(self.evaluated_channels)
        return self.is_whole and self.trainer.is_finished and is_evaluated

    def _page_examples(self) -> dict[str, list[Any]]:
        """Return the field for the texts that the server's page may show, and log them; none unless the job asks."""
        most = self.config.page_examples
        if not most:
            return {}
        texts = self.prepared.records["validation"]().texts
        chosen = choose_examples(texts, self.prepared.splits["validation"].targets, most)
        log_examples(chosen, most)
        return {"page_examples": list(map(as_json, chosen))}

    def _warnings(self, evaluation: AnyResult) -> list[str]:
        found = self.prepared.data_report.get("findings", ())
        hints = DataHints(
            is_held_out="validation" not in self.environment.channels,
            has_unknown_tokens=any(finding["code"] == "unknown_tokens" for finding in found),
        )
        return [*sanity_warnings(self.trainer, evaluation, hints), *evaluation.warnings]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The settings with automatic values filled in; a batch size per device stays as it was set."""
        recipe = self.trainer.recipe
        chosen = {name: getattr(recipe, name) for name in recipe.automatic}
        return {**self.config.recorded(), **chosen}

    def export_early(self) -> None:
        """Export the model so far, unless the folder already holds a complete model."""
        if not keep_existing_model(self.environment.model_dir, self.describe(None)):
            self.exported.load()
            evaluation = self.assess(is_hurried=True)
            self.export(evaluation)
            self.exported.log(self.validation)
            log_so_far(self.environment, self.prepared, evaluation, self.trainer)
            warn(evaluation.warnings if evaluation else ())

    def verify_artifact(self) -> None:
        """Load the saved model and compare its logits with those of the model in memory.

        Raises:
            PlatformError: when they differ, since the disk then altered the files.
        """
        split, folder = self.prepared.splits["validation"], self.environment.model_dir
        windows = np.arange(min(_PROBES, len(split.targets)))  # there are at least as many windows as texts
        saved, cpu = load_artifact(folder).model, torch.device("cpu")
        with torch.inference_mode():
            ours, theirs = (
                Forward(model.eval(), self.trainer.forward.pad_id, cpu, "fp32")(split.encoded, windows)
                for model in (self.model, saved)
            )
        if not torch.equal(ours, theirs):
            raise PlatformError(
                f"The model read back from {folder} gives other logits than the one in memory.",
                "Start the job again; if it happens again, use another instance.",
            )

    def report(self, evaluation: AnyResult) -> None:
        """Log scores and warnings, and write the reports."""
        several = self.seeds or self.cross_validation
        if several is not None:
            logger.info("%s", several.sentence)
        self.exported.log(evaluation.results["validation"])
        log_scores(evaluation)
        info = self.describe(evaluation)
        warn(info["warnings"])
        write_reports(
            self.environment, self.prepared, self.trainer, evaluation, info, self.config, self.seeds
        )


def warn(sentences: Sequence[str]) -> None:
    """Log sentences as warnings."""
    for sentence in sentences:
        logger.warning("%s", sentence)


def _versions() -> dict[str, str]:
    return {
        "bert_classifier": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
