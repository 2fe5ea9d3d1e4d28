"""Requests as clients of every kind send them, against the real server: status, media type and shape of each answer."""

import csv
import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from support.patience import PATIENCE_S
from support.serving_process import ServingProcess
from support.toy_artifact import make_artifact

JSON, LINES, CSV, PLAIN = "application/json", "application/jsonlines", "text/csv", "text/plain"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
AWS_FIELDS = 'output="predicted_label,probabilities"'
EVERY_FIELD = "predicted_label,probability,probabilities,labels,error"
CLASSES = 3
BEST, ERROR = "class", "error"
ALL = [BEST] * CLASSES
ROW = 3  # cells: label, score, error
pytestmark = pytest.mark.slow


class Ask(NamedTuple):
    """A request, and what its answer is: the shape where the status is 200, else words of the error."""

    type: str
    body: str | bytes
    shape: Any
    accept: str | None = None
    status: int = 200


def inputs(value: Any, **parameters: Any) -> str:
    """Return a body of JSON as Hugging Face's clients send it."""
    return json.dumps({"inputs": value, **({"parameters": parameters} if parameters else {})})


def refused(type_: str, body: str, *words: str, status: int = 400, accept: str | None = None) -> Ask:
    """Return a request that is refused as a whole, with these words in its error."""
    return Ask(type_, body, words, accept, status)


