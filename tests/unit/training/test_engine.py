"""The engine's parts fit together on all ranks, whatever one of them finds on its own machine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bert_classifier.modeling.forward import Forward
from bert_classifier.training import engine as engine_module
from bert_classifier.training.distributed import DistributedContext
from bert_classifier.training.engine import Engine, clip
from support.gloo_ranks import on_ranks
from support.toy_trainer import gradient_of, make_trainer

SETTINGS: dict[str, Any] = {"rows": 20, "global_batch_size": 12, "dropout": 0.0}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an encoder, made before ranks are forked."""
    folder = tmp_path_factory.mktemp("encoder")
    make_trainer(folder)
    return folder


@pytest.mark.parametrize("reproducible", ["true", "false"])
def test_all_ranks_pad_if_one_does(encoder, tmp_path, monkeypatch, reproducible):
    """The plan of a batch depends on it: else some texts would count twice, and others not at all."""

    def work(distributed: DistributedContext) -> Any:
        if distributed.rank == 1:
            monkeypatch.setattr(
                engine_module,
                "packed_or_padded",
                lambda model, pad, device, how, _: Forward(model, pad, device, how),
            )
        trainer = make_trainer(encoder, distributed=distributed, reproducible=reproducible, **SETTINGS)
        trainer.accumulate_gradients(trainer.order.batch(0), 0)
        return trainer.forward.is_padded, gradient_of(trainer)

    (_, whole) = work(DistributedContext())
    for is_padded, gradient in on_ranks(2, work, tmp_path):
        assert is_padded
        assert np.linalg.norm(gradient - whole) / np.linalg.norm(whole) < 1e-5


def test_a_rank_without_a_text_knows_the_scale_of_fp16(encoder):
    """It unscales the sum as the others do, though its own loss was never scaled."""
    trainer = make_trainer(encoder, **SETTINGS)
    engine = Engine(
        trainer.model, trainer.config, trainer.train, trainer.order, class_weights=trainer.class_weights,
        total_steps=1, pad_id=0, device=torch.device("cpu"), precision="fp16", distributed=DistributedContext(),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(trainer.model.parameters())
    head = trainer.model.get_parameter("classifier.bias")
    head.grad = torch.full_like(head, engine.scaler.get_scale())
    engine.scaler.unscale_(optimizer)
    assert torch.equal(head.grad, torch.ones_like(head))


@pytest.mark.parametrize("limit", [0.0, 0.5, 1e9])
def test_clipping_one_vector_is_clipping_its_parameters(limit):
    """The norm returned is the one before; the gradients are views of the vector."""
    values = torch.randn(20, generator=torch.Generator().manual_seed(0))
    found = []
    for vector in (None, values.clone()):
        layer, gradient = torch.nn.Linear(4, 4), values.clone() if vector is None else vector
        layer.weight.grad, layer.bias.grad = gradient[:16].view(4, 4), gradient[16:]
        norm = clip(layer, vector, limit)
        found.append(torch.cat([norm[None], gradient]))
    assert torch.allclose(found[0], found[1])
    assert torch.allclose(found[0][0], values.norm())
