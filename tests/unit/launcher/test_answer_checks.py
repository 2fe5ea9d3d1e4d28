"""What a batch transform is asked to answer: columns, classes and fields as variables of the server, joins."""

import pytest

from bert_classifier.job.answer_form import CSV
from bert_classifier.job.findings import Severity
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.accept import of_accept
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode
from bert_classifier.serving.http.parameters import Wanted
from bert_classifier.serving.http.query import Query
from launcher.aws.s3 import Location
from launcher.checks.accept import predicted_columns
from launcher.checks.answers import answer_variables, check_answers
from launcher.checks.transform import environment_of
from launcher.inputs.channels import LocalChannel
from launcher.inputs.transform import TransformInput
from launcher.settings.inference import TransformSettings


def texts(content_type: str = "text/csv", *, in_s3: bool = False, **more) -> TransformInput:
    """Return texts of a media type."""
    local = None if in_s3 else LocalChannel("input", {})
    return TransformInput(local, Location("a-bucket", "in/"), ("a.csv",), content_type, **more)


def found(given: TransformInput, **settings) -> list[tuple[Severity, str, str]]:
    """Return what is found, with all settings as typed."""
    chosen = TransformSettings(**settings, typed=frozenset(settings))
    return [(one.severity, one.message, one.remedy) for one in check_answers(chosen, given)]


def test_settings_become_variables_that_the_server_takes():
    """Each as the server spells it; what is not set is left out."""
    config = ServeConfig.from_environ(environment_of(TransformSettings(top_k="all"), 'a,"b, c"'))
    assert config.serving_csv_columns == 'a,"b, c"'
    assert config.serving_top_k == "all"
    settings = TransformSettings(inference_output=("predicted_label", "probabilities"))
    config = ServeConfig.from_environ(environment_of(settings, ""))
    assert config.sagemaker_inference_output == ("predicted_label", "probabilities")
    assert environment_of(TransformSettings(), "") == {}
    assert answer_variables(TransformSettings(top_k=3), "")["SERVING_TOP_K"] == "3"


@pytest.mark.parametrize(
    ("settings", "variable", "named"),
    [
        ({"top_k": 3}, "SERVING_TOP_K", "TOP_K and"),
        ({"inference_output": ("labels",)}, "SAGEMAKER_INFERENCE_OUTPUT", "INFERENCE_OUTPUT and"),
        ({"columns": "label,text"}, "SERVING_CSV_COLUMNS", "the columns of the texts and"),
    ],
)
def test_a_variable_given_twice_is_refused(settings, variable, named):
    """Which of the two is meant nobody knows."""
    given = texts(in_s3=True, columns=settings.get("columns", ""))
    wrong = [
        one for one in found(given, **settings, environment=((variable, "3"),)) if one[0] is Severity.ERROR
    ]
    assert [message for _, message, _ in wrong] == [f"{named} ENVIRONMENT both give {variable}"]
    assert not [one for one in found(given, **settings) if one[0] is Severity.ERROR]


