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
from launcher.aws.refusals import explain
from launcher.command import Command, say
from launcher.settings.declare import FILE_NAME, FILE_VARIABLE, AccountSettings, Sources, add_flags, flags_of

# Modules of launcher.commands with a list COMMANDS, in the order of the help.
MODULES = (
    "push",
    "train",
    "status",
    "doctor",
    "deploy",
    "invoke",
    "batch_transform",
    "delete_endpoint",
    "policies",
)
REPOSITORY = Path(__file__).resolve().parents[2]
_TALKATIVE = ("sagemaker", "sagemaker.config", "botocore")  # they would set themselves to INFO
INTERRUPTED = 130  # as a shell counts SIGINT


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; return its exit status: 0 done, 2 yours to fix, 3 the platform's, 1 a bug."""
    try:
        for library in _TALKATIVE:
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
        return _tell(error)


def all_commands() -> dict[str, Command]:
    """Return every command by name."""
    modules = [importlib.import_module(f"launcher.commands.{name}") for name in MODULES]
    return {command.name: command for module in modules for command in module.COMMANDS}


def all_settings(commands: Mapping[str, Command]) -> dict[str, list[Spec]]:
    """Return the settings of all commands, each with what these accept for it."""
    found: dict[str, list[Spec]] = {}
    for command in commands.values():
        for name, spec in specs(command.settings).items():
            found.setdefault(name, []).append(spec)
    return found


def _file(environ: Mapping[str, str]) -> Path:
    """Return the settings file, which is there if somebody names it.

    Raises:
        UserError: when it is not.
    """
    named = environ.get(FILE_VARIABLE)
    if named and not Path(named).is_file():
        raise UserError(f"There is no file {named}.", f"Correct {FILE_VARIABLE}, or unset it.")
    return Path(named) if named else REPOSITORY / FILE_NAME


def make_parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Return the parser; its values are strings, which `Sources` reads together with environment and file."""
    parser = argparse.ArgumentParser(prog="launcher", description="Runs the image on Amazon SageMaker.")
    inner = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in commands.values():
        own = inner.add_parser(command.name, help=command.help, description=command.help, allow_abbrev=False)
        add_flags(own, command.settings, command.positional)
    return parser


def _tell(error: Exception) -> int:
    told = error if isinstance(error, ContainerError) else explain(error)
    if told is None:
        traceback.print_exception(error, file=sys.stderr)
        say(
            f"InternalError: {type(error).__name__}: {error}. This is a bug of the launcher: please report it."
        )
        return 1
    say(f"{told.family}: {told}")
    return exit_code_of(told)
