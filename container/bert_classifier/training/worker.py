"""One rank's work: read, tokenise, build, resume, train, evaluate, save."""

import dataclasses
import logging
import platform
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import transformers

from bert_classifier import __version__
from bert_classifier.builder import Data, build_data, build_model
from bert_classifier.config import TrainConfig
from bert_classifier.environment import Environment
from bert_classifier.errors import PlatformError
from bert_classifier.examples import Examples
from bert_classifier.micro_batches import pad
from bert_classifier.model import load_artifact, logits_of, quiet_transformers, save_artifact
from bert_classifier.tokenization import TextEncoder
from bert_classifier.training.batching import derive_seed
from bert_classifier.training.device import choose_device, pin_threads
from bert_classifier.training.identity import run_identity
from bert_classifier.training.metrics import Evaluation, metric_line
from bert_classifier.training.progress import wants_bar
from bert_classifier.training.report import write_reports
from bert_classifier.training.resume import Resume
from bert_classifier.training.signals import Stopped, StopSignal
from bert_classifier.training.trainer import Split, Trainer

logger = logging.getLogger(__name__)

_PROBES = 8  # texts on which the saved artifact must answer as the model in memory


def run(config: TrainConfig, environment: Environment, stop: StopSignal) -> None:
    """Train one model as the job describes and leave the artifact and the reports.

    Raises:
        UserError: for data, settings or a checkpoint that cannot be used.
        PlatformError: when the artifact cannot be written or read back.
        Stopped: when the program was told to stop; a checkpoint and the best model so far are then saved.
    """
    started = time.monotonic()
    stop.check()  # importing took seconds
    quiet_transformers()
    threads = pin_threads()
    data = build_data(config, environment)
    stop.check()
    torch.manual_seed(derive_seed(config.seed, "head"))
    model, tokenizer = build_model(config, environment, data.labels)
    encoder = TextEncoder(
        tokenizer.backend_tokenizer, tokenizer.pad_token_id, config.max_seq_length, config.truncation
    )
    splits = {name: _encode(encoder, examples, name, stop) for name, examples in _named(data).items()}
    trainer = Trainer(
        model,
        config,
        splits["train"],
        splits["validation"],
        num_classes=len(data.labels),
        pad_id=encoder.pad_id,
        device=choose_device(),
        positive=data.mapper.positive_label_index,
        show_bar=wants_bar(environment.job_name),
        stop=stop,
    )
    identity = run_identity(trainer, data.labels, tokenizer, data.train, data.validation)
    resume = Resume(environment, trainer, identity, threads)
    _announce(trainer, resume.threads)
    results: dict[str, Evaluation] = {}
    try:
        resume.fit()
        results |= {name: trainer.evaluate(split) for name, split in splits.items() if name != "train"}
    except Stopped:
        resume.save()
        trainer.use_best_weights()
        _export(environment, config, data, trainer, tokenizer, results, resume)
        raise
    _export(environment, config, data, trainer, tokenizer, results, resume)
    _prove_artifact(environment, trainer, splits["validation"])
    _report(environment, data, results)
    logger.info("done in %.0f s: %s", time.monotonic() - started, environment.model_dir)


def _named(data: Data) -> dict[str, Examples]:
    named = {"train": data.train, "validation": data.validation, "test": data.test}
    return {name: examples for name, examples in named.items() if examples is not None}


def _encode(encoder: TextEncoder, examples: Examples, channel: str, stop: StopSignal) -> Split:
    stop.check()
    encoded = encoder.encode_batch(examples.texts)
    logger.info(
        "%s: %d texts, %.0f tokens on average, %.1f %% cut at %d tokens",
        channel, len(examples), encoded.lengths.mean(), 100 * encoded.truncated.mean(), encoder.max_length,
    )  # fmt: skip
    return Split(encoded, examples.targets)


def _announce(trainer: Trainer, threads: int) -> None:
    learning = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    logger.info(
        "training %.1f M parameters on %s (%d threads, %s): %d steps of %d texts, micro-batches of at most %d tokens",
        learning / 1e6, trainer.device, threads, trainer.precision, trainer.total_steps,
        trainer.config.resolve_global_batch_size(1), trainer.token_budget,
    )  # fmt: skip


def _export(
    environment: Environment,
    config: TrainConfig,
    data: Data,
    trainer: Trainer,
    tokenizer: Any,
    results: Mapping[str, Evaluation],
    resume: Resume,
) -> None:
    """Save the model as it is now, with what training.json says of the run."""
    info = {
        "max_seq_length": config.max_seq_length,
        "truncation": config.truncation,
        "temperature": 1.0,
        "is_complete": trainer.is_finished,
        "steps": trainer.state.step,
        "best_step": trainer.state.best_step,
        "metrics": {
            name: {"texts": r.count, "accuracy": r.accuracy, "macro_f1": r.macro_f1, "loss": r.loss}
            for name, r in results.items()
        },
        "precision": trainer.precision,
        "hyperparameters": dataclasses.asdict(config),
        "data": {
            "train_texts": len(data.train),
            "train_sha256": data.train.fingerprint(),
            "validation_sha256": data.validation.fingerprint(),
        },
        "lives": resume.lives,
        "versions": {
            "bert_classifier": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    trainer.model.to("cpu")
    save_artifact(environment.model_dir, trainer.model, tokenizer, data.labels, info)


def _prove_artifact(environment: Environment, trainer: Trainer, split: Split) -> None:
    """Load what was saved and compare its answers with those of the model in memory.

    Raises:
        PlatformError: when they differ: the disk did not keep what was written.
    """
    rows = np.arange(min(_PROBES, len(split.targets)))
    input_ids, mask = pad(split.encoded, rows, trainer.pad_id)
    saved = load_artifact(environment.model_dir).model
    with torch.inference_mode():
        ours, theirs = (logits_of(model.eval(), input_ids, mask) for model in (trainer.model, saved))
    if not torch.equal(ours, theirs):
        raise PlatformError(
            f"The model read back from {environment.model_dir} answers otherwise than the one that was trained.",
            "Start the job again, on another instance if it happens twice.",
        )


def _report(environment: Environment, data: Data, results: Mapping[str, Evaluation]) -> None:
    for name, result in results.items():
        values = {
            "accuracy": result.accuracy,
            "macro_f1": result.macro_f1,
            "loss": result.loss,
            "texts": result.count,
        }
        logger.info("%s", metric_line({f"{name}_{key}": value for key, value in values.items()}))
    channel = "test" if "test" in results else "validation"
    write_reports(environment.output_dir, channel, data.labels, results[channel])
