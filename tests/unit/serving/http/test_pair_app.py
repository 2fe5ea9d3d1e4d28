"""The app around a real tiny model of text pairs: scores, cuts, and what it tells of itself."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.app import create_app
from support.toy_artifact import MAX_LENGTH

PAIRS = [["apple cherry", "river ocean"], ["river ocean", "apple cherry"], ["a wheel, a piston", "violin"]]
HALF_EMPTY = [["apple cherry", ""], ["", "river ocean"]]
LONG = ["apple " * 40, "river " * 30]


@pytest.fixture
def client(make_service, pair_predictor):
    """Return a client of the app."""
    return create_app(make_service(pair_predictor), ServeConfig()).test_client()


def scores_of(entries):
    """Return the score of each class of an answer with top_k."""
    return {entry["label"]: entry["score"] for entry in entries}


def test_scores_are_those_of_transformers(client, pair_dir):
    """Tokenised, cut and typed as by its own tokenizer; the order of the two texts matters."""
    model = AutoModelForSequenceClassification.from_pretrained(pair_dir).eval()
    tokenizer = AutoTokenizer.from_pretrained(pair_dir)
    texts = [*PAIRS, LONG, *HALF_EMPTY]
    body = {"inputs": texts, "parameters": {"top_k": None}}
    found = client.post("/invocations", json=body, buffered=True).json
    for (first, second), entries in zip(texts, found, strict=True):
        encoded = tokenizer([first], [second], truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        with torch.no_grad():
            scores = torch.softmax(model(**encoded).logits[0].double(), dim=0)
        wanted = {model.config.id2label[index]: score for index, score in enumerate(scores.tolist())}
        assert scores_of(entries) == pytest.approx(wanted, abs=1e-5)
    assert scores_of(found[0]) != pytest.approx(scores_of(found[1]), abs=1e-4)
    assert [entry.get("truncated") for entry in (found[0][0], found[3][0])] == [None, True]


def test_every_form_has_the_same_answer(client):
    """JSON, JSON Lines and CSV."""
    wanted = client.post("/invocations", json=PAIRS, buffered=True).json
    lines = "\n".join(json.dumps({"premise": first, "hypothesis": second}) for first, second in PAIRS)
    answers = client.post(
        "/invocations", data=lines, content_type="application/jsonlines", buffered=True
    ).text
    assert [json.loads(line) for line in answers.split("\n")] == wanted
    rows = "text,text_pair\n" + "\n".join(f'"{first}","{second}"' for first, second in PAIRS)
    answers = client.post("/invocations", data=rows, content_type="text/csv", buffered=True).text
    assert [row.split(",")[0] for row in answers.split("\n")] == [answer["label"] for answer in wanted]


def test_a_single_text_is_refused(client):
    """400 with one sentence; on a line, only that line."""
    answer = client.post("/invocations", json={"inputs": "apple"}, buffered=True)
    assert (answer.status_code, answer.json["code"]) == (400, "one_text")
    empty = client.post("/invocations", json={"text": " ", "text_pair": ""}, buffered=True)
    assert empty.status_code == 400
    assert empty.json["error"].startswith("Both texts of the pair are empty. The model reads pairs of texts:")
    lines = client.post(
        "/invocations", data='"apple"\n["a", "b"]', content_type="application/jsonlines", buffered=True
    ).text.split("\n")
    assert json.loads(lines[0])["code"] == "one_text"
    assert json.loads(lines[1]).keys() == {"label", "score"}


def test_it_says_that_it_reads_pairs(client):
    """For the page, which asks for a second text."""
    assert client.get("/model").json["is_paired"] is True
