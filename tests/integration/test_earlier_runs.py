"""A run that an earlier version began is taken up by today's program, and ends as it would have ended.

Today's last layer computes first tokens only: dropout draws other masks for a run begun now. One begun before is
computed to its end as that version did.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch

from bert_classifier.modeling import packed_families
from support.train_process import train_in_process
from support.weights import digest_of_weights

RUNS = Path(__file__).parents[1] / "earlier_runs"


@pytest.mark.parametrize("version", ["85a7ef1"])
def test_a_checkpoint_of_an_earlier_version_is_resumed(
    version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resumes from the step it was stopped at and ends with the undisturbed run's weights, bit for bit."""
    roots = {name: tmp_path / name for name in ("resumed", "whole", "anew")}
    for root in roots.values():
        shutil.copytree(RUNS / version / "input", root / "input")
    shutil.copytree(RUNS / version / "checkpoints", roots["resumed"] / "checkpoints")
    outcomes = {"resumed": train_in_process(roots["resumed"], capsys)}
    with monkeypatch.context() as patch:  # as that version computed an undisturbed run
        patch.setattr(packed_families, "let_last_layer_compute_firsts", lambda _: False)
        outcomes["whole"] = train_in_process(roots["whole"], capsys)
    outcomes["anew"] = train_in_process(roots["anew"], capsys)
    log = outcomes["resumed"].log
    assert [outcome.code for outcome in outcomes.values()] == [0, 0, 0], log
    assert "resuming from step 13 of 30" in log
    assert "another run" not in log
    info = json.loads((roots["resumed"] / "model" / "training.json").read_text())
    ended = json.loads((RUNS / version / "ended.json").read_text())
    assert [attempt["from_step"] for attempt in info["lives"]] == [0, 13]
    assert (info["steps"], info["best_step"]) == (ended["steps"], ended["best_step"])
    assert [attempt.get("last_layer") for attempt in info["lives"]] == [None, None]
    assert info["metrics"]["validation"]["loss"] == pytest.approx(ended["validation_loss"], rel=1e-3)
    anew = json.loads((roots["anew"] / "model" / "training.json").read_text())
    assert [attempt["last_layer"] for attempt in anew["lives"]] == ["first tokens"]
    assert anew["metrics"]["validation"]["loss"] == pytest.approx(ended["validation_loss"], rel=1e-2)
    digests = {name: digest_of_weights(root / "model") for name, root in roots.items()}
    assert digests.pop("anew") != digests["whole"]
    # The last bits are a matter of the processor and of torch's version.
    if is_computed_alike(ended):
        assert digests == dict.fromkeys(digests, ended["weights_sha256"])
    elif info["lives"][0]["cpu"] == torch.backends.cpu.get_cpu_capability():
        assert digests["resumed"] == digests["whole"]


def is_computed_alike(ended: dict[str, str]) -> bool:
    """Say whether this machine and this torch are those that the earlier version's run ended on."""
    return {
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "processor": processor(),
    } == {name: ended[name] for name in ("torch", "cpu", "processor")}


def processor() -> str:
    """Return the processor's name, as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
