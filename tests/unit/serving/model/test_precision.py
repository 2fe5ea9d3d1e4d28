"""Precisions and devices: what the setting means where, and that no faster arithmetic changes a label unseen."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.errors import UserError
from bert_classifier.modeling.probes import PROBE_TEXTS, probe_logits
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model import predictor as predictor_module
from bert_classifier.serving.model.plan import make_plan
from bert_classifier.serving.model.precision import on_device
from bert_classifier.serving.model.predictor import Predictor, load_predictors
from support.clear_text import assert_clear
from support.fakes import toy_rows

CPU = torch.device("cpu")
TEXTS = [text for _, text in toy_rows(40)]


@pytest.fixture(scope="module")
def artifact(artifact_dir):
    return load_artifact(artifact_dir)


def _scores(artifact):
    return np.stack([prediction.scores for prediction in Predictor(artifact, 512).predict(TEXTS)])


def _with_other_answers(artifact):
    """Return the artifact as if training had given every probe text another label."""
    logits = np.roll(artifact.info["probes"]["logits"], 1, axis=1).tolist()
    probes = {**artifact.info["probes"], "logits": logits}
    return dataclasses.replace(artifact, info={**artifact.info, "probes": probes})


def test_the_artifact_holds_probes_that_are_nobodys_data(artifact):
    """The texts are the program's own, each with one logit a class, and the loaded model still gives these."""
    probes = artifact.info["probes"]
    assert probes["texts"] == list(PROBE_TEXTS)
    predictions = Predictor(artifact, 512).predict(PROBE_TEXTS)
    logits = torch.tensor(probes["logits"], dtype=torch.float64) / artifact.temperature
    np.testing.assert_allclose([p.scores for p in predictions], torch.softmax(logits, dim=1), atol=1e-4)


@pytest.mark.parametrize("setting", ["auto", "fp32"])
def test_on_a_cpu_the_model_is_served_as_it_is(artifact, setting):
    """auto is fp32 there, and nothing is copied."""
    assert on_device(artifact, CPU, setting) is artifact


