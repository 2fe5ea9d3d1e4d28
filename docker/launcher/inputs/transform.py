"""The texts that `batch-transform` classifies: local files, which are understood and uploaded, or objects in S3."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from bert_classifier.data.reader_settings import DEFAULTS
from bert_classifier.data.records import RowError, parse_json
from bert_classifier.errors import ContainerError, UserError
from bert_classifier.job.answer_form import NPY
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.data_names import ALL_FORMS, choose, listed, passed_over
from bert_classifier.job.findings import Severity
from bert_classifier.job.wording import counted
from launcher.aws.account import Account
from launcher.aws.s3 import Location, look, unseen
from launcher.findings import Finding, fail, ok, warn
from launcher.inputs.channels import LocalChannel, files_of
from launcher.inputs.json_lines import Prepared, failure, prepare
from launcher.inputs.local_file import is_packed, look_at
from launcher.inputs.row_errors import RowErrors
from launcher.inputs.text_file import CSV, JSON, JSON_LINES, PLAIN, error_of
from launcher.inputs.text_tables import open_texts
from launcher.inputs.texts_alone import check_texts_alone
from launcher.settings.inference import MEDIA_TYPES, MOST_PAYLOADS_MB, TransformSettings
from launcher.settings.media import MediaType
from launcher.settings.reading import reader_settings

_MB = 1024 * 1024
# A line of plain text is answered as a line of JSON; any other media type as itself.
_ANSWERED_AS = {PLAIN: JSON_LINES}


@dataclasses.dataclass(frozen=True)
class TransformInput:
    """The texts of a batch transform.

    Attributes:
        local: files of this machine; None when all are in S3 already.
        location: where they are, or will be.
        names: of the files, as far as they were listed; None where you may not list them.
        content_type: their media type, perhaps with parameters.
        columns: of CSV, as one row; "" for texts alone and other forms.
        is_converted: whether they were written anew, as JSON Lines.
        findings: about the local files.
    """

    local: LocalChannel | None
    location: Location
    names: tuple[str, ...] | None
    content_type: str
    columns: str = ""
    is_converted: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def media_type(self) -> str:
        """Their media type without parameters, such as a charset."""
        return bare_type(self.content_type)

    @property
    def split_type(self) -> str:
        """How SageMaker splits a file into records: by lines, but a JSON document and an array not at all."""
        return "None" if self.media_type in (JSON, NPY) else "Line"

    def accept(self, settings: TransformSettings) -> str:
        """Return the media type of the predictions."""
        return settings.accept or _ANSWERED_AS.get(self.media_type, self.media_type)

    def says(self, parameter: str) -> bool:
        """Whether the media type has a parameter, such as header=absent."""
        name, _, value = parameter.partition("=")
        try:
            return MediaType.of(self.content_type).parameters.get(name, "").lower() == value
        except UserError:  # the check of the media type reports it
            return False


def bare_type(content_type: str) -> str:
    """Return a media type without its parameters, in lower case."""
    return content_type.split(";")[0].strip().lower()


def input_of(settings: TransformSettings, prefix: Location, account: Account, folder: Path) -> TransformInput:
    """Find the texts.

    Args:
        prefix: below which local files are uploaded.
        folder: for the files that cannot be uploaded as they are.
    Raises:
        UserError: when there are none, or their media type is unknown.
    """
    if not settings.input:
        raise UserError("No texts are given.", "Give INPUT=texts.csv, a folder, or s3://bucket/prefix.")
    if settings.input.startswith("s3://"):
        return _in_s3(settings, account)
    path = Path(settings.input).expanduser()
    local = _local(path, any_name=bool(settings.content_type))
    if settings.content_type:
        prepared = Prepared(local.files, settings.content_type, "", False, ())
    else:
        prepared = _prepared(settings, local, folder)
    local = dataclasses.replace(local, files=prepared.files)
    return TransformInput(
        local,
        prefix.below("transform", "input", local.digest),
        tuple(local.files),
        prepared.media_type,
        prepared.columns,
        prepared.is_converted,
        prepared.findings,
    )


def _in_s3(settings: TransformSettings, account: Account) -> TransformInput:
    location, sizes = look(account, settings.input, MEDIA_TYPES)
    if sizes is not None and not sizes:
        raise UserError(f"There is nothing at {settings.input}.", "Correct INPUT, or upload the texts.")
    names = None if sizes is None else tuple(sizes)
    content_type = settings.content_type or _type_in_s3(names or (location.uri,))
    return TransformInput(None, location, names, content_type, settings.columns)


def _type_in_s3(names: Sequence[str]) -> str:
    """Return the media type of all objects: a job reads one.

    Raises:
        UserError: when it is unknown, or differs between objects.
    """
    found = {MEDIA_TYPES.get(Path(name).suffix.lower(), "") for name in names}
    if len(found) > 1 or "" in found:
        raise UserError(
            f"The media types of {', '.join(names[:3])} {'differ' if len(found) > 1 else 'are unknown'}.",
            f"Give files of one suffix ({', '.join(MEDIA_TYPES)}), or CONTENT_TYPE; what the server does not read, such"
            " as Parquet, is converted only from this machine: download it, and give INPUT=folder.",
        )
    return found.pop()


def _local(path: Path, *, any_name: bool) -> LocalChannel:
    """Return the files at a path: a file, or what training reads of a folder, and plain text where it reads nothing."""
    if path.is_file():
        return LocalChannel("input", {path.name: path})
    if not path.is_dir():
        raise UserError(f"There is no file or folder {path}.", "Correct INPUT.")
    found = files_of(path)
    filled = [p for p in found.files if p.stat().st_size]
    plain = [p for p in filled if p.suffix.lower() in (MEDIA_TYPES if any_name else (".txt",))]
    chosen = plain if any_name else choose(filled) or plain
    if not chosen:
        raise UserError(
            f"{path} holds no file with content that is named {ALL_FORMS}.", "Give another INPUT."
        )
    beside = passed_over(filled, chosen, TrainConfig.class_file)
    files = {str(p.relative_to(path)): p for p in chosen}
    return LocalChannel("input", files, passed_over=tuple(beside), links=found.links)


def _prepared(settings: TransformSettings, local: LocalChannel, folder: Path) -> Prepared:
    """Return the files as they are uploaded; those that are not understood are failures among the findings."""
    understood, failures = [], []
    for name, path in local.files.items():
        try:
            understood.append(look_at(path, name, reader_settings(settings)))
        except ContainerError as error:
            failures.append(failure(error))
    if failures:
        return Prepared(local.files, JSON_LINES, "", True, tuple(failures))
    return prepare(understood, folder)


def check_input(settings: TransformSettings, found: TransformInput) -> Iterator[Finding]:
    """Check that SageMaker splits the files as the server reads them."""
    if settings.max_concurrent * settings.max_payload > MOST_PAYLOADS_MB:
        product = f"MAX_CONCURRENT={settings.max_concurrent} × MAX_PAYLOAD={settings.max_payload}"
        remedy = f"SageMaker holds {MOST_PAYLOADS_MB} MB at a time: lower one of them."
        yield fail("payload", f"{product} is above {MOST_PAYLOADS_MB}", remedy)
    yield from found.findings
    if found.local and not any(finding.severity is Severity.ERROR for finding in found.findings):
        yield from _check_local(settings, found, found.local)
    if found.names is None:
        yield unseen("input", found.location)
    else:
        yield ok("input", f"{len(found.names)} file(s) of {found.content_type}")


def _check_local(
    settings: TransformSettings, found: TransformInput, local: LocalChannel
) -> Iterator[Finding]:
    for name, path in local.files.items():
        yield from _check_file(name, path, found, settings)
    if local.passed_over:
        yield warn("input", f"not classified: {listed(path.name for path in local.passed_over)}")
    if local.links:
        yield warn("input", f"not uploaded, since links are not followed: {listed(local.links)}")


def _check_file(
    name: str, path: Path, found: TransformInput, settings: TransformSettings
) -> Iterator[Finding]:
    if not path.stat().st_size:
        yield fail(
            "input", f"{name} is empty" if not found.columns else f"{name} has no row", "Leave it out."
        )
        return
    if is_packed(path):
        yield fail(
            "input",
            f"{name} is not UTF-8, or compressed",
            "Leave CONTENT_TYPE out: what can be read is then converted.",
        )
        return
    longest, blank = _longest_record(path) if found.split_type == "Line" else (path.stat().st_size, 0)
    if blank:
        yield warn("input", f"{name} has {counted(blank, 'blank line')}, each answered with an error")
    if longest > settings.max_payload * _MB:
        message = f"{name} has a record of {longest / _MB:.1f} MB, more than MAX_PAYLOAD"
        yield fail("input", message, "Raise MAX_PAYLOAD, or shorten the record.")
    if found.media_type == CSV and not found.columns:
        most = 0 if settings.strategy == "SingleRecord" else settings.max_payload * _MB
        is_told = found.says("header=present") or found.says("header=absent")
        yield from check_texts_alone(
            name, path, most=most, header_is_told=is_told, is_sent_as_told=bool(settings.content_type)
        )
    if found.media_type == JSON_LINES and not found.is_converted:
        yield from _check_json_lines(name, path)


def _longest_record(path: Path) -> tuple[int, int]:
    """Return the bytes of the longest line, and the number of blank lines."""
    longest = blank = 0
    with path.open("rb") as file:
        for line in file:
            longest = max(longest, len(line))
            blank += not line.strip()
    return longest, blank


def _check_json_lines(name: str, path: Path) -> Iterator[Finding]:
    """Find records without a field that is known as the text, as far as one can tell without the model."""
    with path.open("rb") as file:
        are_objects = file.readline().lstrip(b"\xef\xbb\xbf \t").startswith(b"{")
    try:
        if are_objects and not _has_features(path):
            errors = RowErrors(name)
            for row in open_texts(path, DEFAULTS, name).texts():
                errors.add(row.line, row if isinstance(row, RowError) else error_of(row))
            yield from errors.findings()
    except UserError as error:
        yield warn(
            "input",
            error.cause.removesuffix("."),
            "The server reads the field of the model's own text column, or one called text or inputs; or give"
            " TEXT_COLUMN=.",
        )


def _has_features(path: Path) -> bool:
    """Return whether the first record is one of SageMaker's own, {"features": ["a text"]}, which the server reads."""
    with path.open("rb") as file:
        try:
            record = parse_json(file.readline().decode("utf-8-sig"))
        except ValueError:
            return False
    return isinstance(record, dict) and "features" in record
