"""Local files of texts as they are uploaded: as they are, without their header row, or written as JSON Lines."""

import dataclasses
import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bert_classifier.errors import ContainerError, PlatformError, UserError
from bert_classifier.job.data_names import listed, suffix_of
from launcher.findings import Finding, fail, ok, told, warn
from launcher.inputs.row_errors import RowErrors
from launcher.inputs.text_file import JSON_LINES, TextFile
from launcher.settings.reading import in_capitals, said_in_capitals

_IF_ALONE = 'If its rows are texts alone, commas included: CONTENT_TYPE="text/csv; header=absent".'


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Local files as they are uploaded.

    Attributes:
        files: by their names in the folder.
        media_type: of all of them.
        columns: of CSV, as one row; "" for texts alone and other forms.
        is_converted: whether any differs from the file of the user by more than a header row.
    """

    files: dict[str, Path]
    media_type: str
    columns: str
    is_converted: bool
    findings: tuple[Finding, ...]


def prepare(found: Sequence[TextFile], folder: Path) -> Prepared:
    """Write into a folder what cannot be uploaded as it is, because a job reads one form, line by line.

    Raises:
        PlatformError: when it cannot be written.
    """
    ways = {(file.media_type, file.columns) for file in found}
    media_type, columns = next(iter(ways)) if len(ways) == 1 else ("", "")
    try:
        if media_type:
            return _as_they_are(found, media_type, columns, folder)
        return _as_json_lines(found, folder)
    except OSError as error:
        raise PlatformError(
            f"The texts cannot be written to {folder}: {error.strerror or error}.",
            "Make room there, or set TMPDIR to another folder.",
        ) from error


def _as_they_are(found: Sequence[TextFile], media_type: str, columns: str, folder: Path) -> Prepared:
    files = {
        file.name: _without_header(file, folder / str(number)) if file.header_size else file.path
        for number, file in enumerate(found)
    }
    sent = f"with the columns {columns}" if columns else ""
    descriptions = [(file, f"sent {_how(file)}{' ' if sent else ''}{sent}") for file in found]
    errors = itertools.chain.from_iterable(map(_errors_in, found))
    return Prepared(files, media_type, columns, False, (*_said(descriptions), *_unclear(found), *errors))


def _errors_in(file: TextFile) -> Iterator[Finding]:
    """Yield which rows of a table have no text, as far as it is clear which column that is."""
    if file.table is None or file.unclear or len(file.table.names) < 2:  # commas may belong to a lone text
        return
    errors = RowErrors(file.name)
    for line, record in file.records():
        errors.add(line, record)
    yield from errors.findings()


def _how(file: TextFile) -> str:
    return "without its header row," if file.header_size else "as it is"


def _without_header(file: TextFile, target: Path) -> Path:
    with file.path.open("rb") as source, target.open("wb") as out:
        source.seek(file.header_size)
        shutil.copyfileobj(source, out)
    return target


def _as_json_lines(found: Sequence[TextFile], folder: Path) -> Prepared:
    files = {file.name: file.path for file in found if file.media_type == JSON_LINES}
    findings: list[Finding] = []
    for number, file in enumerate(found):
        if file.media_type == JSON_LINES:
            continue
        if file.form is None:
            findings.append(_not_beside_others(file))
            continue
        name = _name_of(file.name, files)
        files[name] = folder / str(number)
        findings += _convert(file, files[name])
        findings += _doubted(file)
    sent = [
        (file, f"sent {'as they are' if file.media_type == JSON_LINES else 'as JSON Lines'}")
        for file in found
    ]
    return Prepared(files, JSON_LINES, "", True, (*_said(sent), *findings))


def _not_beside_others(file: TextFile) -> Finding:
    message = f"{file.name} is a JSON document as the server takes it, and a job reads files of one form"
    return fail("input", message, "Give it alone, or as JSON Lines.")


def _name_of(name: str, taken: dict[str, Path]) -> str:
    short = f"{name[: len(name) - len(suffix_of(name))]}.jsonl"
    return short if short not in taken else f"{name}.jsonl"


def _convert(file: TextFile, target: Path) -> Iterator[Finding]:
    """Write a file as JSON Lines, a line per row; yield why it cannot be, and which rows have no text."""
    errors = RowErrors(file.name)
    try:
        with target.open("w", encoding="utf-8", newline="\n") as out:
            for line, record in file.records():
                errors.add(line, record)
                out.write(f"{file.line_of(record)}\n")
    except ContainerError as error:
        yield failure(error)
        return
    if not errors.rows:
        yield fail("input", f"{file.name} has no row", "Leave it out, or give it texts.")
    yield from errors.findings()


def _doubted(file: TextFile) -> Iterator[Finding]:
    """Yield what a model that reads pairs would need, while a model of single texts is well served."""
    for doubt in file.doubts:
        yield warn("input", said_in_capitals(doubt), "For a model that reads single texts all is well.")


def failure(error: ContainerError) -> Finding:
    """Return the failure for a file that is not understood."""
    known = in_capitals(error) if isinstance(error, UserError) else error
    return fail("input", known.cause.removesuffix("."), known.remedy)


def _said(sent: Sequence[tuple[TextFile, str]]) -> Iterator[Finding]:
    """Yield what was understood of the files, and what becomes of them: once for those that are alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for file, how in sent:
        is_by_place = file.columns and not file.header_size
        alike.setdefault((f"{file.description}; {how}", _IF_ALONE if is_by_place else ""), []).append(
            file.name
        )
    for (description, remedy), names in alike.items():
        message = f"{listed(names)}: {description}"
        yield told(dataclasses.replace(ok("input", message), remedy=remedy))


def _unclear(found: Sequence[TextFile]) -> Iterator[Finding]:
    for error in [in_capitals(file.unclear) for file in found if file.unclear]:
        yield warn(
            "input",
            error.cause.removesuffix("."),
            "The server knows the training's names; it does not start if it cannot tell the text by them."
            f" {error.remedy}",
        )