@pytest.mark.parametrize(
    ("given", "settings", "severity", "expected"),
    [
        (texts(in_s3=True), {}, Severity.OK, "taken as texts alone"),
        (texts(in_s3=True, columns="label,text"), {"columns": "label,text"}, Severity.OK, "columns label,text"),
        (texts(in_s3=True, columns="a,b"), {"columns": "a,b"}, Severity.WARNING, "unless the training's names"),
        (texts(in_s3=True, columns="label"), {"columns": "label"}, Severity.ERROR, "COLUMNS names only the label"),
        (texts(in_s3=True, columns='"a'), {"columns": '"a'}, Severity.ERROR, "is not one row of CSV"),
        (texts("text/csv; header=present", in_s3=True), {}, Severity.ERROR, "would lose its first row"),
        (texts('text/csv; Header="present"'), {}, Severity.ERROR, "would lose its first row"),
        (texts(), {"columns": "label,text"}, Severity.ERROR, "COLUMNS would do nothing: local files are"),
        (texts("text/plain", in_s3=True), {"columns": "a"}, Severity.ERROR, "it is for CSV, not for text/plain"),
        (texts(in_s3=True), {"text_column": "a"}, Severity.ERROR, "TEXT_COLUMN would do nothing: only local"),
        (texts(), {"accept": "text/csv; header=present"}, Severity.ERROR, "header=present would put"),
        (texts("text/plain"), {"join": True}, Severity.ERROR, "joins predictions to CSV and JSON Lines, not to"),
        (texts(), {"join": True, "accept": "application/json"}, Severity.ERROR, "of the same form only, not"),
        (
            texts("application/jsonlines", is_converted=True),
            {"join": True}, Severity.ERROR, "sent as JSON Lines instead of themselves",
        ),
        (texts("application/jsonlines"), {"join": True}, Severity.OK, "SageMakerOutput"),
        (texts(columns="a,text"), {"join": True}, Severity.OK, "output: a,text,label,score,error"),
        (
            texts(), {"join": True, "inference_output": ("predicted_label", "labels")}, Severity.OK,
            "output: text,predicted_label,label_1,…",
        ),
        (texts(), {"join": True, "top_k": 3}, Severity.OK, "output: text,label_1,score_1,…,error"),
        (texts(in_s3=True), {"join": True}, Severity.WARNING, "a header row has no prediction"),
        (
            texts(columns="a,text"), {"join": True, "accept": "text/csv; top_k=all"}, Severity.OK,
            "output: a,text,label_1,score_1,…,error",
        ),
        (
            texts(columns="a,text"), {"join": True, "accept": 'text/csv; output="labels,error"'}, Severity.OK,
            "output: a,text,label_1,…,error",
        ),
        (
            texts(columns="a,text"), {"join": True, "environment": (("SERVING_TOP_K", "1"),)}, Severity.OK,
            "output: a,text,label_1,score_1,error",
        ),
        (
            texts(in_s3=True, columns="label;text"), {"join": True, "columns": "label;text"}, Severity.ERROR,
            "unlike the columns label;text",
        ),
    ],
)  # fmt: skip
def test_what_is_asked_is_checked(given, settings, severity, expected):
    """What cannot be answered is refused; what will be answered is said."""
    assert [one for one in found(given, **settings) if one[0] is severity and expected in one[1]]


def test_a_header_that_is_announced_gets_its_remedy():
    """The columns for objects in S3; local files are understood."""
    ((_, _, in_s3),) = found(texts("text/csv; header=present", in_s3=True))
    ((_, _, local),) = found(texts("text/csv; header=present"), content_type="text/csv; header=present")
    assert "COLUMNS=label,text" in in_s3
    assert "HEADER=true" in local


@pytest.mark.parametrize("is_multi_label", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {}, {"top_k": 1}, {"inference_output": ("predicted_label", "probability")}, {"inference_output": ("error",)},
        {"inference_output": ("labels", "probabilities", "error")}, {"accept": "text/csv; top_k=1"},
        {"accept": 'text/csv; output="probabilities, labels"'}, {"environment": (("SERVING_TOP_K", "1"),)},
    ],
)  # fmt: skip
def test_columns_of_predictions_are_the_servers(settings, is_multi_label):
    """Which answers with a header where it is asked for one."""
    chosen = TransformSettings(**settings)
    environment = environment_of(chosen, "")
    config = ServeConfig.from_environ(environment)
    asked = of_accept(chosen.accept, CSV, config).wanted
    thresholds = [0.5] if is_multi_label else None
    form = ResponseFormat(
        ["Film"], asked or Wanted.by_settings(config), has_header=True, thresholds=thresholds
    )
    header = encode([], Query([]), form, CSV)
    columns = ",".join(predicted_columns(chosen.accept, environment, is_multi_label=is_multi_label))
    assert header == columns.replace("probability_…", "probability_Film").replace(",…", "")


