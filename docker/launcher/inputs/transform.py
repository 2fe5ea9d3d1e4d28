"""The texts that `batch-transform` classifies: local files, which are checked and uploaded, or objects in S3."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from bert_classifier.data.csv_looks import LabelColumns, is_likely_header
from bert_classifier.data.records import CsvRow, RowError, read_csv_rows, read_lines
from bert_classifier.data.table import open_table
from bert_classifier.errors import UserError
from bert_classifier.job.data_names import listed
from launcher.aws.account import Account
from launcher.aws.s3 import Location, look, unseen
from launcher.findings import Finding, fail, ok, warn
from launcher.inputs.channels import LocalChannel, files_of
from launcher.inputs.texts_of_table import remedy_for_table
from launcher.inputs.unread_forms import form_findings
from launcher.settings.inference import MEDIA_TYPES, TransformSettings

_MB = 1024 * 1024
_JSON = MEDIA_TYPES[".json"]
# A line of plain text is answered as a line of JSON; any other media type as itself.
_ANSWERED_AS = {MEDIA_TYPES[".txt"]: MEDIA_TYPES[".jsonl"]}


@dataclasses.dataclass(frozen=True)
class TransformInput:
    """The texts of a batch transform.

    Attributes:
        local: files of this machine; None when all are in S3 already.
        location: where they are, or will be.
        names: of the files, as far as they were listed; None where you may not list them.
        content_type: their media type, perhaps with parameters.
    """

    local: LocalChannel | None
    location: Location
    names: tuple[str, ...] | None
    content_type: str

    @property
    def media_type(self) -> str:
        """Their media type without parameters, such as a charset."""
        return self.content_type.split(";")[0].strip().lower()

    @property
    def split_type(self) -> str:
        """How SageMaker splits a file into records: by lines, but a JSON document not at all."""
        return "None" if self.media_type == _JSON else "Line"

    def accept(self, settings: TransformSettings) -> str:
        """Return the media type of the predictions."""
        return settings.accept or _ANSWERED_AS.get(self.media_type, self.media_type)

    def says(self, parameter: str) -> bool:
        """Whether the media type has a parameter, such as header=absent."""
        parameters = [part.strip().replace('"', "").lower() for part in self.content_type.split(";")[1:]]
        return parameter in parameters


def input_of(settings: TransformSettings, prefix: Location, account: Account) -> TransformInput:
    """Find the texts.

    Args:
        prefix: below which local files are uploaded.
    Raises:
        UserError: when there are none, or their media type is unknown.
    """
    if not settings.input:
        raise UserError("No texts are given.", "Give INPUT=texts.csv, a folder, or s3://bucket/prefix.")
    if settings.input.startswith("s3://"):
        location, sizes = look(account, settings.input, MEDIA_TYPES)
        if sizes is not None and not sizes:
            raise UserError(f"There is nothing at {settings.input}.", "Correct INPUT, or upload the texts.")
        names = None if sizes is None else tuple(sizes)
        return TransformInput(None, location, names, content_type_of(settings, names or (location.uri,)))
    path = Path(settings.input).expanduser()
    local = _local(path)
    kind = content_type_of(settings, tuple(local.files), path)
    return TransformInput(local, prefix.below("transform", "input", local.digest), tuple(local.files), kind)


def _local(path: Path) -> LocalChannel:
    if path.is_file():
        return LocalChannel("input", {path.name: path})
    if not path.is_dir():
        raise UserError(f"There is no file or folder {path}.", "Correct INPUT.")
    found = files_of(path)
    chosen = [p for p in found.files if p.suffix.lower() in MEDIA_TYPES]
    if not chosen:
        raise UserError(f"{path} holds no {', '.join(MEDIA_TYPES)}.", "Give another INPUT.")
    return LocalChannel("input", {str(p.relative_to(path)): p for p in chosen}, links=found.links)


def content_type_of(settings: TransformSettings, names: Sequence[str], path: Path | None = None) -> str:
    """Return the media type of all files: a job reads one.

    Args:
        path: of the files on this machine.
    Raises:
        UserError: when it is unknown, or differs between files.
    """
    if settings.content_type:
        return settings.content_type
    found = {MEDIA_TYPES.get(Path(name).suffix.lower(), "") for name in names}
    if len(found) > 1 or "" in found:
        problem = "differ" if len(found) > 1 else "are unknown"
        as_records = remedy_for_table(path) if path and path.is_file() else ""
        raise UserError(
            f"The media types of {', '.join(names[:3])} {problem}.",
            as_records
            or f"Give files of one suffix ({', '.join(MEDIA_TYPES)}), or CONTENT_TYPE; the server reads neither"
            " compressed files nor Parquet.",
        )
    return found.pop()


def check_input(settings: TransformSettings, found: TransformInput) -> Iterator[Finding]:
    """Check that SageMaker splits the files as the server reads them."""
    if settings.max_concurrent * settings.max_payload > 100:
        message = (
            f"MAX_CONCURRENT={settings.max_concurrent} × MAX_PAYLOAD={settings.max_payload} is above 100"
        )
        yield fail("payload", message, "SageMaker holds 100 MB at a time: lower one of them.")
    if found.media_type == MEDIA_TYPES[".csv"] and found.says("header=present"):
        yield fail(
            "input", "with header=present every later part of a file would lose its first row",
            "Remove the header row from the files, and header=present from CONTENT_TYPE.",
        )  # fmt: skip
    for name, path in (found.local.files if found.local else {}).items():
        yield from _check_file(name, path, found, settings)
    if found.local and found.local.links:
        yield warn("input", f"not uploaded, since links are not followed: {listed(found.local.links)}")
    if found.names is None:
        yield unseen("input", found.location)
    else:
        yield ok("input", f"{len(found.names)} file(s) of {found.content_type}")


def _check_file(
    name: str, path: Path, found: TransformInput, settings: TransformSettings
) -> Iterator[Finding]:
    if not path.stat().st_size:
        yield fail("input", f"{name} is empty", "Leave it out.")
        return
    if unread := list(form_findings(name, path)):
        yield from unread
        return
    if found.split_type == "Line":
        with path.open("rb") as file:
            longest = max(map(len, file))
    else:
        longest = path.stat().st_size
    if longest > settings.max_payload * _MB:
        message = f"{name} has a record of {longest / _MB:.1f} MB, more than MAX_PAYLOAD"
        yield fail("input", message, "Raise MAX_PAYLOAD, or shorten the record.")
    if found.media_type == MEDIA_TYPES[".csv"]:
        yield from _check_csv(name, path, found, settings)
    if found.media_type == MEDIA_TYPES[".jsonl"]:
        yield from _check_json_lines(name, path)


def _check_csv(
    name: str, path: Path, found: TransformInput, settings: TransformSettings
) -> Iterator[Finding]:
    """Find what the server would not take for a text: a header, labels, texts that SageMaker would split."""
    alone = settings.strategy == "SingleRecord"
    looks = _CsvLooks(0 if alone else settings.max_payload * _MB)
    try:
        for row in read_csv_rows(read_lines(path)):
            looks.add(row)
    except RowError as error:
        yield fail("input", f"{name} line {error.line}: {error.cause}", error.remedy)
        return
    if looks.broken_line:
        yield fail(
            "input",
            f"{name} line {looks.broken_line} has a text with a line break, at which SageMaker splits it",
            "Give JSON Lines, where a line break is written \\n.",
        )
    if not (found.says("header=present") or found.says("header=absent")):
        yield from _header_findings(name, path, looks, alone=alone)
    if looks.is_refused:
        yield _label_finding(name, path, looks, alone=alone)


def _header_findings(name: str, path: Path, looks: "_CsvLooks", *, alone: bool) -> Iterator[Finding]:
    if looks.has_header:
        yield fail(
            "input", f"{name} begins with a header row, which the server refuses",
            remedy_for_table(path)
            or 'Remove the row; or, if it is a text, give CONTENT_TYPE="text/csv; header=absent".',
        )  # fmt: skip
    if looks.name_line:
        message = f"{name} line {looks.name_line} is a text that looks like a header row"
        remedy = 'Give CONTENT_TYPE="text/csv; header=absent".'
        if alone:
            yield fail("input", f"{message}: the server refuses it with 400, and the job fails", remedy)
        else:
            refused = "the server refuses a request that begins with it with 400, and the job fails"
            yield warn("input", f"{message}: {refused}", remedy)


def _label_finding(name: str, path: Path, looks: "_CsvLooks", *, alone: bool) -> Finding:
    refused = "each of them" if alone else "a request that has them in most rows"
    remedy = "Give only texts, in one column; quote a text that contains such a delimiter."
    as_records = (
        ""  # a header's finding says how already
        if looks.has_header
        else remedy_for_table(path) or "Give a table as JSON Lines, whose records name their fields."
    )
    return warn(
        "input",
        f"{name} may be training data: {looks.label_rows} of {looks.rows} rows, line {looks.label_line} first, "
        f"have a few words beside a delimiter; if these are classes of the model, the server refuses {refused} "
        "with 400, and the job fails",
        f"{remedy} {as_records}".strip(),
    )


def _check_json_lines(name: str, path: Path) -> Iterator[Finding]:
    """Find records without a field that is known as the text, as far as one can tell without the model."""
    with path.open("rb") as file:
        are_objects = file.readline().lstrip(b"\xef\xbb\xbf \t").startswith(b"{")
    try:
        if are_objects:
            open_table(path, needs_label=False)
    except UserError as error:
        yield warn(
            "input",
            error.cause.removesuffix("."),
            "The server reads the field of the model's own text column, or one called text or inputs.",
        )


class _CsvLooks:
    """What the rows of a file look like to the server; any row may be the first of a request.

    Args:
        most: bytes that SageMaker puts into a request; 0: each row is a request.
    """

    def __init__(self, most: int) -> None:
        self.broken_line = 0  # of the first text with a line break
        self.has_header = False
        self.name_line = 0  # of the first later row that looks like a header
        self.label_line = 0  # of the first row that may have a label; the classes are unknown here
        self.label_rows = 0
        self.rows = 0
        self._has_begun = False
        self._most, self._size = most, 0
        self._labels = LabelColumns(None)  # of the rows of one request
        self._was_refused = False

    @property
    def is_refused(self) -> bool:
        """Whether a request has labels in most rows, so that the server may refuse it."""
        return self._was_refused or bool(self._labels.place)

    def add(self, row: CsvRow) -> None:
        """Add a row."""
        if not self.broken_line and any("\n" in cell for cell in row.cells):
            self.broken_line = row.line
        if not any(cell.strip() for cell in row.cells):
            return
        is_first, self._has_begun = not self._has_begun, True
        if is_likely_header(row.cells):
            self.has_header = self.has_header or is_first
            self.name_line = self.name_line or (0 if is_first else row.line)
            if is_first:
                return
        self.rows += 1
        self._cut(row)
        if self._labels.add(row.cells):
            self.label_rows += 1
            self.label_line = self.label_line or row.line

    def _cut(self, row: CsvRow) -> None:
        """Begin another request where a row does not fit into this one, as SageMaker does, quotes aside."""
        size = sum(len(cell.encode()) + 1 for cell in row.cells)
        if self._size + size > self._most:
            self._was_refused = self.is_refused
            self._labels, self._size = LabelColumns(None), 0
        self._size += size
