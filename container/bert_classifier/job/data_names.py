"""Which files are labelled data: by their suffixes, and a .txt by its first line.

The one list of suffixes, for channels of a job, for folders on a laptop and for objects in S3. What a file holds is
found out when it is read, whatever its name. Standard library only.
"""

import gzip
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import TypeVar

from bert_classifier.errors import cannot_read

P = TypeVar("P", bound=PurePath)

# A folder's files of the first of these ranks are its data. Plain files come before compressed ones, which may be
# copies of them, and tables before JSON and text, which often only describe them.
_FORMS = ((".csv", ".jsonl"), (".tsv", ".ndjson", ".parquet", ".manifest"), (".json", ".txt"))
COMPRESSED = (".gz", ".gzip")
SUFFIXES = tuple(suffix for form in _FORMS for suffix in form)
ALL_FORMS = f"{' '.join(SUFFIXES)}, each also with {COMPRESSED[0]}"
_RANKS = {
    suffix + packed: 2 * number + bool(packed)
    for number, form in enumerate(_FORMS)
    for suffix in form
    for packed in ("", *COMPRESSED)
}
# Names of files that describe data; Spark, Hive and Databricks begin those of their own files with "_".
_DESCRIPTION = re.compile(
    r"(readme|licen[cs]e|notice|citation|dataset_infos?|dataset-metadata|metadata|datapackage|state|manifest|config)"
    r"(\.(json|txt|md|rst|ya?ml|cff))?"
)
_FASTTEXT = b"__label__"
_SPLIT = re.compile(
    r"(?:^|[^a-z])(?:(train)|(val|valid|validation|dev)|(test))(?:ing|set|data)?(?:[^a-z]|$)", re.IGNORECASE
)
_MOST_NAMES = 5  # in one message
_HEAD = 4096  # bytes in which a file's first line begins


def suffix_of(name: str) -> str:
    """Return the suffix of a data file in lower case, such as .csv or .csv.gz; "" for any other name."""
    suffixes = [part.lower() for part in PurePath(name).suffixes[-2:]]
    return next((s for s in ("".join(suffixes), *suffixes[-1:]) if s in _RANKS), "")


def is_hidden(path: PurePath) -> bool:
    """Whether a relative path is hidden, part of what a Spark job has not committed, or of a volume's own folder."""
    return any(part.startswith(".") or part in ("_temporary", "lost+found") for part in path.parts)


def choose(paths: Iterable[P]) -> list[P]:
    """Return the data among the files of one folder: those of the first rank that it holds.

    Args:
        paths: of visible files with content; a PurePath is an object in S3, which is judged by its name.
    Raises:
        ContainerError: when the first line of a *.txt cannot be read.
    """
    ranked: dict[int, list[P]] = {}
    for path in paths:
        suffix = suffix_of(path.name)
        if suffix and not _DESCRIPTION.fullmatch(path.name.lower()):
            ranked.setdefault(_RANKS[suffix], []).append(path)
    return next(filter(None, (list(filter(_may_be_data, ranked[rank])) for rank in sorted(ranked))), [])


def passed_over(paths: Iterable[P], chosen: Iterable[P], class_file: str) -> list[P]:
    """Return the files beside the chosen ones that may be meant as data, too; none where nothing is chosen."""
    read = set(chosen)
    beside = (path for path in paths if read and path not in read and path.name != class_file)
    return [p for p in beside if not _DESCRIPTION.fullmatch(p.name.lower()) and not p.name.startswith("_")]


def splits_warning(names: Iterable[str]) -> str:
    """Return a warning where files to train on are named like splits side by side, as train.csv and test.csv; or ""."""
    found = {name: match.lastindex for name in names if (match := _SPLIT.search(name))}
    if len(set(found.values())) < 2:
        return ""
    return (
        f"training on all of {listed(found)}, although they are named like splits: train_file=NAME reads one only; "
        "VALIDATION= and TEST= (channels validation and test) take the others"
    )


def listed(names: Iterable[object]) -> str:
    """Return the first names for a message."""
    found = [str(name) for name in names]
    return ", ".join(found[:_MOST_NAMES]) + (" …" if len(found) > _MOST_NAMES else "")


def _may_be_data(path: PurePath) -> bool:
    return not isinstance(path, Path) or not is_text(path.name) or is_table(path)


def is_text(name: str) -> bool:
    """Whether a name is of plain text, which is data only where its first line looks like a table's."""
    return suffix_of(name).startswith(".txt")


def is_table(path: Path) -> bool:
    """Whether a text's first line begins as fastText's, such as with __label__praise, or has tabs, as Excel's has."""
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            head = gzip.GzipFile(fileobj=file).read(_HEAD) if is_packed else file.read(_HEAD)
    except EOFError:
        return False
    except OSError as error:
        raise cannot_read(path, error, "Check the file.") from error
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    return first.startswith(_FASTTEXT) or b"\t" in first
