"""The names of the project that the record uses, all in this file: when one changes, it changes here.

Imports are inside the functions, so that a part needs only what it uses.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

DEVICE = torch.device("cuda", 0)
MAX_LENGTH = 256
TRAIN_PROGRAM = Path(__file__).parents[3] / "container" / "train"


def unusable_gpu() -> str:
    """Return why no GPU can be used here; "" if one can."""
    from bert_classifier.modeling.gpus import count_gpus, why_no_gpu

    if torch.version.cuda is None:
        return "torch is built for CPUs here"
    return "" if count_gpus() else why_no_gpu() or "this machine has none"


def check_encoder(folder: Path) -> None:
    """Refuse a folder that holds no encoder.

    Raises:
        UserError: when it lacks a configuration or weights.
    """
    from bert_classifier.job.encoder_files import encoder_files

    encoder_files(folder)


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of an encoder's folder."""
    from bert_classifier.modeling.pretrained import quiet_transformers
    from bert_classifier.modeling.tokenizer import load_tokenizer

    quiet_transformers()
    return load_tokenizer(str(folder))


def read_data(path: Path) -> tuple[Sequence[str], np.ndarray, Sequence[str]]:
    """Return texts, the class index of each, and the classes' names, of any file that training reads."""
    from bert_classifier.builder import build_dataset, build_label_mapper
    from bert_classifier.data.examples import read_examples
    from bert_classifier.label_mapper import class_names

    dataset = build_dataset([path])
    mapper = build_label_mapper(None, dataset)
    examples = read_examples(dataset, mapper, "train")
    return examples.texts, examples.targets, class_names(mapper)


def encode(tokenizer: Any, texts: Sequence[str], targets: np.ndarray) -> Any:
    """Return encoded texts with their classes, as the trainer takes them."""
    from bert_classifier.encoding.text_encoder import TextEncoder
    from bert_classifier.training.batching import Split

    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, MAX_LENGTH)
    return Split(encoder.encode_batch(texts), targets)


def text_lengths(split: Any) -> np.ndarray:
    """Return the tokens of each text."""
    lengths: np.ndarray = split.encoded.text_lengths
    return lengths


def token_lists(split: Any) -> list[list[int]]:
    """Return the token ids of each text."""
    ids, ends = split.encoded.ids, split.encoded.offsets[1:-1]
    return [part.tolist() for part in np.split(ids, ends)]


def make_trainer(model: Any, tokenizer: Any, split: Any, classes: int, **settings: Any) -> Any:
    """Return the project's trainer, as a training job makes it; `settings` are hyperparameters."""
    from bert_classifier.job.config import TrainConfig
    from bert_classifier.training.device import choose_device, pin_threads, use_deterministic_kernels
    from bert_classifier.training.trainer import Trainer

    pin_threads()
    config = TrainConfig(**{"max_seq_length": MAX_LENGTH, "num_train_epochs": 1000, **settings})
    if config.is_reproducible("cuda"):
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # as `train` sets it, before cuBLAS is first used
        use_deterministic_kernels()
    return Trainer(
        model,
        config,
        split,
        split,
        num_classes=classes,
        pad_id=tokenizer.pad_token_id,
        device=choose_device(),
    )


def take_steps(trainer: Any, first: int, count: int) -> None:
    """Take optimizer steps as a training job does: the numbers of each are read during the next one."""
    pending = trainer.start_step(first)
    for step in range(first + 1, first + count):
        earlier, pending = pending, trainer.start_step(step)
        earlier.report()
    pending.report()


def token_budget(trainer: Any) -> int:
    """Return the maximum tokens of a micro-batch, as it is now."""
    budget: int = trainer.state.token_budget
    return budget


def weights_of(trainer: Any) -> torch.Tensor:
    """Return all float32 weights, one vector on the CPU."""
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()]).cpu()


def turn_off_dropout(trainer: Any) -> None:
    """Let the model that computes keep all its numbers."""
    for module in trainer.forward.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def gradient_of(trainer: Any, indices: np.ndarray) -> torch.Tensor:
    """Return the gradient of the mean loss over these texts, one vector."""
    trainer.accumulate_gradients(indices, 0)
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


def lay_out(folder: Path, channels: dict[str, Path], settings: str) -> None:
    """Lay a folder out as SageMaker lays out /opt/ml, as `make train-local` does."""
    from prepare_test_dir import lay_out

    lay_out(folder, {name: str(path) for name, path in channels.items()}, settings)


def make_predictor(model: Any, tokenizer: Any, labels: Sequence[str], folder: Path) -> Any:
    """Save a model as training does, load it as the server does, and return what classifies texts there."""
    from bert_classifier.artifact.artifact import save_artifact
    from bert_classifier.job.cpu_quota import available_cores
    from bert_classifier.job.serve_config import ServeConfig
    from bert_classifier.serving.metrics import Metrics
    from bert_classifier.serving.model.plan import make_plan
    from bert_classifier.serving.model.predictor import load_predictors

    cut = {"max_seq_length": MAX_LENGTH, "truncation": "head", "max_windows": 1, "window_overlap": 0.0}
    save_artifact(folder, model, tokenizer, labels, {**cut, "temperature": 1.0, "abstain_below": 0.0})
    config = ServeConfig()
    plan = make_plan(
        cores=available_cores(),
        gpus=1,
        models=None,
        threads=None,
        requests=config.serving_max_concurrent_requests,
    )
    predictor, *_ = load_predictors(  # those of one GPU are alike
        folder,
        plan,
        max_batch_tokens=config.serving_max_batch_tokens,
        precision=config.serving_precision,
        metrics=Metrics(),
    )
    return predictor


def precision_of(predictor: Any) -> str:
    """Return the type of a predictor's weights, such as bfloat16."""
    return str(predictor._artifact.model.dtype).removeprefix("torch.")
