"""A model of text pairs, against transformers' own pipeline: 200 bodies in the forms that the pipeline knows."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fakes import toy_rows
from support.serving_process import ServingProcess
from support.toy_artifact import MAX_LENGTH, OF_PAIRS, make_artifact

BODIES, CLASSES = 200, 5
CUT = {"truncation": True, "max_length": MAX_LENGTH}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["single", "multi"])
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return the folder of an artifact whose pairs have one of five labels, or any number of them."""
    root = tmp_path_factory.mktemp("pairs")
    more: dict[str, Any] = {"task": "multi"} if request.param == "multi" else {}
    make_artifact(root / "model", classes=CLASSES, temperature=1.0, **OF_PAIRS, **more)
    return root


def bodies() -> Iterator[dict[str, Any]]:
    """Yield BODIES bodies with one pair or several, some of which must be cut, in an order fixed by a seed."""
    draw = random.Random(22)
    texts = [text for _, text in toy_rows(80, classes=5, seed=4)]
    for number in range(BODIES):
        pairs = [
            {"text": draw.choice(texts), "text_pair": draw.choice(texts)} for _ in range(draw.randint(2, 5))
        ]
        inputs = {0: pairs[0], 1: pairs, 2: pairs[:1]}[number % 3]
        yield {"inputs": inputs, "parameters": {**CUT, "top_k": draw.choice((1, 3, None))}}


def flat(answer: Any) -> list[tuple[str, float]]:
    """Return labels and scores in the order of an answer."""
    if isinstance(answer, list):
        return [pair for part in answer for pair in flat(part)]
    return [(answer["label"], answer["score"])]


def test_200_bodies_are_answered_as_by_the_pipeline(folder):
    """Same labels in the same order, scores to 1e-5, whether a pair stands in an object or in a list of two."""
    from transformers import pipeline

    classifier: Any = pipeline("text-classification", model=str(folder / "model"))
    count = 0
    with ServingProcess(folder, folder / "log") as server:
        server.wait_until_ready()
        for body in bodies():
            wanted = flat(classifier(body["inputs"], **body["parameters"]))
            several = body["inputs"] if isinstance(body["inputs"], list) else [body["inputs"]]
            lists = [[pair["text"], pair["text_pair"]] for pair in several]
            for inputs in (body["inputs"], lists):
                status, text = server.invoke(json.dumps({**body, "inputs": inputs}))
                assert status == 200, (body, text)
                found = flat(json.loads(text))
                assert [score for _, score in found] == pytest.approx(
                    [score for _, score in wanted], abs=1e-5
                )
                assert [label for label, _ in found] == [label for label, _ in wanted]
            count += 1
    assert count == BODIES
