"""What the clients of Hugging Face's containers send, against transformers' own pipeline on the same artifact.

The pipeline knows no temperature: its logits are divided by the artifact's here, as the server does.
"""

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fakes import toy_rows
from support.serving_process import ServingProcess
from support.toy_artifact import MAX_LENGTH, make_artifact

SAMPLE = Path(__file__).parents[2] / "local_test" / "test_dir" / "input" / "data" / "test" / "test.csv"
TEMPERATURE = 1.7
BODIES = 200
CUT = {"truncation": True, "max_length": MAX_LENGTH}
FORMS = ("string", "list", "list of one", "object", "list of objects", "list of both")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an artifact with five classes and a temperature."""
    root = tmp_path_factory.mktemp("hugging-face")
    make_artifact(root / "model", classes=5, temperature=TEMPERATURE)
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServingProcess]:
    """Serve it."""
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Any:
    """Return transformers' pipeline on the same files, and nothing else of ours but the temperature."""
    from transformers import pipeline
    from transformers.pipelines.text_classification import TextClassificationPipeline

    class Tempered(TextClassificationPipeline):
        def _forward(self, model_inputs: Any) -> Any:  # type: ignore[override]  # as its parent does
            outputs = super()._forward(model_inputs)
            outputs["logits"] = outputs["logits"] / TEMPERATURE
            return outputs

    return pipeline("text-classification", model=str(folder / "model"), pipeline_class=Tempered)


def as_the_toolkit_calls_it(classifier: Any, body: dict[str, Any]) -> Any:
    """Call a pipeline as the inference toolkit of Hugging Face does."""
    data = dict(body)
    inputs = data.pop("inputs", data)
    parameters = data.pop("parameters", None)
    return classifier(inputs, **parameters) if parameters is not None else classifier(inputs)


def short_texts() -> list[str]:
    """Return texts that the model reads whole."""
    made = [text for _, text in toy_rows(60, classes=5, seed=3) if len(text.split()) < 13]
    return [*made, "?!", "Über Brücken — 中野 浩一", "a\ttab and\na line", "[CLS] [MASK]", "İstanbul"]


def long_texts() -> list[str]:
    """Return texts of the bundled sample, most of them longer than the model reads."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [row[2] for row in csv.reader(file)][:40]


def bodies() -> Iterator[dict[str, Any]]:
    """Yield BODIES bodies: every form of inputs, with settings as clients give them, in an order fixed by a seed."""
    draw = random.Random(16)
    short, long = short_texts(), long_texts()
    for number in range(BODIES):
        is_long = draw.random() < 0.4
        inputs = inputs_of(FORMS[number % len(FORMS)], draw, short + long * is_long)
        yield {"inputs": inputs, **settings_of(draw, is_long=is_long)}


def inputs_of(form: str, draw: random.Random, texts: list[str]) -> Any:
    """Return inputs of a form."""
    text = draw.choice(texts)
    many = draw.sample(texts, draw.randint(2, 6))
    return {
        "string": text,
        "list": many,
        "list of one": [text],
        "object": {"text": text},
        "list of objects": [{"text": one} for one in many],
        "list of both": [*many, {"text": text}],
    }[form]


def settings_of(draw: random.Random, *, is_long: bool) -> dict[str, Any]:
    """Return what stands beside the inputs: nothing, null, or parameters that are true of the server anyway."""
    options = {"options": {"wait_for_model": True, "use_cache": False}} if draw.random() < 0.2 else {}
    if not is_long and draw.random() < 0.2:
        return {**options, **draw.choice([{}, {"parameters": None}, {"parameters": {}}])}
    chosen: dict[str, Any] = dict(CUT) if is_long else {}
    for name, values in {
        "top_k": (1, 2, 3, 5, 50, None),
        "padding": (True, "longest"),
        "batch_size": (1, 8),
        "function_to_apply": ("softmax",),
    }.items():
        if draw.random() < 0.5:
            chosen[name] = draw.choice(values)
    return {**options, "parameters": chosen}


def shape_of(answer: Any) -> Any:
    """Return the nesting and labels of an answer, without its scores."""
    return [shape_of(part) for part in answer] if isinstance(answer, list) else answer["label"]


def scores_of(answer: Any) -> list[float]:
    """Return the scores in the order of the answer."""
    return (
        [score for part in answer for score in scores_of(part)]
        if isinstance(answer, list)
        else [answer["score"]]
    )


def answered(server: ServingProcess, body: Any) -> Any:
    """Return the answer to a body, which must be 200."""
    status, text = server.invoke(json.dumps(body))
    assert status == 200, (body, text)
    return json.loads(text)


def test_200_bodies_are_answered_as_by_the_pipeline(server, classifier):
    """Same nesting, same labels, scores to 1e-5; a text that was cut is marked, and nothing else is added."""
    seen = list(bodies())
    for body in seen:
        pipelines = {key: value for key, value in body.items() if key != "options"}
        wanted, found = as_the_toolkit_calls_it(classifier, pipelines), answered(server, body)
        assert shape_of(found) == shape_of(wanted), body
        assert scores_of(found) == pytest.approx(scores_of(wanted), abs=1e-5), body
        assert keys_of(found) <= {
            "label",
            "score",
            *(["truncated"] if CUT.items() <= parameters_of(body) else []),
        }
    assert len(seen) == BODIES


def parameters_of(body: dict[str, Any]) -> Any:
    """Return the items of a body's parameters."""
    return (body.get("parameters") or {}).items()


