"""Where settings come from: flags, then environment variables LAUNCHER_…, then the file `.launcher.toml`.

`make COMMAND NAME=value` passes NAME as LAUNCHER_NAME, and lists it in LAUNCHER_TYPED.
"""

import argparse
import dataclasses
import functools
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.former_names import ALIASES
from bert_classifier.job.settings import AUTO, Spec, nearest, parse_values, refuse, specs, unquote
from launcher.settings.account import AccountSettings

PREFIX = "LAUNCHER_"
FILE_NAME = ".launcher.toml"
FILE_VARIABLE = PREFIX + "SETTINGS_FILE"  # path of another file
TYPED_VARIABLE = PREFIX + "TYPED"  # names of the settings on make's command line
T = TypeVar("T", bound=AccountSettings)
Known = Mapping[str, Sequence[Spec]]  # the settings of all commands, each with its specification per command


@dataclasses.dataclass(frozen=True)
class Sources:
    """All values that the user has set.

    Attributes:
        flags: values on the command line, by name.
        environ: the process' environment.
        file: the settings file; a missing one counts as empty.
        command: the command to run; its own table in the file overrides the lines above all tables.
        commands: names of all commands, each of which may have a table in the file.
    """

    flags: Mapping[str, str]
    environ: Mapping[str, str]
    file: Path
    command: str = ""
    commands: Sequence[str] = ()

    def read(self, cls: type[T], known: Known) -> T:
        """Return the settings of one command.

        Args:
            known: the settings of all commands. File and environment serve all commands, so a setting of another one
                is a mistake only on the command line or in the command's own table.
        Raises:
            UserError: naming every unknown name and wrong value, and its source.
        """
        mine, own, shared, environ = specs(cls), self._own(), self._shared(), self._from_environ()
        by_make = {name: value for name, value in environ.items() if name in self._typed_in_make()}
        standing = {**shared, **own, **{n: value for n, value in environ.items() if n not in by_make}}
        foreign = [name for name in {**own, **by_make} if name not in mine and name in known]
        loose = {name: value for name, value in standing.items() if name not in own or name in environ}
        notes = self._out_of_range(loose, mine, known)
        typed = {**{name: value for name, value in by_make.items() if name not in foreign}, **self.flags}
        raw = {
            name: value
            for name, value in standing.items()
            if name not in notes and (name in mine or name not in known)
        }
        spelling = {name: f"{name} in {self.file.name}" for name in {**shared, **own}}
        spelling |= {name: name.upper() for name in environ} | {name: flag_of(name) for name in self.flags}
        values, mistakes = parse_values(
            cls, {**raw, **typed}, "setting", spelling.__getitem__, _hyperparameters(mine), _plain
        )
        mistakes += [self._foreign(name, spelling[name], mine) for name in foreign]
        refuse(mistakes, f"Correct it on the command line, in the environment or in {self.file.name}.")
        return cls(
            **values,
            given=frozenset(values),
            typed=frozenset(values) & typed.keys(),
            notes=tuple(note for name, note in notes.items() if name not in typed),
        )

    def _from_environ(self) -> dict[str, str]:
        """Return the values in the environment; an empty one counts only where it was typed."""
        names = [n for n in self.environ if n.startswith(PREFIX) and n not in (FILE_VARIABLE, TYPED_VARIABLE)]
        given = {name.removeprefix(PREFIX).lower(): self.environ[name] for name in names}
        return {name: value for name, value in given.items() if value or name in self._typed_in_make()}

    def _typed_in_make(self) -> set[str]:
        return {name.lower() for name in self.environ.get(TYPED_VARIABLE, "").split()}

    def _own(self) -> dict[str, object]:
        """Return the command's own table of the file."""
        own = self._content.get(self.command, {}) if self.command in self.commands else {}
        return self._in_lower_case(own) if isinstance(own, dict) else {}

    def _shared(self) -> dict[str, object]:
        """Return the lines of the file that serve all commands."""
        return self._in_lower_case(
            {
                name: value
                for name, value in self._content.items()
                if not (name in self.commands and isinstance(value, dict))
            }
        )

    def _in_lower_case(self, table: Mapping[str, object]) -> dict[str, object]:
        """Return a table of the file, whose names may be written as on make's command line."""
        found: dict[str, object] = {}
        for name, value in table.items():
            if name.lower() in found:
                raise UserError(f"{self.file.name} sets {name.lower()} twice.", "Keep one of the lines.")
            found[name.lower()] = value
        return found

    @functools.cached_property
    def _content(self) -> dict[str, object]:
        try:
            return tomllib.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise UserError(
                f"Cannot read {self.file}: {error}.", 'Write lines such as: instance_type = "ml.g5.xlarge".'
            ) from error

    def _out_of_range(
        self, values: Mapping[str, object], mine: Mapping[str, Spec], known: Known
    ) -> dict[str, str]:
        """Return a note for each value that only another command accepts."""
        return {
            name: f"{name.upper()}={value} in {self._source_of(name)} is ignored, because it suits another command:"
            f" {self.command} takes {mine[name].accepts}"
            for name, value in values.items()
            if name in mine
            and not _fits(value, mine[name])
            and any(_fits(value, spec) for spec in known.get(name, ()))
        }

    def _source_of(self, name: str) -> str:
        return "the environment" if name in self._from_environ() else self.file.name

    def _foreign(self, name: str, spelling: str, mine: Mapping[str, Spec]) -> str:
        close = nearest(name, [one for one in mine if one.startswith(f"{name}_")])
        meant = _hyperparameters(mine).get(name) or (close or "").upper()
        hint = f", did you mean {meant}?" if meant else ""
        return f"{spelling} is a setting of another command, not of {self.command}{hint}"


