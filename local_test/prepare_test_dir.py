"""Lay a folder out as SageMaker lays out /opt/ml: files into channels, settings into input/config.

Files are copied under their own names, never moved. What an earlier command has laid out is replaced; files of the
user's own are kept, or the command stops and says why.
"""

import argparse
import errno
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.errors import ContainerError, UserError
from bert_classifier.job.assignments import parse_assignments
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.data_names import COMPRESSED, listed, suffix_of
from bert_classifier.job.encoder_files import encoder_files
from bert_classifier.job.encoder_folder import check_revision
from bert_classifier.job.former_names import override
from bert_classifier.job.given_files import class_file_of
from bert_classifier.job.json_files import read_object, write_json
from channel_folder import ChannelFolder
from inputs import TABLES, channels_of

SAMPLE = Path(__file__).resolve().parent / "test_dir"
CONTENT_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".manifest": "application/jsonlines",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}
CHANNELS = (*TABLES, "class", "model")
ONE_HOST = {
    "current_host": "algo-1",
    "current_instance_type": "local",
    "hosts": ["algo-1"],
    "network_interface_name": "lo",
}


def main(arguments: Sequence[str]) -> int:
    """Lay out the folder that the command line describes; return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        lay_out(given.test_dir, _given(given), given.hyperparameters, default_model=given.default_model)
    except ContainerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(_failure(given.test_dir, error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"interrupted: each channel of {given.test_dir} is complete, or as it was before", file=sys.stderr
        )
        return 130
    return 0


def _failure(folder: Path, error: OSError) -> str:
    """Return what kept a folder from being laid out, and what helps."""
    place = f"{error.filename}: " if error.filename else ""
    cause = f"Cannot lay out {folder}: {place}{error.strerror or error}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{cause} Make room on its disk, or use a TEST_DIR on another one."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{cause} Give yourself permission to read what is given and to write below TEST_DIR, or use another."
    return cause


def lay_out(
    folder: Path, given: Mapping[str, str], hyperparameters: str, default_model: Path | None = None
) -> None:
    """Copy what is given into the channels of their names, and write the settings.

    Args:
        folder: stands for /opt/ml; made if absent.
        given: channel → one path or several, as the user wrote them.
        hyperparameters: `name=value name=value …`, added to the folder's own; an empty value removes one.
        default_model: folder of the encoder that is used where the user gives none.
    Raises:
        UserError: when something given cannot be used; nothing is changed then.
    """
    if folder.is_file():
        raise UserError(f"TEST_DIR={folder} is a file.", "Name a folder.")
    data_dir, config_dir = folder / "input" / "data", folder / "input" / "config"
    settings = _updated_hyperparameters(config_dir / "hyperparameters.json", hyperparameters)
    channels = channels_of(given, class_file_of(settings))
    if channels.keys() - {"model"} and folder.resolve() == SAMPLE:
        raise UserError(
            f"{folder} holds the bundled sample.", "Name a folder for your data: TEST_DIR=my_run."
        )
    if default_model:
        channels["model"] = encoder_files(default_model)
    has_channel = "model" in channels
    check_revision(settings.get("revision", ""), settings.get("model_name", ""), has_channel=has_channel)
    present = {name: ChannelFolder(data_dir / name) for name in CHANNELS}
    assignments = parse_assignments(hyperparameters)
    _check_channels(present, channels, names_model="model_name" in assignments)
    if not default_model and folder.resolve() != SAMPLE:
        _print_leftovers(present, channels, {n: v for n, v in settings.items() if n not in assignments})
    if "model_name" in assignments:
        present["model"].remove()  # the default one: another is refused
    _fill(present, channels, is_default=default_model is not None)
    _write_config(config_dir, settings, {name: files for name, files in channels.items() if name != "model"})
    if hyperparameters:
        print("hyperparameters:", " ".join(_assignments(settings)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Lay a folder out as SageMaker lays out /opt/ml.")
    parser.add_argument("test_dir", type=_path, help="the folder")
    for channel in TABLES:
        parser.add_argument(
            f"--{channel}", type=_not_empty, metavar="PATHS", help=f"files or folders for {channel}"
        )
    parser.add_argument("--classes", type=_not_empty, metavar="FILE", help="class names, one per line")
    parser.add_argument(
        "--model", type=_not_empty, metavar="FOLDER", help="a pretrained encoder and its tokenizer"
    )
    parser.add_argument(
        "--default-model", type=_path, metavar="FOLDER", help="the same, where the user gives none"
    )
    parser.add_argument("--hyperparameters", default="", metavar='"NAME=VALUE …"')
    return parser


def _not_empty(text: str) -> str:
    """Return a text; an empty path would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: give a path, or leave it out")
    return text