ASKS = {
    # JSON: the nesting of transformers' pipeline
    "a string": Ask(JSON, '"a plain text"', [BEST]),
    "a list": Ask(JSON, '["a", "b"]', [BEST, BEST]),
    "an empty list": Ask(JSON, "[]", []),
    "inputs a string": Ask(JSON, inputs("a plain text"), [BEST]),
    "inputs a list of one": Ask(JSON, inputs(["a plain text"]), [BEST]),
    "inputs an object": Ask(JSON, inputs({"text": "a plain text"}), BEST),
    "inputs a list of objects": Ask(JSON, inputs([{"text": "a"}, {"text": "b"}]), [BEST, BEST]),
    "an object with a text": Ask(JSON, '{"text": "a plain text"}', BEST),
    "instances": Ask(JSON, '{"instances": ["a", {"text": "b"}]}', [BEST, BEST]),
    "top_k of a string": Ask(JSON, inputs("a", top_k=2), [BEST, BEST]),
    "top_k 1 of a string": Ask(JSON, inputs("a", top_k=1), [BEST]),
    "top_k null of a string": Ask(JSON, inputs("a", top_k=None), ALL),
    "top_k of a list": Ask(JSON, inputs(["a", "b"], top_k=2), [[BEST] * 2] * 2),
    "top_k 1 of a list": Ask(JSON, inputs(["a", "b"], top_k=1), [[BEST], [BEST]]),
    "top_k null of a list": Ask(JSON, inputs(["a", "b"], top_k=None), [ALL, ALL]),
    "top_k beyond the classes": Ask(JSON, inputs("a", top_k=99), ALL),
    "top_k of an object": Ask(JSON, inputs({"text": "a"}, top_k=2), [BEST, BEST]),
    "return_all_scores of a string": Ask(JSON, inputs("a", return_all_scores=True), [ALL]),
    "return_all_scores of a list": Ask(JSON, inputs(["a", "b"], return_all_scores=True), [ALL, ALL]),
    "return_all_scores false": Ask(JSON, inputs("a", return_all_scores=False), [BEST]),
    "true settings": Ask(JSON, inputs("a", truncation=True, padding=True, batch_size=8), [BEST]),
    "softmax": Ask(JSON, inputs("a", function_to_apply="softmax"), [BEST]),
    "parameters null": Ask(JSON, '{"inputs": "a", "parameters": null}', [BEST]),
    "options": Ask(JSON, '{"inputs": "a", "options": {"wait_for_model": true, "use_cache": false}}', [BEST]),
    "sigmoid": refused(JSON, inputs("a", function_to_apply="sigmoid"), "function_to_apply"),
    "no truncation": refused(JSON, inputs("a", truncation=False), "truncation"),
    "an unknown parameter": refused(JSON, inputs("a", temperature=0.5), "temperature"),
    "top_k of the wrong kind": refused(JSON, inputs("a", top_k=1.5), "top_k"),
    "a parameter in the wrong place": refused(JSON, '{"inputs": "a", "top_k": 2}', '"parameters": {"top_k"'),
    "a misspelt field": refused(JSON, '{"inptus": "a"}', "inputs"),
    "a second text": refused(JSON, inputs([{"text": "a", "text_pair": "b"}]), "text_pair"),
    "a pair of texts": refused(JSON, inputs([["a", "b"]]), "several texts"),
    # a lone text that cannot be classified fails; in a list it stands in its place
    "an empty string": refused(JSON, inputs(""), "empty"),
    "no token": refused(JSON, inputs("\u200b"), "empty"),
    "an empty object": refused(JSON, inputs({"text": " "}), "empty"),
    "a number": refused(JSON, inputs(7), "texts"),
    "an empty string in a list": Ask(JSON, inputs(["", "a"]), [ERROR, BEST]),
    "no token in a list": Ask(JSON, inputs(["a", "\u200b"]), [BEST, ERROR]),
    "an empty string in a list of one": Ask(JSON, inputs([""]), [ERROR]),
    "an error beside lists": Ask(JSON, inputs(["", "a"], top_k=2), [ERROR, [BEST] * 2]),
    # JSON Lines: a line for a line
    "lines of strings": Ask(LINES, '"a"\n"b"', [BEST, BEST]),
    "lines of objects": Ask(LINES, '{"text": "a"}\n{"inputs": "b"}\n', [BEST, BEST]),
    "SageMaker's features": Ask(LINES, '{"features": ["a"]}\n{"features": ["b"]}', [BEST, BEST]),
    "several features": Ask(LINES, '{"features": ["a", "b"]}\n"c"', [ERROR, BEST]),
    "training's names": Ask(LINES, '{"abstract": "a", "label": "x"}\n{"text": "", "title": "b"}', [BEST, BEST]),
    "an identifier is ignored": Ask(LINES, '{"text": "a", "id": 7, "label": "x"}', [BEST]),
    "top_k of a line": Ask(LINES, '{"text": "a", "parameters": {"top_k": 2}}\n{"text": "b"}', [[BEST] * 2, BEST]),
    "a bad line": Ask(LINES, '{"text": "a"}\n{\n\n"b"', [BEST, ERROR, ERROR, BEST]),
    "x-jsonlines": Ask("application/x-jsonlines", '{"text": "a"}', [BEST]),
    "x-ndjson": Ask("application/x-ndjson", '{"text": "a"}', [BEST]),
    "jsonl": Ask("application/jsonl", '{"text": "a"}', [BEST]),
    "upper case": Ask("Application/JSONLines; charset=UTF-8", '{"text": "a"}', [BEST]),
    "lines of all classes": Ask(LINES, '"a"\n"b"', [ALL, ALL], f"{LINES}; top_k=all"),
    # CSV: a text per row, or a file like the training's
    "rows": Ask(CSV, "a\nb, with a comma\n", [ROW, ROW]),
    "quoted rows": Ask(CSV, '"a, ""quoted"""\n"b\nof two lines"\n', [ROW, ROW]),
    "a blank row": Ask(CSV, "a\n\nb\n", [ROW, ROW, ROW]),
    "a training file": Ask(CSV, 'label,text\n7,"a, quoted"\n3,another\n', [ROW, ROW]),
    "a training file, text first": Ask(CSV, 'review,stars\n"a, quoted",1\nanother,2\n', [ROW, ROW]),
    "semicolons": Ask(CSV, "label;text\nAlpha;a text, with a comma\nBeta;another\n", [ROW, ROW]),
    "tabs": Ask(CSV, "label\ttext\nAlpha\ta text\nBeta\tanother\n", [ROW, ROW]),
    "with a byte order mark": Ask(CSV, "\ufefflabel,text\r\nAlpha,a\r\nBeta,b\r\n", [ROW, ROW]),
    "DBpedia's rows": Ask(CSV, '1,"a title","an abstract, quoted"\n2,"b","b abstract"\n', [ROW, ROW]),
    "rows of labels and texts": Ask(CSV, 'Alpha,"a text"\nBeta,"b, quoted"\n', [ROW, ROW]),
    "header=present": Ask("text/csv; header=present", "utterance\na\nb\n", [ROW, ROW]),
    "header=absent": Ask("text/csv; header=absent", "text\na\nb\n", [ROW] * 3),
    "charset": Ask("text/csv;charset=UTF-8", "a\nb\n", [ROW, ROW]),
    "Latin-1": Ask("text/csv; charset=iso-8859-1", "caf\u00e9\nb\n".encode("latin-1"), [ROW, ROW]),
    "not the charset it names": refused("text/csv; charset=utf-16", "abc", "utf-16"),
    "a header in the answer": Ask(CSV, "a\nb\n", [ROW] * 3, "text/csv; header=present"),
    "all classes of rows": Ask(CSV, "a\n\nb\n", [2 * CLASSES + 1] * 3, "text/csv; top_k=all"),
    "probabilities of rows": Ask(CSV, "a\n\nb\n", [CLASSES] * 3, "text/csv; output=probabilities"),
    "label and probabilities": Ask(CSV, "a\n", [CLASSES + 1], f"text/csv; {AWS_FIELDS}"),
    "rows that fit nothing": refused(CSV, "1,a title,an abstract\n2,b title\n3,c\n", "row"),
    "every field": Ask(CSV, "a\n\n", [2 * CLASSES + 3] * 2, f'text/csv; output="{EVERY_FIELD}"'),
    "a table with a header": Ask(CSV, "a\nb\n", [CLASSES] * 3, "text/csv; header=present; output=probabilities"),
    # other forms
    "plain text": Ask(PLAIN, "a\nb\n", [BEST, BEST]),
    "plain text without a line end": Ask("text/plain; charset=utf-8", "a", [BEST]),
    # Accept
    "no Accept": Ask(JSON, inputs("a"), [BEST]),
    "anything": Ask(JSON, inputs("a"), [BEST], "*/*"),
    "Java's Accept": Ask(JSON, inputs("a"), [BEST], JAVA),
    "a browser's Accept": Ask(JSON, inputs("a"), [BEST], BROWSER),
    "JSON into CSV": Ask(JSON, inputs(["a", "b"]), [ROW, ROW], CSV),
    "CSV into JSON": Ask(CSV, "a\nb\n", [BEST, BEST], JSON),
    "CSV into lines": Ask(CSV, "a\n\n", [BEST, ERROR], LINES),
    "a star alone": Ask(JSON, inputs("a"), [BEST], "*"),
    "fields of AWS": Ask(LINES, '"a"', ["predicted_label probabilities"], f"{LINES}; {AWS_FIELDS}"),
    "fields without quotes": refused(
        JSON, inputs("a"), "quotes", 'output="', status=406, accept="text/csv; output=predicted_label,probabilities"
    ),
    "fields with blanks": refused(
        JSON, inputs("a"), "quotes", status=406, accept="text/csv; output=predicted_label probabilities"
    ),
    "another type behind a field": Ask(JSON, '"a"', [1], "text/csv; output=predicted_label, application/xml"),
    "only HTML": refused(JSON, inputs("a"), "Accept", JSON, status=406, accept="text/html"),
    # types that are none of ours, by name
    "curl's default": refused("application/x-www-form-urlencoded", "a", "x-www-form-urlencoded", JSON, status=415),
    "bytes": refused("application/octet-stream", "a", "application/octet-stream", "Content-Type", status=415),
    "XML": refused("application/xml", "<a/>", "application/xml", JSON, status=415),
    "Parquet": refused("application/x-parquet", "PAR1", "application/x-parquet", status=415),
    "an empty type": refused("", "a", "Content-Type", JSON, status=415),
    "a charset of few": refused("text/csv; charset=utf-7", "a", "utf-7", status=415),
    # bodies that cannot be read
    "broken JSON": refused(JSON, '{"inputs": ', "JSON"),
    "an empty body": refused(JSON, "", "empty"),
    "an object of nothing": refused(JSON, "{}", "inputs"),
    "a null": refused(JSON, "null", "texts"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """Serve a model whose training data had no names for their columns, as DBpedia's."""
    folder = tmp_path_factory.mktemp("requests")
    make_artifact(folder / "model", classes=CLASSES)
    with ServingProcess(folder, folder / "log") as process:
        process.wait_until_ready()
        yield process


def sent(server: ServingProcess, ask: Ask) -> tuple[int, str, bytes]:
    """Send a request with no header but its own; return status, media type and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    headers = {"Content-Type": ask.type} if ask.type else {}
    headers |= {"Accept": ask.accept} if ask.accept is not None else {}
    body = ask.body.encode() if isinstance(ask.body, str) else ask.body
    try:
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def shape_of(value: Any) -> Any:
    """Return the nesting of an answer: what was asked for, or an error, in each place."""
    if isinstance(value, list):
        return [shape_of(part) for part in value]
    if "error" in value:
        assert value.keys() == {"error", "code"}
        return ERROR
    return BEST if "score" in value else " ".join(value)


def shape_of_answer(media_type: str, body: bytes) -> Any:
    """Return the shape of an answer of one of the forms; of CSV the number of cells in each row."""
    text = body.decode()
    if media_type == CSV:
        return [len(row) for row in csv.reader(text.splitlines())]
    if media_type == JSON:
        return shape_of(json.loads(text))
    assert media_type in (LINES, "application/x-jsonlines", "application/x-ndjson", "application/jsonl")
    return [shape_of(json.loads(line)) for line in text.split("\n")]


@pytest.mark.parametrize("name", ASKS)
def test_a_request_is_answered_as_its_client_expects(server, name):
    """The media type stands alone; an error is one sentence and a code."""
    ask = ASKS[name]
    status, media_type, body = sent(server, ask)
    assert status == ask.status, body
    if status == 200:
        assert shape_of_answer(media_type, body) == ask.shape
        return
    assert media_type == JSON
    said = json.loads(body)
    assert said["code"]
    assert [word for word in ask.shape if word not in said["error"]] == [], said