def _hyperparameters(mine: Collection[str]) -> dict[str, str]:
    """Return how to give a hyperparameter by each of its names, where the command takes them."""
    names = {**{name: name for name in specs(TrainConfig)}, **ALIASES} if "hp" in mine else {}
    return {name: f'HP="{current}=…"' for name, current in names.items() if name not in mine}


def _plain(value: object) -> str | None:
    """Return a value as text; a string stays as it is, so that `None` cannot unset a setting."""
    if not isinstance(value, str):
        return unquote(value)
    if not value.strip():
        raise ValueError
    return value.strip()


def _fits(value: object, spec: Spec) -> bool:
    try:
        text = _plain(value)
        return text is None or (text == AUTO and spec.has_auto) or bool((spec.parse(text), True))
    except ValueError:
        return False


def flag_of(name: str) -> str:
    """Return the flag of a setting."""
    return "--" + name.replace("_", "-")


def add_flags(parser: argparse.ArgumentParser, cls: type, positional: str = "") -> None:
    """Add the flags of a command's settings; values stay strings until `Sources` reads them."""
    for name, spec in specs(cls).items():
        help = f"{spec.help} ({spec.accepts})".replace("%", "%%")
        if name == positional:
            parser.add_argument(f"{name}_", nargs="?", metavar=name.upper(), help=help)
        if spec.accepts == "true or false":
            parser.add_argument(flag_of(name), dest=name, action="store_const", const="true", help=help)
            no = flag_of(f"no_{name}")
            parser.add_argument(no, dest=name, action="store_const", const="false", help=argparse.SUPPRESS)
        else:
            parser.add_argument(flag_of(name), dest=name, metavar="VALUE", help=help)


def flags_of(parsed: argparse.Namespace, positional: str = "") -> dict[str, str]:
    """Return the settings on the command line, by name."""
    flags = {name: value for name, value in vars(parsed).items() if value is not None and name != "command"}
    if f"{positional}_" in flags:
        flags[positional] = flags.pop(f"{positional}_")
    return flags
