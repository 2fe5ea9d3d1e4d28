"""Lay a folder out as SageMaker lays out /opt/ml: files into channels, settings into input/config.

Files are copied, never moved. Files already there are kept, or the command stops and says why.
"""

import argparse
import filecmp
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.errors import ContainerError, UserError
from bert_classifier.job.config import TrainConfig, override
from bert_classifier.job.json_files import read_object, write_json

SAMPLE = Path(__file__).resolve().parent / "test_dir"
CONTENT_TYPES = {".csv": "text/csv", ".jsonl": "application/jsonlines", ".txt": "text/plain"}
ENCODER_FILES = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
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
        lay_out(given.test_dir, _sources(given), given.model, given.hyperparameters)
    except ContainerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"Cannot lay out {given.test_dir}: {error}.", file=sys.stderr)
        return 1
    return 0


def lay_out(folder: Path, sources: Mapping[str, Path], model: Path | None, hyperparameters: str) -> None:
    """Copy `sources` into the channels of their names, `model` into its own, and write the settings.

    Args:
        folder: stands for /opt/ml; made if absent.
        sources: channel → data file.
        model: folder of a pretrained encoder.
        hyperparameters: `name=value name=value …`, added to the folder's own; an empty value removes one.
    Raises:
        UserError: when something given cannot be used; nothing is changed then.
    """
    data_dir, config_dir = folder / "input" / "data", folder / "input" / "config"
    channels = {name: {_name_of(name, path): path} for name, path in sources.items()}
    if channels and folder.resolve() == SAMPLE:
        raise UserError(
            f"{folder} holds the bundled sample.", "Name a folder for your data: TEST_DIR=my_run."
        )
    if model is not None:
        channels["model"] = _encoder_files(model)
    if "train" not in channels and not (data_dir / "train").is_dir():
        raise UserError(f"There is no training data in {data_dir / 'train'}.", "Give it: TRAIN=my.csv.")
    for name, files in channels.items():
        _check_channel(data_dir / name, files)
    settings = _updated_hyperparameters(config_dir / "hyperparameters.json", hyperparameters)
    has_model = "model" in channels or (data_dir / "model").is_dir()
    if has_model and "model_name" in _assignments(hyperparameters):
        raise UserError(
            f"The encoder in {data_dir / 'model'} would be used instead of model_name.",
            "Remove that folder first.",
        )
    _print_leftovers(folder, channels, settings, given=_assignments(hyperparameters))
    for name, files in channels.items():
        _fill(data_dir / name, files)
    _write_config(config_dir, settings, sources)
    if hyperparameters:
        print("hyperparameters:", " ".join(f"{name}={value}" for name, value in settings.items()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Lay a folder out as SageMaker lays out /opt/ml.")
    parser.add_argument("test_dir", type=_path, help="the folder")
    for channel in ("train", "validation", "test"):
        parser.add_argument(
            f"--{channel}", type=_path, metavar="FILE", help=f"CSV or JSON Lines for {channel}"
        )
    parser.add_argument("--classes", type=_path, metavar="FILE", help="class names, one per line")
    parser.add_argument(
        "--model", type=_path, metavar="FOLDER", help="a pretrained encoder and its tokenizer"
    )
    parser.add_argument("--hyperparameters", default="", metavar='"NAME=VALUE …"')
    return parser


def _path(text: str) -> Path:
    """Return a path; an empty one would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: give a path, or leave it out")
    return Path(text)


def _sources(given: argparse.Namespace) -> dict[str, Path]:
    named = {"train": given.train, "validation": given.validation, "test": given.test, "class": given.classes}
    return {channel: path for channel, path in named.items() if path is not None}


def _name_of(channel: str, path: Path) -> str:
    """Return the name of a file in its channel, the same each time, so that a second run replaces it."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check the path.")
    if channel == "class":
        return "classes.txt"
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise UserError(f"{path} is neither .csv nor .jsonl.", "Save the data as CSV or JSON Lines.")
    return channel + suffix


def _encoder_files(folder: Path) -> dict[str, Path]:
    files = {path.name: path for pattern in ENCODER_FILES for path in folder.glob(pattern) if path.is_file()}
    if "config.json" not in files or not any(name.endswith(".safetensors") for name in files):
        raise UserError(
            f"{folder} is not a pretrained model: it lacks config.json or *.safetensors.",
            "Name a folder written by save_pretrained().",
        )
    return files


def _check_channel(channel: Path, files: Mapping[str, Path]) -> None:
    """Refuse to add files to others, which training would read as well."""
    present = sorted(path.name for path in channel.glob("[!.]*")) if channel.is_dir() else []
    others = [name for name in present if name not in files]
    if others:
        raise UserError(
            f"{channel} already holds {', '.join(others[:5])}.", "Remove it, or use another TEST_DIR."
        )


def _print_leftovers(
    folder: Path,
    channels: Mapping[str, Mapping[str, Path]],
    settings: Mapping[str, str],
    given: Mapping[str, str],
) -> None:
    """Print what an earlier run has left that training on new data will use as well."""
    data_dir = folder / "input" / "data"
    old, new = data_dir / "train", channels.get("train", {}).items()
    if not old.is_dir() or all(
        (old / name).exists() and filecmp.cmp(old / name, path, shallow=False) for name, path in new
    ):
        return
    present = sorted(path.name for path in data_dir.glob("[!.]*") if path.is_dir())
    kept = [f"{data_dir / name}" for name in present if name not in channels]
    kept += [f"{name}={value}" for name, value in settings.items() if name not in given]
    if kept:
        print(
            f"new training data, but from before: {', '.join(kept)} (remove what does not belong to the new data)"
        )


def _fill(channel: Path, files: Mapping[str, Path]) -> None:
    """Copy files into a channel; a new channel appears complete or not at all."""
    staging = channel.with_name(f".{channel.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for name, source in files.items():
        shutil.copyfile(source, staging / name)
    if not channel.exists():
        staging.rename(channel)
        return
    for name in files:
        (staging / name).replace(channel / name)
    staging.rmdir()


def _updated_hyperparameters(path: Path, assignments: str) -> dict[str, str]:
    """Return the folder's hyperparameters with the assignments applied.

    Raises:
        UserError: when the training would refuse the result.
    """
    settings = _read(path)
    if assignments:
        changed = override(settings, _assignments(assignments))
        settings = {name: value for name, value in changed.items() if value != ""}
        TrainConfig.from_hyperparameters(settings)
    return dict(sorted(settings.items()))


def _assignments(text: str) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"HP={text} cannot be read: {error}.", 'Write HP="name=value name=value".') from error
    for word in words:
        if "=" not in word:
            raise UserError(
                f"HP: {word} is not name=value.", 'Write HP="name=value name=value", without spaces around =.'
            )
    return dict(word.split("=", 1) for word in words)


def _read(path: Path) -> dict[str, Any]:
    return read_object(path, "Correct or remove it.", is_optional=True)


def _write_config(config_dir: Path, settings: Mapping[str, str], sources: Mapping[str, Path]) -> None:
    """Write the three files of input/config, unless they hold the same already."""
    declared = _read(config_dir / "inputdataconfig.json")
    for channel, path in sources.items():
        declared[channel] = {
            "ContentType": CONTENT_TYPES.get(path.suffix.lower(), "text/plain"),
            "RecordWrapperType": "None",
            "S3DistributionType": "FullyReplicated",
            "TrainingInputMode": "File",
        }
    config_dir.mkdir(parents=True, exist_ok=True)
    _write(config_dir / "inputdataconfig.json", dict(sorted(declared.items())))
    _write(config_dir / "hyperparameters.json", settings)
    _write(config_dir / "resourceconfig.json", _read(config_dir / "resourceconfig.json") or ONE_HOST)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    if not path.exists() or _read(path) != value:
        write_json(path, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
