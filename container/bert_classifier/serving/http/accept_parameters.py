"""What the parameters of a media type in an Accept header ask for, such as `top_k=3`.

Shared by the server and the launcher's checks. Standard library only.
"""

import re
from collections.abc import Mapping
from typing import Any

from bert_classifier.errors import RequestError
from bert_classifier.job.answer_form import ABSENT, CSV, NPY, PRESENT
from bert_classifier.job.settings import nearest, shown
from bert_classifier.serving.http.parameters import Wanted, wanted_of

_PARAMETERS = ("top_k", "output", "return_all_scores", "threshold", "header")
_OF_TOP_K = "Accept, for example, application/json; top_k=3, or top_k=all."
_REMEDIES = {"threshold": "Accept, for example, application/json; threshold=0.5, or leave it out."}
_EMPTY = re.compile(rf';\s*({"|".join(_PARAMETERS)})\s*=\s*(?:"\s*"\s*)?(?=[;,]|\Z)', re.IGNORECASE)
_NUMBER = re.compile(r"\d{0,9}\.?\d{1,99}")


def wanted_by(parameters: Mapping[str, str], media_type: str) -> Wanted | None:
    """Return what parameters ask for; those of other servers are ignored, as HTTP has it.

    Raises:
        RequestError: 406 for a parameter that is wrong, or has no effect on the media type.
    """
    for name in parameters.keys() - {*_PARAMETERS, "charset"}:
        if close := nearest(name, _PARAMETERS):
            raise wrong_accept(f"the parameter {shown(name)} is unknown", f"Did you mean {close}?")
    given = {name: _value_of(name, parameters[name]) for name in _PARAMETERS[:-1] if name in parameters}
    try:
        wanted = wanted_of(given)
    except RequestError as error:
        remedy = _REMEDIES.get(error.cause.split('"')[1], _OF_TOP_K)
        raise wrong_accept(error.cause.removesuffix("."), remedy) from error
    if wanted is not None and wanted.is_selection and media_type == NPY:
        raise wrong_accept(
            f"{NPY} has parameters that choose, but an array holds all probabilities", "Leave them out."
        )
    return wanted


def refuse_empty(accept: str) -> None:
    """Raise 406 for a parameter without a value, which the header's parser leaves out."""
    if found := _EMPTY.search(accept):
        raise wrong_accept(f"the parameter {found[1].lower()} has no value", "Give it one, or leave it out.")


def _value_of(name: str, text: str) -> Any:
    """Return a parameter's value as it would stand in JSON."""
    text = text.strip()
    if name == "top_k":
        return int(text) if text.isdecimal() and len(text) < 7 else None if text == "null" else text.lower()
    if name == "threshold":
        return float(text) if _NUMBER.fullmatch(text) else text
    return {"true": True, "false": False}.get(text.lower(), text) if name == "return_all_scores" else text


def has_header(parameters: Mapping[str, str], media_type: str, *, is_batch: bool) -> bool:
    """Return whether a row of names is wanted.

    Raises:
        RequestError: 406 for a value that is wrong, for another form than CSV, or in batch transform.
    """
    header = parameters.get("header", "").strip().lower()
    if header not in ("", PRESENT, ABSENT) or (header and media_type != CSV):
        raise wrong_accept(
            f"the parameter header is for {CSV}, and either present or absent",
            f"Accept {CSV}; header=present, or leave the parameter out.",
        )
    if header == PRESENT and is_batch:
        raise wrong_accept(
            "header=present would put a row of names before the answers of every mini-batch of a batch transform",
            f"Accept {CSV}, and add the names to the joined file.",
        )
    return header == PRESENT


def wrong_accept(cause: str, remedy: str) -> RequestError:
    """Return the error of an Accept header."""
    return RequestError(406, "not_acceptable", f"In the Accept header, {cause}.", remedy)