def _path(text: str) -> Path:
    return Path(_not_empty(text))


def _given(given: argparse.Namespace) -> dict[str, str]:
    named = {"train": given.train, "validation": given.validation, "test": given.test, "class": given.classes}
    return {name: value for name, value in {**named, "model": given.model}.items() if value is not None}


def _assignments(settings: Mapping[str, object]) -> list[str]:
    """Return settings as HP takes them; what is no word or number is quoted."""
    quoted = {name: shlex.quote(str(value)) for name, value in settings.items()}
    return [
        f"{name}='{value}'" if value in (",", ":") else f"{name}={value}" for name, value in quoted.items()
    ]


def _check_channels(
    present: Mapping[str, ChannelFolder], channels: Mapping[str, Mapping[str, Path]], *, names_model: bool
) -> None:
    """Refuse a folder without training data, to replace the user's own files, and an encoder beside a model_name."""
    train, model = present["train"].path, present["model"]
    if "train" not in channels and not train.is_dir():
        raise UserError(f"There is no training data in {train}.", "Give it: TRAIN=my.csv.")
    for name, files in channels.items():
        foreign = present[name].foreign(files)
        if foreign:
            raise UserError(
                f"{present[name].path} already holds {listed(foreign)}, put there or changed by hand.",
                "Remove it (what an earlier version of this program laid out, too), or use another TEST_DIR.",
            )
    if names_model and ("model" in channels or (model.path.is_dir() and not model.is_default)):
        raise UserError(
            f"The encoder in {model.path} would be used instead of model_name.", "Remove that folder first."
        )


def _fill(
    present: Mapping[str, ChannelFolder], channels: Mapping[str, Mapping[str, Path]], *, is_default: bool
) -> None:
    """Copy everything first, and then let it appear."""
    for name, files in channels.items():
        present[name].stage(files, is_default=is_default and name == "model")
    for name in channels:
        present[name].replace()


def _print_leftovers(
    present: Mapping[str, ChannelFolder],
    channels: Mapping[str, Mapping[str, Path]],
    settings: Mapping[str, str],
) -> None:
    """Print what an earlier command has left that is used as well: settings, and with new training data, channels."""
    train, left = present["train"], _assignments(settings)
    if "train" not in channels or not train.path.is_dir() or train.holds(channels["train"]):
        if left:
            print(f'settings of the folder: {" ".join(left)} (HP="{next(iter(settings))}=" removes one)')
        return
    kept = [
        str(channel.path)
        for name, channel in sorted(present.items())
        if channel.path.is_dir() and name not in channels and not channel.is_default
    ]
    kept += left
    if kept:
        how = f'; HP="{next(iter(settings))}=" removes a setting' if left else ""
        print(
            f"new training data, but from before: {', '.join(kept)} (remove what does not belong to the new data{how})"
        )


def _updated_hyperparameters(path: Path, assignments: str) -> dict[str, str]:
    """Return the folder's hyperparameters with the assignments applied.

    Raises:
        UserError: when the training would refuse the result.
    """
    settings = _read(path)
    if assignments:
        changed = override(settings, parse_assignments(assignments))
        settings = {name: value for name, value in changed.items() if value != ""}
        TrainConfig.from_hyperparameters(settings)
    return dict(sorted(settings.items()))


def _read(path: Path) -> dict[str, Any]:
    return read_object(path, "Correct or remove it.", is_optional=True)


def _write_config(
    config_dir: Path, settings: Mapping[str, str], channels: Mapping[str, Mapping[str, Path]]
) -> None:
    """Write the three files of input/config, unless they hold the same already."""
    declared = _read(config_dir / "inputdataconfig.json")
    for channel, files in channels.items():
        declared[channel] = {
            "ContentType": _content_type(next(iter(files))),
            "RecordWrapperType": "None",
            "S3DistributionType": "FullyReplicated",
            "TrainingInputMode": "File",
        }
    config_dir.mkdir(parents=True, exist_ok=True)
    _write(config_dir / "inputdataconfig.json", dict(sorted(declared.items())))
    _write(config_dir / "hyperparameters.json", settings)
    _write(config_dir / "resourceconfig.json", _read(config_dir / "resourceconfig.json") or ONE_HOST)


def _content_type(name: str) -> str:
    """Return the media type of a data file, that of what a compressed one holds."""
    plain = suffix_of(name)
    for packed in COMPRESSED:
        plain = plain.removesuffix(packed)
    return CONTENT_TYPES.get(plain, "text/plain")


def _write(path: Path, value: Mapping[str, Any]) -> None:
    if not path.exists() or _read(path) != value:
        write_json(path, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
