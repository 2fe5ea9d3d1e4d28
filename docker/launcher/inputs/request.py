"""The request of `invoke`: a text, or a file as the server reads it, converted where it would not."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from bert_classifier.data.reader_settings import DEFAULTS
from bert_classifier.errors import UserError
from bert_classifier.job.settings import ALL
from launcher.command import say
from launcher.inputs.local_file import is_packed, look_at
from launcher.inputs.text_file import CSV, JSON_LINES, TextFile
from launcher.settings.inference import MEDIA_TYPES
from launcher.settings.invocation import InvokeSettings
from launcher.settings.media import are_several
from launcher.settings.reading import in_capitals, reader_settings, said_in_capitals


@dataclasses.dataclass(frozen=True)
class Request:
    """A request's body and its media type."""

    body: bytes
    content_type: str


def accept_of(settings: InvokeSettings) -> str:
    """Return the media type of the response; for a file it says how many classes to list.

    Raises:
        UserError: for a list of media types, since TOP_K could be said to one of them only.
    """
    is_said = settings.top_k and settings.file and "top_k" not in settings.accept.lower()
    if is_said and are_several(settings.accept):
        raise UserError(
            "TOP_K cannot stand beside several media types in ACCEPT.", "Give ACCEPT one of them."
        )
    return f"{settings.accept}; top_k={settings.top_k}" if is_said else settings.accept


def request_of(settings: InvokeSettings) -> Request:
    """Return the request's body and media type.

    Raises:
        UserError: when neither or both of text and file are given, or the file cannot be sent.
    """
    if settings.text_pair and not settings.text:
        problem = "TEXT_PAIR is given without the first text."
        raise UserError(problem, 'Give both: TEXT="…" TEXT_PAIR="…"; a file has a column for each.')
    if bool(settings.text) == bool(settings.file):
        problem = "TEXT and FILE are both given." if settings.text else "There is nothing to classify."
        raise UserError(problem, 'Give TEXT="…" or FILE=texts.csv.')
    if settings.text:
        pair = {"text": settings.text, "text_pair": settings.text_pair}
        body: dict[str, Any] = {"inputs": pair if settings.text_pair else settings.text}
        if settings.top_k:
            body["parameters"] = {"top_k": None if settings.top_k == ALL else settings.top_k}
        return Request(json.dumps(body, ensure_ascii=False).encode(), MEDIA_TYPES[".json"])
    path = Path(settings.file).expanduser()
    try:
        with path.open("rb"):
            return _of_file(path, settings)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", "Correct FILE.") from error


def _of_file(path: Path, settings: InvokeSettings) -> Request:
    if not path.read_bytes().strip():
        raise UserError(f"{path} holds no text.", "Give a file with texts.")
    if settings.content_type:
        return Request(path.read_bytes(), settings.content_type)
    reading = reader_settings(settings)
    try:
        file = look_at(path, path.name, reading)
    except UserError as error:
        by_suffix = MEDIA_TYPES.get(path.suffix.lower(), "")
        if not by_suffix or reading != DEFAULTS or is_packed(path) or not _is_utf8(path):
            raise in_capitals(error) from error
        return Request(path.read_bytes(), by_suffix)  # the server knows the model, and says what is wrong
    if file.request_type:
        if file.request_type == CSV:
            say(f"{file.name}: {file.description}; sent as it is, and the server knows the training's names")
        return Request(path.read_bytes(), file.request_type)
    return _converted(file)


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True


def _converted(file: TextFile) -> Request:
    """Return a request of a line per row; one without a text is answered with an error."""
    say(f"{file.name}: {file.description}; sent as JSON Lines")
    for doubt in file.doubts:
        say(said_in_capitals(doubt))
    try:
        lines = [file.line_of(record) for _, record in file.records()]
    except UserError as error:
        raise in_capitals(error) from error
    return Request("".join(f"{line}\n" for line in lines).encode(), JSON_LINES)
