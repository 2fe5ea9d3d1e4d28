"""The command line: one parser, one boundary where every error becomes a sentence and an exit code."""

import argparse
import importlib
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from bert_classifier.errors import ContainerError, UserError, exit_code_of
from bert_classifier.job.settings import Spec, specs
from launcher.aws.account import Account
from launcher.aws.errors import explain
from launcher.command import Command, say
from launcher.revision import ROOT
from launcher.settings.account import AccountSettings
from launcher.settings.sources import FILE_NAME, FILE_VARIABLE, Sources, add_flags, flags_of

# Modules of launcher.commands with a list COMMANDS, in the order of the help.
MODULES = (
    "push",
    "train",
    "tune",
    "register",
    "approve",
    "status",
    "doctor",
    "deploy",
    "invoke",
    "drift",
    "scale",
    "watch",
    "batch_transform",
    "delete_endpoint",
    "clean_up",
    "policies",
)
_VERBOSE = ("sagemaker", "sagemaker.config", "botocore")  # they set their own level to INFO
INTERRUPTED = 130  # as a shell counts SIGINT


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; return its exit code: 0 done, 2 the user's error, 3 the platform's, 1 a bug."""
    try:
        for library in _VERBOSE:
            logging.getLogger(library).setLevel(logging.ERROR)
        commands = all_commands()
        given = make_parser(commands).parse_args(arguments)
        command = commands[given.command]
        flags = flags_of(given, command.positional)
        sources = Sources(flags, environ, _file(environ), given.command, list(commands))
        settings: AccountSettings = sources.read(command.settings, all_settings(commands))
        for note in settings.notes:
            say(note)
        return command.run(settings, Account(settings, environ))
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary of the program
        return _report(error)


def all_commands() -> dict[str, Command]:
    """Return every command by name."""
    modules = [importlib.import_module(f"launcher.commands.{name}") for name in MODULES]
    return {command.name: command for module in modules for command in module.COMMANDS}


def all_settings(commands: Mapping[str, Command]) -> dict[str, list[Spec]]:
    """Return the settings of all commands, each with its specification per command."""
    found: dict[str, list[Spec]] = {}
    for command in commands.values():
        for name, spec in specs(command.settings).items():
            found.setdefault(name, []).append(spec)
    return found


def _file(environ: Mapping[str, str]) -> Path:
    """Return the path of the settings file; the default one may be missing.

    Raises:
        UserError: when the file that the environment names is missing.
    """
    named = environ.get(FILE_VARIABLE)
    if named and not Path(named).is_file():
        raise UserError(f"There is no file {named}.", f"Correct {FILE_VARIABLE}, or unset it.")
    return Path(named) if named else ROOT / FILE_NAME


def make_parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Return the parser; values stay strings until `Sources` merges them with environment and file."""
    parser = argparse.ArgumentParser(prog="launcher", description="Run the image on Amazon SageMaker.")
    inner = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in commands.values():
        own = inner.add_parser(command.name, help=command.help, description=command.help, allow_abbrev=False)
        add_flags(own, command.settings, command.positional)
    return parser


def _report(error: Exception) -> int:
    known = error if isinstance(error, ContainerError) else explain(error)
    if known is None:
        traceback.print_exception(error, file=sys.stderr)
        say(
            f"InternalError: {type(error).__name__}: {error}. This is a bug of the launcher: please report it."
        )
        return 1
    say(f"{known.family}: {known}")
    return exit_code_of(known)
