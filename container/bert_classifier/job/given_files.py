"""What TRAIN=, VALIDATION= and TEST= name: a file, a folder or several, as the files of a channel.

Files keep their names, because messages quote them. Standard library only.
"""

import dataclasses
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from glob import glob
from pathlib import Path

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.data_names import (
    ALL_FORMS,
    choose,
    is_table,
    is_text,
    listed,
    passed_over,
    suffix_of,
)
from bert_classifier.job.folder_files import FolderFiles, cannot_list
from bert_classifier.job.settings import unquote


@dataclasses.dataclass(frozen=True)
class GivenFiles:
    """The files of a channel.

    Attributes:
        files: by their names in the channel, sorted.
        passed_over: files of a given folder that are not read, though they may be meant as data.
        links: of a given folder that are not followed: to folders, or to nothing.
    """

    files: dict[str, Path]
    passed_over: tuple[Path, ...]
    links: tuple[Path, ...]


def class_file_of(hyperparameters: Mapping[str, object]) -> str:
    """Return the name of the list of classes, by its present or its former hyperparameter."""
    given = hyperparameters.get("class_file", hyperparameters.get("classfile"))
    return unquote(given) or TrainConfig.class_file


def split_paths(value: str) -> list[str]:
    """Return the paths that a setting names.

    They are one that exists or a pattern of * and ? that fits some, blanks and all; or else several of both, quoted as
    in a shell.
    """
    if Path(value).expanduser().exists():
        return [value]
    whole = _expanded(value)
    if whole != [value]:
        return whole
    try:
        words = shlex.split(value)
    except ValueError:  # an apostrophe
        words = value.split()
    return [path for word in words for path in _expanded(word)]


def _expanded(word: str) -> list[str]:
    path = Path(word).expanduser()
    found = [] if path.exists() else sorted(glob(str(path)))  # noqa: PTH207 - Path.glob needs a folder to begin at
    return found or [word]


def given_files(channel: str, paths: Sequence[Path], class_file: str) -> GivenFiles:
    """Return the files of a channel.

    A class file in a lone folder of training data belongs to the channel, too. Files of the same name get that of
    their folder in front.

    Args:
        paths: files and folders.
        class_file: name of the list of classes.
    Raises:
        UserError: when one does not exist, cannot be read, is no data, is given twice, or would not be read beside
            the others.
    """
    try:
        return _given_files(channel, paths, class_file)
    except OSError as error:
        raise cannot_list(error) from error


def _given_files(channel: str, paths: Sequence[Path], class_file: str) -> GivenFiles:
    found = [_Found(path.parent, path) for path in paths if path.is_file()]
    named = [one for one in found if one.path.name != class_file]
    for one in named:
        _check_name(channel, one.path)
    beside: list[Path] = []
    links: list[Path] = []
    for folder in [path for path in paths if not path.is_file()]:
        inside = _inside(channel, folder, class_file)
        found += [_Found(folder, path) for path in inside.files.values()]
        beside += inside.passed_over
        links += inside.links
    if channel == "train" and len(paths) == 1 and (paths[0] / class_file).is_file():
        found.append(_Found(paths[0], paths[0] / class_file))
    _refuse_twice(channel, found)
    _refuse_mixed(channel, [one.path for one in found if one.path.name != class_file])
    return GivenFiles(_named(channel, found), tuple(beside), tuple(links))


@dataclasses.dataclass(frozen=True)
class _Found:
    """A file, and the folder that was given or that it lies in."""

    folder: Path
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(self.folder))

    @property
    def long_name(self) -> str:
        return f"{self.folder.resolve().name}/{self.name}"


def _check_name(channel: str, path: Path) -> None:
    """Refuse a given file that the channel would not read."""
    cause = ""
    if not suffix_of(path.name):
        cause, remedy = "its suffix is none of data", f"Rename it, or save the data as one of {ALL_FORMS}."
    elif not path.stat().st_size:
        cause, remedy = "it is empty", "Give another file."
    elif is_text(path.name) and not is_table(path):
        cause = (
            "of .txt, fastText and tables with tabs are read; its first line does not begin with __label__"
        )
        remedy = "If it is a table, name it .csv: commas, semicolons, tabs and bars are told apart."
    if cause:
        raise UserError(f"{path} cannot be {channel}: {cause}.", remedy)


def _inside(channel: str, folder: Path, class_file: str) -> GivenFiles:
    if folder.exists() and not folder.is_dir():
        raise UserError(
            f"{folder} cannot be {channel}: it is a pipe or a device.",
            "Write what comes from it into a file.",
        )
    if not folder.is_dir():
        raise UserError(
            f"There is no file or folder {folder} for {channel}.",
            "Correct the path; several are separated by blanks, and quoted if they have blanks themselves.",
        )
    below = FolderFiles.below(folder)
    candidates = [path for path in below.files if path != folder / class_file and path.stat().st_size]
    chosen = choose(candidates)
    if not chosen:
        there = _there(folder, below) or "nothing"
        raise UserError(
            f"{folder} has no data file for {channel}: it holds {there}.", f"Data are named {ALL_FORMS}."
        )
    beside = passed_over(candidates, chosen, class_file)
    return GivenFiles({str(path.relative_to(folder)): path for path in chosen}, tuple(beside), below.links)


def _there(folder: Path, below: FolderFiles) -> str:
    links = [f"{path.relative_to(folder)} (a link)" for path in below.links]
    return listed([*(path.relative_to(folder) for path in below.files), *links])


def _refuse_twice(channel: str, found: Sequence[_Found]) -> None:
    counts = Counter(one.path.resolve() for one in found)
    twice = next((one.path for one in found if counts[one.path.resolve()] > 1), None)
    if twice:
        raise UserError(f"{twice} is given twice for {channel}.", "Leave one of them out.")


def _refuse_mixed(channel: str, paths: Sequence[Path]) -> None:
    read = choose(paths)
    others = [path for path in paths if path not in set(read)]
    if others:
        raise UserError(
            f"{others[0]} would not be read for {channel} beside {(read or paths)[0]}: a channel's .csv and .jsonl"
            " files come before those of other suffixes, and plain ones before compressed ones.",
            "Give files of one suffix.",
        )


def _named(channel: str, found: Sequence[_Found]) -> dict[str, Path]:
    counts = Counter(one.name for one in found)
    files = {one.name if counts[one.name] == 1 else one.long_name: one.path for one in found}
    if len(files) < len(found):
        same = next(name for name, count in counts.items() if count > 1)
        raise UserError(f"Several files for {channel} are named {same}.", "Rename them.")
    return dict(sorted(files.items()))