@pytest.mark.parametrize(
    "content_type", ["text/csv", "application/jsonlines", "text/plain", "application/json"]
)
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/x-npy", "strings them together"),
        ("application/json", "strings them together"),
        ("application/xml", "does not write ACCEPT=application/xml"),
        ("*/*", "does not write ACCEPT=*/*"),
        ("text/csv; tok_k=3", "In ACCEPT, the parameter 'tok_k' is unknown"),
        ("text/csv; top_k=none", '"top_k" is not a whole number'),
        ("text/csv, application/json;q=0.5", "several media types"),
        ("text/csv; top_k =3", "is not one media type with parameters"),
        ("text/csv; top_k=3; TOP_K=2", "is not one media type with parameters"),
        ("text/csv; top_k*=utf-8''3", "'top_k*' is unknown"),
        ("csv", "is not one media type with parameters"),
        ("text/csv; q=0", "q in ACCEPT"),
        ("text/csv; header=present", "header=present would put a row of names"),
        ('text/csv; output="labels,error"', ""),
        ("application/x-ndjson; top_k=all", ""),
        ("Text/CSV; TOP_K=all", ""),
    ],
)
def test_predictions_have_a_form_that_can_be_put_together(content_type, accept, expected):
    """Which the server writes: what it would refuse is refused before the job."""
    is_document = content_type == "application/json"
    wrong = [m for severity, m, _ in found(texts(content_type), accept=accept) if severity is Severity.ERROR]
    assert len(wrong) == bool(expected and not (is_document and "strings" in expected))
    assert all(expected in message for message in wrong)
    if not expected:
        assert of_accept(accept, content_type, ServeConfig()).name == accept.split(";")[0].lower()


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("text/csv; header=maybe", "neither present nor absent"), ("text/csv; header", "is not one media type")],
)
def test_parameters_of_the_texts_are_checked(content_type, expected):
    """Which the server would refuse with 415."""
    wrong = [
        m
        for severity, m, _ in found(texts(content_type), content_type=content_type)
        if severity is Severity.ERROR
    ]
    assert expected in wrong[0]


@pytest.mark.parametrize("content_type", ["application/octet-stream", "application/x-foo"])
def test_texts_have_a_form_that_the_server_reads(content_type):
    """Named with those that it does."""
    ((severity, message, remedy),) = found(texts(content_type), content_type=content_type)
    assert severity is Severity.ERROR
    assert content_type in message
    assert "text/csv, text/plain" in remedy


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"top_k": 3, "accept": "text/csv; top_k=2"}, "TOP_K and ACCEPT"),
        (
            {"inference_output": ("labels",), "accept": "text/csv; output=labels"},
            "INFERENCE_OUTPUT and ACCEPT",
        ),
        ({"inference_output": ("labels",), "accept": "text/csv; top_k=2"}, "INFERENCE_OUTPUT and ACCEPT"),
        (
            {"inference_output": ("probabilities",), "environment": (("SERVING_TOP_K", "2"),)},
            "ENVIRONMENT's SERVING_TOP_K and INFERENCE_OUTPUT",
        ),
        (
            {"accept": "text/csv; top_k=2", "environment": (("SAGEMAKER_INFERENCE_OUTPUT", "labels"),)},
            "ENVIRONMENT's SAGEMAKER_INFERENCE_OUTPUT and ACCEPT",
        ),
        ({"top_k": 3, "inference_output": ("error",)}, "TOP_K and INFERENCE_OUTPUT"),
    ],
)
def test_what_a_prediction_holds_is_said_once(settings, named):
    """Of two only one would have an effect."""
    wrong = [message for severity, message, _ in found(texts(), **settings) if severity is Severity.ERROR]
    assert wrong == [f"{named} each say what a prediction holds"]


def test_fields_without_quotes_are_told():
    """Their comma would begin another media type."""
    ((_, message, remedy),) = found(texts(), accept="text/csv; output=labels,error")
    assert "several media types" in message
    assert 'output="labels,error"' in remedy


def test_a_default_of_the_servers_accept_does_nothing_in_a_job():
    """Which names the form in each request."""
    given = (("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv"),)
    ((severity, message, remedy),) = found(texts(), environment=given)
    assert (severity, remedy) == (Severity.ERROR, "Give ACCEPT instead.")
    assert "does nothing" in message
