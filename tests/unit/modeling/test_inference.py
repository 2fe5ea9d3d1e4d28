"""The inference loop: how passes are planned for a device, and that logits arrive at their windows."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from bert_classifier.modeling import inference
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits, plan_inference
from bert_classifier.modeling.packed import PackedForward
from support.toy_trainer import make_trainer


@pytest.fixture
def trainer(tmp_path):
    made = make_trainer(tmp_path, rows=40)
    made.model.eval()
    return made


@pytest.mark.parametrize("most_kept", [1, 20, 1 << 24])
def test_logits_are_the_same_however_many_wait_on_the_device(trainer, monkeypatch, most_kept):
    """They are moved in portions of any size, to the last bit, and each to its own window."""
    monkeypatch.setattr(inference, "_MOST_KEPT", most_kept)
    encoded, forward = trainer.train.encoded, trainer.forward
    micro_batches = plan_inference(forward, encoded, 128)
    assert len(micro_batches) > 2
    logits = compute_logits(forward, encoded, micro_batches, 3)
    with torch.inference_mode():
        for windows in micro_batches:
            assert (logits[windows] == forward(encoded, windows).numpy()).all()
    assert logits.dtype == np.float32
    assert not compute_logits(forward, encoded, [], 3).any()


def test_a_stop_between_micro_batches_ends_the_loop(trainer):
    """What the micro-batches raise comes before any later pass."""
    encoded = trainer.train.encoded
    computed: list[int] = []
    trainer.model.register_forward_pre_hook(lambda *_: computed.append(1))

    def micro_batches() -> Iterator[np.ndarray]:
        yield np.arange(4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_logits(trainer.forward, encoded, micro_batches(), 3)
    assert len(computed) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_pads_more_for_fewer_passes(trainer, dtype):
    """Launching a pass costs a GPU as much as many tokens, the more so the faster it computes."""
    encoded, model = trainer.train.encoded, trainer.model.to(dtype)
    on_cpu, on_gpu = (
        plan_inference(Forward(model, 0, torch.device(device), "fp32"), encoded, 4096)
        for device in ("cpu", "cuda")
    )
    assert len(on_cpu) > len(on_gpu)
    assert len(on_gpu) == 1 or dtype == torch.float32


def test_without_padding_a_gpu_gets_passes_of_equal_size(trainer):
    """Tokens that do not fit into one pass become two of about equal size, not a full one and a crumb."""
    encoded, model = trainer.train.encoded, trainer.model
    packed = PackedForward(model, 0, torch.device("cuda"), "fp32")
    total = int(encoded.lengths.sum())
    assert len(plan_inference(packed, encoded, total)) == 1
    sizes = [encoded.lengths[windows].sum() for windows in plan_inference(packed, encoded, total - 1)]
    assert len(sizes) == 2
    assert min(sizes) > 0.8 * max(sizes)
