"""What a command can be told: by flag, by environment variable LAUNCHER_…, or in `.launcher.toml`, in this order.

`make COMMAND NAME=value` hands NAME over as LAUNCHER_NAME, and its name in LAUNCHER_TYPED.
"""

import argparse
import dataclasses
import functools
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bert_classifier.errors import UserError
from bert_classifier.job.settings import AUTO, Spec, boolean, nearest, parse_values, refuse, specs, unquote

PREFIX = "LAUNCHER_"
FILE_NAME = ".launcher.toml"
FILE_VARIABLE = PREFIX + "SETTINGS_FILE"  # another file than that
TYPED_VARIABLE = PREFIX + "TYPED"  # names of the settings that make was given on its command line
T = TypeVar("T", bound="AccountSettings")
Known = Mapping[str, Sequence[Spec]]  # settings of all commands, each with what the commands accept for it


def text(default: str, accepts: str, help: str, pattern: str = r".+", longest: int = 1024) -> Any:
    """Return a dataclass field for a printable text that matches `pattern` as a whole; "" means unset."""

    def parse(value: str) -> str:
        if len(value) > longest or not value.isprintable() or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return _field(default, parse, accepts, help)


def s3_uri(default: str, help: str) -> Any:
    """Return a dataclass field for s3://bucket or s3://bucket/prefix."""
    return text(default, "s3://bucket/prefix", help, r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s]*)?")


def number_or_unset(low: float, high: float, help: str) -> Any:
    """Return a dataclass field for a number in (low, high]; None means unset."""

    def parse(value: str) -> float:
        if not (re.fullmatch(r"\d+(\.\d*)?", value) and low < float(value) <= high):
            raise ValueError
        return float(value)

    return _field(None, parse, f"a number above {low:g} and at most {high:g}", help)


def names(accepts: str, help: str, pattern: str, most: int) -> Any:
    """Return a dataclass field for a tuple of names, written with commas or blanks between them."""

    def parse(value: str) -> tuple[str, ...]:
        found = tuple(value.replace(",", " ").split())
        if not 0 < len(found) <= most or not all(re.fullmatch(pattern, name) for name in found):
            raise ValueError
        return found

    return _field((), parse, accepts, help)


def pairs(help: str, *, most: int, name: str = r".+", longest: int = 256) -> Any:
    """Return a dataclass field for a tuple of (name, value), written as a shell writes assignments."""

    def parse(value: str) -> tuple[tuple[str, str], ...]:
        words = [word.partition("=") for word in shlex.split(value)]
        fit = all(equals and re.fullmatch(name, key) and len(told) <= longest for key, equals, told in words)
        if not fit or len({key for key, *_ in words}) < len(words) or len(words) > most:
            raise ValueError
        return tuple((key, told) for key, _, told in words)

    return _field((), parse, '"name=value name=value", each name once', help)


def _field(default: object, parse: Callable[[str], Any], accepts: str, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"spec": Spec(parse, accepts, help)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """What every command can be told.

    Attributes:
        given: names of the settings that are not at their defaults because somebody said so, wherever.
        typed: those of them that were said for this very command, on the command line.
        notes: what is to be said of values that were left out.
    """

    region: str = text(
        "",
        "an AWS region, such as eu-west-1",
        "Region of everything; default: that of your AWS configuration.",
        r"[a-z]+(-[a-z]+)+-\d+",
    )
    profile: str = text(
        "", "the name of a profile", "Profile of your AWS configuration; default: its default.", longest=256
    )
    bucket_owner: str = text(
        "",
        "12 digits",
        "Account that the buckets you name must belong to; the default bucket must always be your own.",
        r"\d{12}",
    )
    dry_run: bool = boolean(False, "Check everything, print the exact requests, and send none of them.")
    given: frozenset[str] = dataclasses.field(default=frozenset(), compare=False, repr=False)
    typed: frozenset[str] = dataclasses.field(default=frozenset(), compare=False, repr=False)
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False, repr=False)


