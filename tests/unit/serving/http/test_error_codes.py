"""Every error answer has a code, which the access log and the metrics have too."""

import ast
import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bert_classifier.serving.http import app
from bert_classifier.serving.metrics import CODES, OTHER
from support.source_tree import package_files, tree_of


def _codes_in_source():
    """Return the codes that are written where an error is raised."""
    calls = [n for path in package_files() for n in ast.walk(tree_of(path)) if isinstance(n, ast.Call)]
    names = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "RequestError"]
    codes = [call.args[1] for call in names if len(call.args) > 1]
    return {code.value for code in codes if isinstance(code, ast.Constant)}


def test_the_metrics_know_every_code():
    """No code of the program is counted as other."""
    found = _codes_in_source()
    assert len(found) > 10
    assert not found - {*CODES}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/ping/", 404, "not_found"),
        ("POST", "/invocations/", 404, "not_found"),
        ("GET", "/models//one", 404, "not_found"),
        ("HEAD", "/nothing", 404, "not_found"),
        ("GET", "/invocations", 405, "method_not_allowed"),
        ("HEAD", "/invocations", 405, "method_not_allowed"),
        ("OPTIONS", "/", 405, "method_not_allowed"),
        ("TRACE", "/metrics", 405, "method_not_allowed"),
        ("PUT", "/models/one", 405, "method_not_allowed"),
        ("GET", "/models", 501, "multi_model_unsupported"),
        ("HEAD", "/models/one", 501, "multi_model_unsupported"),
        ("DELETE", "/models/one", 501, "multi_model_unsupported"),
        ("POST", "/models/one/invoke", 501, "multi_model_unsupported"),
        ("POST", "/invocations", 415, "unsupported_media_type"),
    ],
)
def test_each_error_answer_has_a_code(observed, log_lines, method, path, status, code):
    """In the body (a HEAD request has none), in the log and in the metrics, which count it once."""
    response = observed.open(path, method=method, buffered=True)
    assert (response.status_code, response.content_type) == (status, "application/json")
    assert method == "HEAD" or json.loads(response.text)["code"] == code
    assert method != "HEAD" or response.text == ""
    entries = log_lines()
    assert path == "/metrics" or (entries[-1]["status"], entries[-1]["code"]) == (status, code)
    families = text_string_to_metric_families(observed.get("/metrics").text)
    counts = {s.labels["code"]: s.value for f in families if f.name == "bert_refusals" for s in f.samples}
    assert {name for name, count in counts.items() if count == 1} == {code}
    assert counts[OTHER] == 0


def test_no_redirect(observed):
    """Two slashes are not corrected by a redirect, whose answer would be HTML and may lead to another host."""
    response = observed.open(environ_overrides={"PATH_INFO": "//ping"}, buffered=True)
    assert (response.status_code, response.headers.get("Location")) == (200, None)


def test_a_bug_behind_the_answer(observed, log_lines, monkeypatch):
    """An error after the view, in what all answers have in common, is a bug with an id too."""

    def fail(*_):
        raise ValueError("secret-7")

    monkeypatch.setattr(app, "_echo_attributes", fail)
    response = observed.get("/", buffered=True)
    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert response.json["id"]
    assert "secret-7" not in response.text
