"""The files below a folder, none left out in silence: what cannot be listed is an error, what is not followed is named.

Standard library only.
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from bert_classifier.errors import UserError
from bert_classifier.job.data_names import is_hidden


@dataclasses.dataclass(frozen=True)
class FolderFiles:
    """What a folder holds at any depth but hidden files, by path.

    Attributes:
        files: regular files, and links to such.
        links: to folders, which are not followed, or to nothing.
        pipes: named pipes.
    """

    files: tuple[Path, ...]
    links: tuple[Path, ...]
    pipes: tuple[Path, ...]

    @classmethod
    def below(cls, folder: Path) -> "FolderFiles":
        """Look at a folder.

        Raises:
            OSError: when it or a folder below cannot be listed.
        """
        found = sorted(_walk(folder))
        files = tuple(path for path in found if path.is_file())
        links = tuple(path for path in found if path.is_symlink() and not path.is_file())
        return cls(files, links, tuple(path for path in found if path.is_fifo()))


def cannot_list(error: OSError) -> UserError:
    """Return the error for a file or folder of the user's that may not be read."""
    return UserError(
        f"{error.filename} cannot be read: {error.strerror}.",
        "Give yourself permission to read it, or name the files that are meant.",
    )


def _walk(top: Path) -> Iterator[Path]:
    for name, folders, names in os.walk(top, onerror=_raise):
        folder = Path(name)
        folders[:] = [inside for inside in folders if not is_hidden(Path(inside))]
        linked = [inside for inside in folders if (folder / inside).is_symlink()]
        yield from (folder / inside for inside in [*names, *linked] if not is_hidden(Path(inside)))


def _raise(error: OSError) -> None:
    raise error
