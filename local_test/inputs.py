"""What TRAIN=, VALIDATION=, TEST=, CLASSES= and MODEL= name on this machine, as files of channels."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from bert_classifier.data.class_list import read_class_names
from bert_classifier.errors import UserError
from bert_classifier.job.data_names import listed
from bert_classifier.job.encoder_files import encoder_files
from bert_classifier.job.encoder_folder import encoder_source
from bert_classifier.job.encoder_weights import unused_weights
from bert_classifier.job.given_files import GivenFiles, given_files, split_paths
from bert_classifier.job.wording import counted

TABLES = ("train", "validation", "test")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def channels_of(given: Mapping[str, str], class_file: str) -> dict[str, dict[str, Path]]:
    """Return the files of each channel by their names in it.

    Args:
        given: channel → one path or several, as the user wrote them.
        class_file: name of the list of classes.
    Raises:
        UserError: when something given cannot be used.
    """
    channels = {}
    for name, value in given.items():
        words = split_paths(value)
        _refuse_addresses(name, words)
        paths = [Path(word).expanduser() for word in words]
        if name in TABLES:
            found = given_files(name, paths, class_file)
            channels[name] = found.files
            _print_files(name, value, found)
        elif name == "class":
            channels[name] = {class_file: _class_list(paths)}
        else:
            folder = Path(value).expanduser()
            channels[name] = encoder_files(folder)
            if doubt := unused_weights(Path(encoder_source(str(folder)))):
                print(f"note: {doubt}")
    return channels


def _refuse_addresses(channel: str, words: Sequence[str]) -> None:
    """Refuse s3://… and other addresses: on this machine, files are read from its own disks."""
    word = next((word for word in words if _ADDRESS.match(word)), None)
    if word is None:
        return
    variable = {"class": "CLASSES"}.get(channel, channel.upper())
    cause = f"{variable}={word} is an address, and a local run reads files of this machine."
    if word.lower().startswith("s3://"):
        copy = f"aws s3 cp --recursive s3{shlex.quote(word[2:])} FOLDER"
        raise UserError(
            cause,
            f"Download it ({copy}; one object without --recursive), or use make train-spot, which takes it.",
        )
    raise UserError(cause, "Download it, and give the file.")


def _print_files(channel: str, value: str, found: GivenFiles) -> None:
    """Print what a folder or a list of files has become."""
    if len(found.files) > 1 or found.passed_over:
        print(f"{channel}: {counted(len(found.files), 'file')} of {value}: {listed(found.files)}")
    if found.passed_over:
        print(f"{channel}: not read: {listed(found.passed_over)}")
    if found.links:
        print(
            f"{channel}: not read, since links to folders and to nothing are not followed: {listed(found.links)}"
        )


def _class_list(paths: Sequence[Path]) -> Path:
    """Return the one file that lists the classes."""
    if len(paths) != 1 or not paths[0].is_file():
        named = ", ".join(map(str, paths))
        raise UserError(
            f"There is no file {named}.", "Give the file that lists the classes: CLASSES=classes.txt."
        )
    read_class_names(paths[0])
    return paths[0]