@pytest.mark.parametrize(("setting", "tolerance"), [("bf16", 0.02), ("int8", 0.03)])
def test_a_faster_arithmetic_answers_nearly_alike(artifact, setting, tolerance):
    """Scores differ by little, labels where they were clear do not, and the loaded model stays as it is."""
    placed = on_device(artifact, CPU, setting)
    exact, fast = _scores(artifact), _scores(placed)
    assert not np.array_equal(exact, fast), "another arithmetic gives other digits"
    np.testing.assert_allclose(fast, exact, atol=tolerance)
    assert {p.dtype for p in artifact.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("setting", ["bf16", "int8"])
def test_labels_that_change_are_refused(artifact, setting):
    """A precision that gives the probe texts other labels than training did is refused in one sentence."""
    with pytest.raises(UserError, match=f"{len(PROBE_TEXTS)} of {len(PROBE_TEXTS)} probe texts") as caught:
        on_device(_with_other_answers(artifact), CPU, setting)
    assert_clear(caught.value)


def _with_probe_logits(artifact, change):
    """Return the artifact as if training had given its probe texts these logits (n, classes)."""
    logits = change(np.array(artifact.info["probes"]["logits"])).tolist()
    probes = {**artifact.info["probes"], "logits": logits}
    return dataclasses.replace(artifact, info={**artifact.info, "probes": probes})


def _runner_up_leads(rows, by):
    """Return a change of logits that puts the second class of some rows ahead of the first."""

    def change(logits):
        first, second = np.argsort(-logits, axis=1)[:, :2].T
        logits[rows, second[rows]] = logits[rows, first[rows]] + by
        return logits

    return change


@pytest.mark.parametrize("setting", ["bf16", "int8"])
@pytest.mark.parametrize(
    ("rows", "by", "is_served"), [([4], 1e-4, True), ([4], 0.5, False), ([1, 4, 6], 1e-4, False)]
)
def test_a_tie_that_turns_over_is_no_other_label(artifact, setting, rows, by, is_served):
    """Where training saw two classes as good as equal, either is right; a clear label, or several ties, are not."""
    turned = _with_probe_logits(artifact, _runner_up_leads(rows, by))
    if is_served:
        assert on_device(turned, CPU, setting) is not turned
        return
    with pytest.raises(UserError, match=f"{len(rows)} of {len(PROBE_TEXTS)} probe texts"):
        on_device(turned, CPU, setting)


def _answers(monkeypatch, artifact, wanted, found):
    """Place an artifact whose probe texts got the logits `wanted`, in an arithmetic that answers `found`."""
    monkeypatch.setattr("bert_classifier.serving.model.precision.probe_logits", lambda *_: found)
    return on_device(_with_probe_logits(artifact, lambda _: np.array(wanted)), CPU, "int8")


CLEAR = [3.0, 0.0, -3.0]
NAN = [float("nan")] * 3


@pytest.mark.parametrize(
    ("wanted", "found", "message"),
    [
        ([CLEAR] * 12, [[5.0, 2.0, -5.0]] * 10 + [[0.0, 3.0, -3.0]] * 2, "2 of 12 probe texts get another"),
        ([[1.0, 0.0, -3.0]] * 2 + [CLEAR] * 10, [[1.0, 1.2, -2.0]] * 2 + [[4.0, 1.0, -2.0]] * 10, "2 of 12"),
        ([CLEAR] * 12, [NAN] * 12, "12 of 12 probe texts get scores that are not finite"),
        ([CLEAR] * 12, [CLEAR] * 11 + [[float("inf"), 0.0, 0.0]], "1 of 12 probe texts get scores"),
        ([NAN] + [CLEAR] * 11, [CLEAR] * 12, "1 of 12 probe texts get scores"),
    ],
)
def test_a_wrong_arithmetic_does_not_excuse_itself(artifact, monkeypatch, wanted, found, message):
    """What may be a tie is measured in float32: neither errors everywhere nor a common shift make it wider."""
    with pytest.raises(UserError, match=message) as caught:
        _answers(monkeypatch, artifact, wanted, found)
    assert_clear(caught.value)


def test_a_common_shift_changes_no_label(artifact, monkeypatch):
    """All logits of a text may move together, beside a tie that turns over."""
    tie, turned = [0.01, 0.0, -3.0], [2.0, 2.01, -1.0]
    assert _answers(monkeypatch, artifact, [tie] + [CLEAR] * 11, [turned] + [[5.0, 2.0, -1.0]] * 11)


def test_neighbours_change_no_score_in_int8(artifact):
    """Activations are quantised by their range in a pass, so each text has one of its own: to the last bit."""
    predictor = Predictor(on_device(artifact, CPU, "int8"), 512)
    together = [prediction.scores for prediction in predictor.predict(TEXTS)]
    assert together == [predictor.predict([text])[0].scores for text in TEXTS]


class _StayingFNet(transformers.FNetForSequenceClassification):
    """Does not move to a device that this machine has not."""

    def to(self, *_arguments: Any) -> "_StayingFNet":  # type: ignore[override]
        return self


def test_an_encoder_without_bf16_is_served_in_fp32(artifact, monkeypatch, caplog):
    """FNet cannot compute with bf16 weights: refused by name, and what `auto` takes on a GPU is fp32."""
    config = transformers.FNetConfig(
        vocab_size=600, hidden_size=32, intermediate_size=64, num_hidden_layers=1
    )
    config.num_labels = len(artifact.labels)
    fnet: Any = _StayingFNet(config).eval()
    logits = probe_logits(fnet, artifact.encoder, PROBE_TEXTS)
    info = {**artifact.info, "probes": {"texts": list(PROBE_TEXTS), "logits": logits}}
    other = dataclasses.replace(artifact, model=fnet, info=info)
    with pytest.raises(UserError, match="cannot compute with such weights") as caught:
        on_device(other, CPU, "bf16")
    assert_clear(caught.value)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (9, 0))
    assert on_device(other, torch.device("cuda:0"), "auto").model.dtype == torch.float32
    assert "serving in fp32 instead of bf16" in caplog.text


def test_an_artifact_without_probes_is_served_in_fp32_only(artifact):
    """What an older version wrote cannot prove anything: int8 is refused, auto serves it exactly."""
    info = {name: value for name, value in artifact.info.items() if name != "probes"}
    older = dataclasses.replace(artifact, info=info)
    assert on_device(older, CPU, "auto") is older
    with pytest.raises(UserError, match="older version"):
        on_device(older, CPU, "int8")