def chosen(settings: AccountSettings, *names: str) -> tuple[str, ...]:
    """Return the values of settings that exclude each other: where one was typed, those of the file do not count."""
    typed = settings.typed & set(names)
    return tuple(getattr(settings, name) if not typed or name in typed else "" for name in names)


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where settings come from.

    Attributes:
        flags: by name, as given on the command line.
        environ: the process' environment.
        file: the settings file; one that is not there is empty.
        command: the one at hand: its table of the file counts before the lines above all tables.
        commands: names of all; the tables of the others are no mistakes.
    """

    flags: Mapping[str, str]
    environ: Mapping[str, str]
    file: Path
    command: str = ""
    commands: Sequence[str] = ()

    def read(self, cls: type[T], known: Known) -> T:
        """Return the settings of one command.

        Args:
            known: the settings of all commands, each with its specifications: one of another command is no mistake in
                environment or file, which serve all of them; on the command line or in a command's own table it is.
        Raises:
            UserError: naming every unknown name and wrong value, and where it stands.
        """
        own, shared, environ, typed = self._own(), self._shared(), self._of_environ(), self._of_make()
        around = {**shared, **own, **{name: value for name, value in environ.items() if name not in typed}}
        of_make = {name: environ[name] for name in environ if name in typed}
        of_others = [name for name in {**own, **of_make} if name not in specs(cls) and name in known]
        loose = {name: around[name] for name in around if name not in own or name in environ}
        notes = self._out_of_range(loose, cls, known)
        raw = {name: around[name] for name in around if name in specs(cls) or name not in known}
        mine = {name: value for name, value in of_make.items() if name not in of_others}
        given = {**{n: value for n, value in raw.items() if n not in notes}, **mine, **self.flags}
        spelling = {name: f"{name} in {self.file.name}" for name in {**shared, **own}}
        spelling |= {name: name.upper() for name in environ}
        spelling |= {name: flag_of(name) for name in self.flags}
        values, mistakes = parse_values(cls, given, "setting", spelling.__getitem__, plain=_plain)
        mistakes += [self._of_another_command(name, spelling[name], specs(cls)) for name in of_others]
        refuse(mistakes, f"Correct it on the command line, in the environment or in {self.file.name}.")
        of_line = frozenset(values) & {*mine, *self.flags}
        said = tuple(note for name, note in notes.items() if name not in {*mine, *self.flags})
        return cls(**values, given=frozenset(values), typed=of_line, notes=said)

    def _of_environ(self) -> dict[str, str]:
        """Return what stands in the environment; an empty value counts where somebody typed it."""
        ours, typed = (FILE_VARIABLE, TYPED_VARIABLE), self._of_make()
        names = [n for n in self.environ if n.startswith(PREFIX) and n not in ours]
        given = {name.removeprefix(PREFIX).lower(): self.environ[name] for name in names}
        return {name: value for name, value in given.items() if value or name in typed}

    def _of_make(self) -> set[str]:
        """Return the names of those variables that stood on make's command line."""
        return {name.lower() for name in self.environ.get(TYPED_VARIABLE, "").split()}

    def _own(self) -> dict[str, object]:
        """Return the command's own table of the file."""
        own = self._read_file.get(self.command, {}) if self.command in self.commands else {}
        return own if isinstance(own, dict) else {}

    def _shared(self) -> dict[str, object]:
        """Return the lines of the file that serve all commands."""
        tables = {n for n, value in self._read_file.items() if n in self.commands and isinstance(value, dict)}
        return {name: value for name, value in self._read_file.items() if name not in tables}

    @functools.cached_property
    def _read_file(self) -> dict[str, object]:
        try:
            return tomllib.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise UserError(
                f"Cannot read {self.file}: {error}.",
                'It holds lines such as: instance_type = "ml.g5.xlarge".',
            ) from error

    def _out_of_range(self, told: Mapping[str, object], cls: type, known: Known) -> dict[str, str]:
        """Return what to say of each value that is none for this command, but one for another command."""
        mine = specs(cls)
        wrong = [name for name, value in told.items() if name in mine and not _fits(value, mine[name])]
        return {
            name: f"{name.upper()}={told[name]} of {self._place(name)} is for another command, so it is left out: "
            f"{self.command} takes {mine[name].accepts}"
            for name in wrong
            if any(_fits(told[name], spec) for spec in known.get(name, ()))
        }

    def _place(self, name: str) -> str:
        return "the environment" if name in self._of_environ() else self.file.name

    def _of_another_command(self, name: str, spelling: str, known: Mapping[str, Spec]) -> str:
        close = nearest(name, [one for one in known if one.startswith(f"{name}_")])
        hint = f", did you mean {close.upper()}?" if close else ""
        return f"{spelling} is a setting of another command, not of {self.command}{hint}"


def _plain(value: object) -> str | None:
    """Return a value as text, letter by letter: `None` is no way to leave a setting out that somebody named."""
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
    """Give a parser the flags of a command's settings; their values stay strings for now."""
    for name, spec in specs(cls).items():
        told = f"{spec.help} ({spec.accepts})".replace("%", "%%")
        if name == positional:
            parser.add_argument(f"{name}_", nargs="?", metavar=name.upper(), help=told)
        if spec.accepts == "true or false":
            parser.add_argument(flag_of(name), dest=name, action="store_const", const="true", help=told)
            no = flag_of(f"no_{name}")
            parser.add_argument(no, dest=name, action="store_const", const="false", help=argparse.SUPPRESS)
        else:
            parser.add_argument(flag_of(name), dest=name, metavar="VALUE", help=told)


def flags_of(given: argparse.Namespace, positional: str = "") -> dict[str, str]:
    """Return the settings that the command line gave, by name."""
    told = {name: value for name, value in vars(given).items() if value is not None and name != "command"}
    if positional and f"{positional}_" in told:
        told[positional] = told.pop(f"{positional}_")
    return told