def keys_of(answer: Any) -> set[str]:
    """Return the names in an answer's objects."""
    return set().union(*map(keys_of, answer)) if isinstance(answer, list) else set(answer)


def test_an_object_alone_is_the_whole_body_too(server, classifier):
    """`inputs = data.pop("inputs", data)`: {"text": …} is an object to classify."""
    wanted = as_the_toolkit_calls_it(classifier, {"text": "apple river"})
    found = answered(server, {"text": "apple river"})
    assert isinstance(found, dict)
    assert found["label"] == wanted["label"]
    assert found["score"] == pytest.approx(wanted["score"], abs=1e-5)


def test_the_client_of_huggingface_hub_is_answered(server, classifier):
    """It reads the best class of an answer; what is refused reaches its caller in the server's words."""
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import BadRequestError

    client = InferenceClient(f"http://127.0.0.1:{server.port}/invocations")
    for top_k in (None, 2):
        best = client.text_classification("apple river", top_k=top_k)
        assert best == pytest.approx(classifier("apple river")[0], abs=1e-5)
    with pytest.raises(BadRequestError, match='"function_to_apply" is'):
        client.text_classification("apple river", function_to_apply="sigmoid")


@pytest.mark.parametrize("inputs", ["apple river", ["apple river"], ["apple river", "a wheel"]])
def test_return_all_scores_is_answered_as_by_transformers_4(server, classifier, inputs):
    """A list per text, all classes in the order of the model, not by score; version 5 knows the name no more."""
    found = answered(server, {"inputs": inputs, "parameters": {"return_all_scores": True}})
    texts = [inputs] if isinstance(inputs, str) else inputs
    labels = list(classifier.model.config.id2label.values())
    assert shape_of(found) == [labels] * len(texts)
    by_label = [{entry["label"]: entry["score"] for entry in entries} for entries in found]
    for scores, wanted in zip(by_label, classifier(texts, top_k=None), strict=True):
        assert scores == pytest.approx({entry["label"]: entry["score"] for entry in wanted}, abs=1e-5)


def test_return_all_scores_of_an_object_is_one_list(server, classifier):
    """Version 4 put the further list around a string alone."""
    body = {"inputs": {"text": "a wheel"}, "parameters": {"return_all_scores": True}}
    assert shape_of(answered(server, body)) == list(classifier.model.config.id2label.values())


def test_return_all_scores_false_is_the_best_class(server, classifier):
    """As if it were not given."""
    found = answered(server, {"inputs": "a wheel", "parameters": {"return_all_scores": False}})
    assert shape_of(found) == shape_of(classifier("a wheel"))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"inputs": "a", "parameters": {"function_to_apply": "sigmoid"}}, "function_to_apply"),
        ({"inputs": "a", "parameters": {"function_to_apply": "none"}}, "function_to_apply"),
        ({"inputs": "a", "parameters": {"truncation": False}}, "truncation"),
        ({"inputs": "a", "parameters": {"truncation": "only_second"}}, "truncation"),
        ({"inputs": "a", "parameters": {"max_length": MAX_LENGTH - 1}}, "max_length"),
        ({"inputs": "a", "parameters": {"max_length": 4 * MAX_LENGTH, "truncation": True}}, "max_length"),
        ({"inputs": "a", "parameters": {"stride": 4}}, "stride"),
        ({"inputs": "a", "parameters": {"candidate_labels": ["x", "y"]}}, "candidate_labels"),
        ({"inputs": "a", "parameters": {"top_k": 0}}, "top_k"),
        ({"inputs": "a", "parameters": {"top_k": "3"}}, "top_k"),
        ({"inputs": "a", "parameters": {"top_k": True}}, "top_k"),
        ({"inputs": "a", "parameters": ["top_k"]}, "parameters"),
        ({"inputs": {"text": "a", "text_pair": "b"}}, "text_pair"),
        ({"inputs": [{"text": "a", "text_pair": "b"}]}, "text_pair"),
        ({"text": "a", "text_pair": "b"}, "text_pair"),
        ({"inputs": {"question": "who?", "context": "a text"}}, "context"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(server, body, name):
    """Nothing is dropped in silence: an answer to another question would look right."""
    status, text = server.invoke(json.dumps(body))
    assert status == 400, text
    refused = json.loads(text)
    assert refused["code"]
    assert name in refused["error"]


@pytest.mark.parametrize("value", ["", "   ", {"text": ""}, {"label": "a"}, 7])
def test_a_lone_text_that_cannot_be_classified_is_400(server, value):
    """Where transformers would fail or make one up; in a list it is an error beside its neighbours' answers."""
    status, text = server.invoke(json.dumps({"inputs": value}))
    assert status == 400, text
    assert json.loads(text).keys() == {"error", "code"}
    found = answered(server, {"inputs": [value, "a wheel"]})
    assert found[0].keys() == {"error", "code"}
    assert found[1].keys() == {"label", "score"}