class _Moved(torch.nn.Linear):
    """Stands in for a model on a device that this machine has not: notes where it was sent."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.to_calls: list[tuple[Any, ...]] = []

    def to(self, *arguments: Any) -> "_Moved":  # type: ignore[override]
        self.to_calls.append(arguments)
        return self


@pytest.mark.parametrize(
    ("capability", "setting", "agrees", "expected"),
    [
        ((8, 0), "auto", True, torch.bfloat16),
        ((9, 0), "auto", False, torch.float32),
        ((7, 5), "auto", True, torch.float32),
        ((9, 0), "fp32", True, torch.float32),
        ((8, 6), "bf16", True, torch.bfloat16),
    ],
)
def test_what_a_gpu_computes_in(artifact, monkeypatch, capability, setting, agrees, expected):
    """bf16 where the GPU has it and the probes agree, else fp32; decided without a GPU here."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    source = artifact if agrees else _with_other_answers(artifact)
    monkeypatch.setattr(
        "bert_classifier.serving.model.precision.probe_logits", lambda *_: artifact.info["probes"]["logits"]
    )
    device = torch.device("cuda:1")
    placed: Any = on_device(dataclasses.replace(source, model=_Moved()), device, setting)  # type: ignore[arg-type]
    assert placed.model.to_calls == [(device,)]
    assert placed.model.weight.dtype == expected


@pytest.mark.parametrize(("same", "expected"), [(500, torch.bfloat16), (480, torch.float32)])
def test_a_gpu_is_judged_by_what_training_measured_of_bf16(artifact, monkeypatch, caplog, same, expected):
    """Where it did: the probe texts' labels, which are all others here, decide no more."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (8, 0))
    monkeypatch.setattr(
        "bert_classifier.serving.model.precision.probe_logits", lambda *_: artifact.info["probes"]["logits"]
    )
    figures = {"same": same, "near_ties": 0, "right": 450, "gained": 0, "lost": 0, "probe_distance": 9.0}
    measured = {"texts": 500, "channel": "validation", "bf16": figures}
    source = _with_other_answers(artifact)
    source = dataclasses.replace(source, model=_Moved(), info={**source.info, "precisions": measured})  # type: ignore[arg-type]
    for setting in ("", "auto"):
        placed: Any = on_device(source, torch.device("cuda:1"), setting)
        assert placed.model.weight.dtype == expected
    assert ("serving in fp32 instead of bf16: more than 1%" in caplog.text) == (same == 480)


def test_what_a_gpu_cannot_do_is_refused(artifact, monkeypatch):
    """bf16 by name on an old GPU, and int8 on any, are the user's mistakes."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (7, 0))
    for setting in ("bf16", "int8"):
        with pytest.raises(UserError) as caught:
            on_device(artifact, torch.device("cuda:0"), setting)
        assert_clear(caught.value)


def test_cpu_models_share_their_weights(artifact_dir):
    """Several model threads on a CPU cost the memory of one model."""
    plan = make_plan(cores=2, gpus=0, models=2, threads=None, requests=1)
    settings: dict[str, Any] = {"max_batch_tokens": 128, "precision": "auto", "metrics": Metrics()}
    one, other = load_predictors(artifact_dir, plan, **settings)
    assert one is not other
    assert one._artifact.model is other._artifact.model


def test_a_model_is_converted_once_for_all_threads_of_a_device(artifact_dir, monkeypatch):
    """A second conversion would take the memory and the time of another model at the start."""
    converted: list[torch.device] = []

    def noted(artifact, device, setting):
        converted.append(device)
        return on_device(artifact, device, setting)

    monkeypatch.setattr(predictor_module, "on_device", noted)
    monkeypatch.setattr(
        torch.cpu, "_is_avx512_bf16_supported", lambda: False
    )  # else the engine computes bf16
    plan = make_plan(cores=2, gpus=0, models=4, threads=None, requests=1)
    load_predictors(artifact_dir, plan, max_batch_tokens=None, precision="bf16", metrics=Metrics())
    assert converted == [CPU]
