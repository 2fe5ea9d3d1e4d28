"""Training on windows of long documents: a loss a document, exact in any cut, on any ranks, resumed bit for bit."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from bert_classifier.artifact.artifact import load_artifact, save_artifact
from bert_classifier.encoding.micro_batches import pad
from bert_classifier.modeling.packed import PackedForward
from bert_classifier.modeling.packed_attention import attend_text_by_text
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.serving.model.predictor import Predictor
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.state.snapshot import restore, take_snapshot
from bert_classifier.training.state.store import CheckpointStore
from bert_classifier.training.trainer import Trainer
from support.fakes import CLASS_NAMES, toy_rows
from support.gloo_ranks import Raised, on_ranks
from support.toy_trainer import CLASSES, make_trainer

# Batches of 12 documents, the last one of 8; documents of 1 to 6 windows.
SETTINGS: dict[str, Any] = {
    "rows": 20, "max_seq_length": 16, "truncation": "windows", "window_overlap": 0.25, "max_windows": 6,
    "global_batch_size": 12, "num_train_epochs": 2, "learning_rate": 2e-3, "class_weights": "balanced",
}  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an encoder."""
    folder = tmp_path_factory.mktemp("encoder")
    make_trainer(folder)
    return folder


def gradient_of(trainer: Trainer) -> torch.Tensor:
    """Return the gradient of all weights as one vector."""
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])


def document_by_document(trainer: Trainer, rows: np.ndarray) -> torch.Tensor:
    """Return the float64 gradient of Σ wᵢ·CEᵢ ÷ Σ wᵢ, CEᵢ the mean over the windows of document i."""
    model, encoded = copy.deepcopy(trainer.model).double().train(), trainer.train.encoded
    assert encoded.bounds is not None
    targets, weights = trainer.train.targets, trainer.class_weights.double()
    total: Any = 0.0
    for row in rows:
        windows = np.arange(encoded.bounds[row], encoded.bounds[row + 1])
        input_ids, mask = pad(encoded, windows, trainer.forward.pad_id)
        logits = model(input_ids=input_ids, attention_mask=mask).logits
        target = torch.full((len(windows),), int(targets[row]))
        total = total + weights[targets[row]] * functional.cross_entropy(logits, target)
    (total / weights[targets[rows]].sum()).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("way", ["padded", "packed"])
@pytest.mark.parametrize("step", [0, 1], ids=["full batch", "ragged last batch"])
def test_the_gradient_is_that_of_the_documents(encoder, step, way):
    """Whatever windows share a micro-batch, a document counts once, however many windows it has."""
    trainer = make_trainer(encoder, dropout=0.0, **SETTINGS)
    if way == "packed":
        arguments = (trainer.forward.pad_id, torch.device("cpu"), "fp32", attend_text_by_text)
        trainer.engine.planner.forward = PackedForward(trainer.model, *arguments)  # type: ignore[arg-type]
    rows = trainer.order.batch(step)
    counts = trainer.train.encoded.windows_of(rows)[1]
    assert counts.min() == 1
    assert counts.max() > 1
    reference = document_by_document(trainer, rows)
    for budget in (16, 100, 100_000):
        trainer.state.token_budget = budget
        trainer.accumulate_gradients(rows, step)
        assert float((gradient_of(trainer) - reference).norm() / reference.norm()) < 1e-6


def trained_bits(encoder: Path) -> Any:
    """Return a rank's work: the digest of the weights after a run, and its evaluation's logits."""

    def work(distributed: DistributedContext) -> tuple[str, bytes]:
        trainer = make_trainer(encoder, distributed=distributed, num_gradient_groups=2, **SETTINGS)
        trainer.fit()
        weights = b"".join(tensor.numpy().tobytes() for tensor in trainer.model.state_dict().values())
        return hashlib.sha256(weights).hexdigest(), trainer.evaluate(trainer.validation).logits.tobytes()

    return work


