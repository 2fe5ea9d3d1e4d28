"""What a batch transform is asked to answer: columns of its texts, classes and fields, joined to its input or not."""

from collections.abc import Iterator

from bert_classifier.data.columns import ColumnsError
from bert_classifier.data.dialect import find_dialect
from bert_classifier.data.text_columns import FixedColumns, header_settings
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import UserError
from launcher.checks.accept import asked_of, check_forms, predicted_columns
from launcher.checks.unused import check_unused
from launcher.findings import Finding, fail, ok, told, warn
from launcher.inputs.csv_columns import only_label
from launcher.inputs.text_file import CSV, JSON_LINES
from launcher.inputs.transform import TransformInput, bare_type
from launcher.settings.inference import TransformSettings
from launcher.settings.reading import READING

_COLUMNS, _TOP_K, _OUTPUT = "SERVING_CSV_COLUMNS", "SERVING_TOP_K", "SAGEMAKER_INFERENCE_OUTPUT"
_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
_SET_BY = {_COLUMNS: "the columns of the texts", _TOP_K: "TOP_K", _OUTPUT: "INFERENCE_OUTPUT"}
_TAKEN_ALONE = (
    "CSV in S3 is taken as texts alone: the server refuses it if it finds a header row or labels;"
    " for a table give its columns, such as COLUMNS=label,text"
)


def answer_variables(settings: TransformSettings, columns: str) -> dict[str, str]:
    """Return the variables of the container that the settings stand for; "" for those that are not set."""
    return {
        _COLUMNS: columns,
        _TOP_K: str(settings.top_k or ""),
        _OUTPUT: ",".join(settings.inference_output),
    }


def check_answers(settings: TransformSettings, texts: TransformInput | None) -> Iterator[Finding]:
    """Check what decides how the server reads the texts and what it answers, as far as that needs no model."""
    columns = texts.columns if texts else settings.columns
    yield from _check_twice(settings, columns)
    if not texts:
        return
    yield from check_forms(settings, texts)
    yield from _check_columns(settings, texts)
    if settings.join:
        yield from _check_join(settings, texts)


def _check_twice(settings: TransformSettings, columns: str) -> Iterator[Finding]:
    """Refuse what is given twice: which of the two is meant nobody knows."""
    given, environment = answer_variables(settings, columns), dict(settings.environment)
    both = [name for name in environment if given.get(name)]
    for name in both:
        yield fail("settings", f"{_SET_BY[name]} and ENVIRONMENT both give {name}", "Keep one of them.")
    source = {_TOP_K: "ENVIRONMENT's SERVING_TOP_K", _OUTPUT: f"ENVIRONMENT's {_OUTPUT}"}
    said = [
        source[name] if name in environment else _SET_BY[name]
        for name in source
        if {**given, **environment}.get(name)
    ]
    if asked_of(settings.accept):
        said.append("ACCEPT")
    if len(said) > 1:
        message = f"{' and '.join(said)} each say what a prediction holds"
        yield fail("settings", message, "Give one of them; INFERENCE_OUTPUT=probabilities has all classes.")
    if _ACCEPT in environment:
        message = (
            f"ENVIRONMENT's {_ACCEPT} does nothing: a job names the form of its predictions in each request"
        )
        yield fail("settings", message, "Give ACCEPT instead.")


def _check_columns(settings: TransformSettings, texts: TransformInput) -> Iterator[Finding]:
    if texts.local or texts.media_type != CSV:
        reason = "local files are looked at" if texts.local else f"it is for CSV, not for {texts.media_type}"
        yield from check_unused(settings, {"columns": reason})
    if not texts.local or settings.content_type:
        reason = "only local files without CONTENT_TYPE are looked at"
        remedy = "Leave CONTENT_TYPE out, or these settings." if texts.local else "Leave it out."
        yield from check_unused(settings, dict.fromkeys(READING, reason), remedy)
    if texts.media_type != CSV:
        return
    if texts.says("header=present"):
        local = "Leave CONTENT_TYPE out: the header is then recognised, or told by HEADER=true."
        yield fail(
            "input", "with header=present every later part of a file would lose its first row",
            local if texts.local else "Leave it out, and give the columns in their order: COLUMNS=label,text.",
        )  # fmt: skip
    elif not texts.local:
        yield from _check_names(settings.columns)
        columns = f"each row in S3 has the columns {texts.columns}; one that repeats them is left out"
        yield told(ok("input", columns if texts.columns else _TAKEN_ALONE))


def _check_names(columns: str) -> Iterator[Finding]:
    """Check that columns are a row of CSV, and doubt those by which only the training's names may tell the text."""
    try:
        FixedColumns.of(columns, TextFields())
    except ColumnsError as error:
        if _names_pair(columns):
            yield ok("input", "COLUMNS names the two texts of a pair, for a model that reads pairs")
            return
        label = only_label(columns.split(","))
        if label:
            yield fail("input", f"COLUMNS names only the label {label}", "Name the column of the texts, too.")
            return
        message = (
            f"{error.cause.removesuffix('.')}: unless the training's names tell it, the server does not start"
        )
        yield warn(
            "input", message, "Make sure of it, or name the text column text and the others otherwise."
        )
    except UserError as error:
        yield fail("input", error.cause.removesuffix("."), "Write COLUMNS=label,text.")


def _names_pair(columns: str) -> bool:
    """Return whether columns are called like the two texts of a pair."""
    try:
        return FixedColumns.of(columns, TextFields(is_paired=True)) is not None
    except UserError:
        return False


def _check_join(settings: TransformSettings, texts: TransformInput) -> Iterator[Finding]:
    accept = bare_type(texts.accept(settings))
    if texts.is_converted:
        message = "predictions cannot be joined to files that are sent as JSON Lines instead of themselves"
        remedy = (
            "Give CSV in UTF-8 with commas and no line breaks in its cells, or JSON Lines; or leave JOIN out."
        )
        yield fail("join", message, remedy)
    elif texts.media_type not in (CSV, JSON_LINES):
        message = f"SageMaker joins predictions to CSV and JSON Lines, not to {texts.media_type}"
        yield fail("join", message, "Give one of these, or leave JOIN out.")
    elif accept != texts.media_type:
        message = f"SageMaker joins {texts.media_type} to predictions of the same form only, not {accept}"
        yield fail("join", message, "Leave ACCEPT out.")
    elif texts.media_type == JSON_LINES:
        yield told(ok("join", "each record gets its prediction as SageMakerOutput"))
    else:
        yield from _joined_csv(settings, texts)


def _joined_csv(settings: TransformSettings, texts: TransformInput) -> Iterator[Finding]:
    if texts.columns and _delimiter_of(texts.columns) != ",":
        message = f"predictions have commas between their cells, unlike the columns {texts.columns}"
        yield fail("join", message, "Leave JOIN out, or give CSV with commas.")
        return
    variables = {**answer_variables(settings, texts.columns), **dict(settings.environment)}
    one, several = (
        ",".join(
            [texts.columns or "text", *predicted_columns(settings.accept, variables, is_multi_label=each)]
        )
        for each in (False, True)
    )
    other = f"; {several} where the model gives a text several labels" if several != one else ""
    yield told(ok("join", f"columns of the output: {one}{other}"))
    if not texts.local:
        yield warn(
            "join",
            "a header row has no prediction: if a file still has one, SageMaker cannot join it, and the job fails",
            "Make sure that the files have none.",
        )


def _delimiter_of(columns: str) -> str:
    row = columns.replace("\\t", "\t")
    return find_dialect([row], header_settings(TextFields()), is_whole=True)[0].delimiter
