"""A model with several labels per text, against transformers' own pipeline with function_to_apply=sigmoid.

The pipeline knows no temperature: its logits are divided by the artifact's here, as the server does.
"""

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fakes import CLASS_NAMES, toy_rows
from support.serving_process import ServingProcess
from support.toy_artifact import MAX_LENGTH, make_artifact

SAMPLE = Path(__file__).parents[2] / "local_test" / "test_dir" / "input" / "data" / "test" / "test.csv"
TEMPERATURE, CLASSES, BODIES = 1.7, 5, 200
CUT = {"truncation": True, "max_length": MAX_LENGTH}
THRESHOLDS = dict(zip(CLASS_NAMES, (0.5, 0.42, 0.55, None, 0.5), strict=False))
FORMS = ("string", "list", "list of one", "object", "list of objects")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an artifact whose texts may have several of five labels."""
    root = tmp_path_factory.mktemp("several")
    make_artifact(
        root / "model", classes=CLASSES, temperature=TEMPERATURE, task="multi", thresholds=THRESHOLDS
    )
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServingProcess]:
    """Serve it."""
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Any:
    """Return transformers' pipeline on the same files: by config.json alone, it takes the sigmoid."""
    from transformers import pipeline
    from transformers.pipelines.text_classification import TextClassificationPipeline

    class Tempered(TextClassificationPipeline):
        def _forward(self, model_inputs: Any) -> Any:  # type: ignore[override]  # as its parent does
            outputs = super()._forward(model_inputs)
            outputs["logits"] = outputs["logits"] / TEMPERATURE
            return outputs

    return pipeline("text-classification", model=str(folder / "model"), pipeline_class=Tempered)


def texts() -> tuple[list[str], list[str]]:
    """Return texts that the model reads whole, and texts of the bundled sample, most of which it cuts."""
    short = [text for _, text in toy_rows(60, classes=5, seed=3) if len(text.split()) < 13]
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [*short, "?!", "Über Brücken — 中野 浩一"], [row[2] for row in csv.reader(file)][:40]


def bodies() -> Iterator[dict[str, Any]]:
    """Yield BODIES bodies: every form of inputs, with settings as clients give them, in an order fixed by a seed."""
    draw = random.Random(21)
    short, long = texts()
    for number in range(BODIES):
        is_long = draw.random() < 0.4
        chosen: dict[str, Any] = dict(CUT) if is_long else {}
        chosen["top_k"] = draw.choice((1, 2, 5, 50, None))
        if draw.random() < 0.7:
            chosen["function_to_apply"] = "sigmoid"
        inputs = inputs_of(FORMS[number % len(FORMS)], draw, short + long * is_long)
        yield {"inputs": inputs, "parameters": chosen}


def inputs_of(form: str, draw: random.Random, known: list[str]) -> Any:
    """Return inputs of a form."""
    text, many = draw.choice(known), draw.sample(known, draw.randint(2, 6))
    return {
        "string": text,
        "list": many,
        "list of one": [text],
        "object": {"text": text},
        "list of objects": [{"text": one} for one in many],
    }[form]


def flat(answer: Any) -> list[tuple[str, float]]:
    """Return labels and scores in the order of an answer."""
    if isinstance(answer, list):
        return [pair for part in answer for pair in flat(part)]
    return [(answer["label"], answer["score"])]


def depth(answer: Any) -> int:
    """Return how many lists stand around the first object."""
    return 1 + depth(answer[0]) if isinstance(answer, list) else 0


def answered(server: ServingProcess, body: Any) -> Any:
    """Return the answer to a body, which must be 200."""
    status, text = server.invoke(json.dumps(body))
    assert status == 200, (body, text)
    return json.loads(text)


def test_200_bodies_are_answered_as_by_the_pipeline(server, classifier):
    """Same nesting, same labels in the same order, scores to 1e-5."""
    count = 0
    for body in bodies():
        wanted = classifier(body["inputs"], **body["parameters"])
        found = answered(server, body)
        assert depth(found) == depth(wanted), body
        for (label, score), (own, own_score) in zip(flat(wanted), flat(found), strict=True):
            assert own_score == pytest.approx(score, abs=1e-5), body
            assert own == label or abs(score - own_score) < 1e-5, body
        count += 1
    assert count == BODIES


def test_labels_are_those_over_the_thresholds(server, classifier):
    """Of the pipeline's own scores; none of a label that is never answered."""
    short, long = texts()
    found = answered(server, [*short, *long])
    counts = set()
    for text, answer in zip([*short, *long], found, strict=True):
        scores = classifier(text, top_k=None, function_to_apply="sigmoid", **CUT)
        wanted = [
            entry["label"]
            for entry in scores
            if (limit := THRESHOLDS[entry["label"]]) is not None and entry["score"] >= limit
        ]
        near = any(
            limit is not None and abs(entry["score"] - limit) < 1e-5
            for entry in scores
            for limit in [THRESHOLDS[entry["label"]]]
        )
        assert near or [entry["label"] for entry in answer["labels"]] == wanted
        counts.add(len(wanted))
    assert len(counts) > 1, "texts with different numbers of labels"