def test_two_ranks_train_the_model_of_one(encoder, tmp_path):
    """Windows of one document may lie on different ranks; weights and evaluation have the same bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    one = trained_bits(encoder)(DistributedContext())
    torch.set_num_threads(before)
    for rank in on_ranks(2, trained_bits(encoder), tmp_path):
        assert not isinstance(rank, Raised), rank
        assert rank == one


def test_an_evaluation_has_the_mean_logits_of_each_document(encoder):
    """One row a document: the mean of what the model says to each window alone."""
    trainer = make_trainer(encoder, **SETTINGS)
    result = trainer.evaluate(trainer.validation)
    encoded = trainer.validation.encoded
    assert result.logits.shape == (20, CLASSES)
    trainer.model.eval()
    for document in range(20):
        windows, _ = encoded.windows_of(np.array([document]))
        with torch.inference_mode():
            alone = torch.cat([trainer.forward(encoded, windows[i : i + 1]) for i in range(len(windows))])
        np.testing.assert_allclose(result.logits[document], alone.mean(dim=0).numpy(), atol=1e-5)


def test_a_run_is_resumed_bit_for_bit(encoder, tmp_path):
    """Interrupted after a step, saved and taken up by a fresh trainer, the end is the undisturbed run's."""
    undisturbed = make_trainer(encoder, **SETTINGS)
    undisturbed.fit()
    first = make_trainer(encoder, **SETTINGS)
    first.train_step(0)
    first.state.step = 1
    store = CheckpointStore(tmp_path, {"run": 1})
    store.save(take_snapshot(first))
    second, checkpoint = make_trainer(encoder, **SETTINGS), store.load_newest()
    assert checkpoint is not None
    restore(second, checkpoint)
    second.fit()
    wanted, found = take_snapshot(undisturbed), take_snapshot(second)
    for taken in (wanted, found):
        for name in ("seconds", "step_seconds"):
            taken.state["history"].pop(name)
    assert found.state == wanted.state
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in wanted.tensors.items())


def test_served_answers_are_those_of_training(encoder, tmp_path):
    """Artifact and server cut texts into the same windows and take the same mean; only what is left out is logged."""
    trainer = make_trainer(encoder, **{**SETTINGS, "max_windows": 4})
    trainer.fit()
    result = trainer.evaluate(trainer.validation)
    config, tokenizer = trainer.config, load_tokenizer(str(encoder))
    names = ("max_seq_length", "truncation", "max_windows", "window_overlap")
    info = {name: getattr(config, name) for name in names}
    model: Any = trainer.model
    save_artifact(tmp_path, model, tokenizer, CLASS_NAMES[:CLASSES], {**info, "temperature": 1.0})
    artifact = load_artifact(tmp_path)
    answers = Predictor(artifact, max_batch_tokens=64).predict([text for _, text in toy_rows(20, CLASSES, 1)])
    wanted = torch.softmax(torch.from_numpy(result.logits).double(), dim=1).numpy()
    np.testing.assert_allclose(np.stack([answer.scores for answer in answers]), wanted, atol=1e-5)
    assert [answer.truncated for answer in answers] == trainer.validation.encoded.truncated.tolist()
    assert 0 < sum(answer.truncated for answer in answers) < 10


def test_ranks_map_the_windows_too(encoder, tmp_path):
    """Which windows belong to which text survives the way through the disk."""
    split = make_trainer(encoder, **SETTINGS).train
    PreparedData(["a", "b", "c"], None, {"train": split}, {}).save(tmp_path)
    mapped = PreparedData.load(tmp_path).splits["train"].encoded
    assert mapped.bounds is not None
    assert split.encoded.bounds is not None
    assert np.array_equal(mapped.bounds, split.encoded.bounds)
    assert np.array_equal(mapped.text_lengths, split.encoded.text_lengths)


def test_a_step_counts_documents_and_the_tokens_of_all_their_windows(encoder):
    """Examples are documents; tokens are those computed, those repeated in overlaps included."""
    trainer = make_trainer(encoder, **SETTINGS)
    report = trainer.train_step(0)
    windows, _ = trainer.train.encoded.windows_of(trainer.order.batch(0))
    assert report.examples == 12
    assert report.tokens == trainer.train.encoded.lengths[windows].sum()
    assert report.padded_tokens >= report.tokens
