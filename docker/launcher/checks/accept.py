"""The form of a batch transform's predictions: one that the server writes, and that can be put together again."""

import itertools
from collections.abc import Iterator

from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.answer_form import (
    ABSENT,
    CSV,
    JSON_LINES,
    NPY,
    PRESENT,
    READ,
    WRITTEN,
    answer_columns,
)
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.accept_parameters import has_header, wanted_by
from bert_classifier.serving.http.parameters import Wanted
from launcher.findings import Finding, fail
from launcher.inputs.transform import TransformInput
from launcher.settings.inference import TransformSettings
from launcher.settings.media import MediaType, are_several

_LINES = (*JSON_LINES, CSV)
_UNKNOWN = "…"  # columns of further classes, whose number the model knows
_REMEDY = f"Give ACCEPT={JSON_LINES[0]} or {CSV}, or leave it out."


def check_forms(settings: TransformSettings, texts: TransformInput) -> Iterator[Finding]:
    """Refuse media types that the server does not read or write, and answers that cannot be joined line by line."""
    if texts.media_type not in READ:
        message = f"the server does not read CONTENT_TYPE={texts.media_type}"
        yield fail("input", message, f"Give one of {', '.join(_named(READ))}, or leave it out.")
    else:
        yield from _check_content_type(texts.content_type)
    if settings.accept or texts.media_type in READ:
        yield from _check_accept(texts.accept(settings), texts.split_type)


def _check_content_type(given: str) -> Iterator[Finding]:
    try:
        header = MediaType.of(given).parameters.get("header", "").lower()
    except UserError as error:
        yield fail("input", f"CONTENT_TYPE={error.cause.removesuffix('.')}", error.remedy)
        return
    if header not in ("", PRESENT, ABSENT):
        remedy = 'Give CONTENT_TYPE="text/csv; header=absent", or leave it out.'
        yield fail("input", "header in CONTENT_TYPE is neither present nor absent", remedy)


def _check_accept(given: str, split_type: str) -> Iterator[Finding]:
    if are_several(given):
        message = "ACCEPT lists several media types, and a job has predictions of one form"
        quoted = "If these are fields, quote them: ACCEPT='text/csv; output=\"labels,error\"'."
        yield fail("output", message, quoted if "output" in given.lower() else _REMEDY)
        return
    try:
        accept = MediaType.of(given)
    except UserError as error:
        yield fail("output", f"ACCEPT={error.cause.removesuffix('.')}", error.remedy)
        return
    if accept.name not in WRITTEN:
        message = f"the server does not write ACCEPT={accept.name}, and answers each request with 406"
        yield fail("output", message, _REMEDY)
    elif "q" in accept.parameters:
        message = "q in ACCEPT chooses among several media types, and a job has predictions of one form"
        yield fail("output", message, "Leave q out.")
    elif split_type == "Line" and accept.name not in _LINES:
        what = "bytes of an array" if accept.name == NPY else "a JSON array"
        message = f"with ACCEPT={accept.name} each request is answered with {what}, and SageMaker strings them together"
        yield fail("output", message, _REMEDY)
    else:
        yield from _check_parameters(accept)


def _named(forms: tuple[str, ...]) -> Iterator[str]:
    """Yield media types, without other names of JSON Lines."""
    return (form for form in forms if form not in JSON_LINES[1:])


def _check_parameters(accept: MediaType) -> Iterator[Finding]:
    try:
        wanted_by(accept.parameters, accept.name)
        has_header(accept.parameters, accept.name, is_batch=True)
    except RequestError as error:
        cause = error.cause.replace("In the Accept header", "In ACCEPT").removesuffix(".")
        yield fail("output", cause, error.remedy.replace("Accept ", "Give ACCEPT=", 1))


def asked_of(given: str) -> Wanted | None:
    """Return what the parameters of ACCEPT ask of a prediction; None if they leave it open, or are wrong."""
    try:
        accept = MediaType.of(given)
        return wanted_by(accept.parameters, accept.name)
    except (UserError, RequestError):
        return None


def predicted_columns(accept: str, variables: dict[str, str], *, is_multi_label: bool = False) -> list[str]:
    """Return the columns of predictions in CSV; "…" stands for those of further classes.

    Args:
        variables: of the container.
        is_multi_label: whether a text has any number of labels.
    """
    wanted = asked_of(accept)
    if wanted is None:
        try:
            wanted = Wanted.by_settings(ServeConfig.from_environ(variables))
        except UserError:  # the check of the environment reports it
            wanted = Wanted()
    columns = answer_columns(
        [_UNKNOWN], wanted.fields, 1 if wanted.is_list else None, is_multi_label=is_multi_label
    )
    last_known = "label_1" if wanted.fields else "score_1"
    has_more = bool(wanted.fields) or wanted.top_k != 1
    shown = ([name, _UNKNOWN] if has_more and name == last_known else [name] for name in columns)
    return list(itertools.chain.from_iterable(shown))
