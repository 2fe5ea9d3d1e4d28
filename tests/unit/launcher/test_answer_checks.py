"""What a batch transform is asked to answer: columns, classes and fields as variables of the server, joins."""

import pytest

from bert_classifier.job.config import ServeConfig
from bert_classifier.job.findings import Severity
from bert_classifier.serving.http.answer_bodies import ResponseFormat, encode
from bert_classifier.serving.http.parameters import Wanted
from bert_classifier.serving.http.query import Query
from launcher.aws.s3 import Location
from launcher.checks.answers import answer_columns, answer_variables, check_answers
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
    settings = TransformSettings(top_k="all", inference_output=("predicted_label", "probabilities"))
    environment = environment_of(settings, 'a,"b, c"')
    config = ServeConfig.from_environ(environment)
    assert config.serving_csv_columns == 'a,"b, c"'
    assert config.serving_top_k == "all"
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
        (texts(), {"accept": "text/csv; header=present"}, Severity.ERROR, "a header of its own"),
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
        (texts(), {"top_k": 3, "inference_output": ("error",)}, Severity.ERROR, "INFERENCE_OUTPUT replaces TOP_K"),
        (texts(in_s3=True), {"join": True}, Severity.WARNING, "a header row has no prediction"),
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


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"top_k": 1}, {"inference_output": ("predicted_label", "probability")}, {"inference_output": ("error",)},
        {"inference_output": ("labels", "probabilities", "error")},
    ],
)  # fmt: skip
def test_columns_of_predictions_are_the_servers(settings):
    """Which answers with a header where it is asked for one."""
    chosen = TransformSettings(**settings)
    config = ServeConfig.from_environ(environment_of(chosen, ""))
    form = ResponseFormat(["Film"], Wanted.by_settings(config), has_header=True)
    header = encode([], Query([]), form, "text/csv")
    named = ",".join(answer_columns(chosen)).replace("probability_…", "probability_Film").replace(",…", "")
    assert header == named
