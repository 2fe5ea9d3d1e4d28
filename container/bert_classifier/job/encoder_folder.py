"""Check a pretrained encoder's folder before importing torch or reading data.

Standard library only.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.errors import UserError, cannot_read
from bert_classifier.job.json_files import read_object
from bert_classifier.job.settings import shown

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"  # of weights in several files
_OPENED = {".json", ".txt", ".model", ".safetensors"}  # by the libraries
_LONGEST_HEADER = 100_000_000  # bytes, as in safetensors
ENCODERS = "Use an encoder such as BERT, RoBERTa, DistilBERT or ELECTRA."
COPY_AGAIN = "Copy the checkpoint again and compare the sizes of its files."
# Families whose positions begin after the padding id, by transformers' code.
_POSITIONS_BEHIND_PADDING = frozenset(
    {
        "camembert", "data2vec-text", "esm", "ibert", "longformer", "luke", "mpnet", "roberta",
        "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
    }
)  # fmt: skip


def check_encoder(source: str, max_seq_length: int | None) -> None:
    """Refuse a folder that is not a checkpoint, or whose model is too short; raises as check_folder does."""
    check_length(positions_of(check_folder(source)), source, max_seq_length)


def check_folder(source: str) -> dict[str, Any]:
    """Refuse a folder that is not a checkpoint, with a better message than transformers would give.

    Args:
        source: a folder, or a name on the model hub, which is not checked.
    Returns:
        the fields of its config.json, with a model_type; empty for a name on the model hub.
    Raises:
        UserError: when the folder lacks config.json or valid safetensors, or asks to run its own code.
        PlatformError: when disk or permissions prevent reading a file.
    """
    folder = Path(source)
    try:
        return _check_folder(folder, source) if folder.is_dir() else {}
    except OSError as error:
        raise cannot_read(error.filename or folder, error, COPY_AGAIN) from error


def _check_folder(folder: Path, source: str) -> dict[str, Any]:
    if not (folder / _CONFIG).is_file():
        raise UserError(
            f"{folder} has no config.json.", "Put the checkpoint's files directly into this folder."
        )
    config = read_object(folder / _CONFIG, COPY_AGAIN)
    if config.get("auto_map"):
        raise runs_code(source)
    if not isinstance(config.get("model_type"), str):
        raise unknown_type(source, config.get("model_type"))
    for path in _weights_of(folder):
        _check_weights(path)
    for path in sorted(folder.iterdir()):
        if path.suffix in _OPENED and path.is_file():  # otherwise the libraries would report a damaged folder
            check_readable(path, COPY_AGAIN)
    return config


def check_readable(path: Path, remedy: str) -> None:
    """Refuse a file that cannot be opened; raises as cannot_read says."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise cannot_read(path, error, remedy) from error


def runs_code(source: str) -> UserError:
    """Return the error for a checkpoint that contains code."""
    return UserError(
        f"The config.json of {source} asks to run code of the checkpoint (auto_map).",
        "Use a model of a supported family.",
    )


def unknown_type(source: str, model_type: object) -> UserError:
    """Return the error for a checkpoint of an unknown family."""
    return UserError(
        f"The config.json of {source} names no known model_type ({shown(model_type)}).", ENCODERS
    )


def check_length(positions: int | None, source: str, max_seq_length: int | None) -> None:
    """Raise a UserError if max_seq_length, unless it is None, exceeds the positions that positions_of returns."""
    if positions is not None and max_seq_length is not None and max_seq_length > positions:
        raise UserError(
            f"max_seq_length={max_seq_length} is more than the {positions} tokens that {source} can take.",
            f"Set max_seq_length to {positions} or less.",
        )


def positions_of(config: Mapping[str, Any]) -> int | None:
    """Return the maximum tokens of a model's input, special ones included; None if its config.json sets no limit."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return None
    if config.get("model_type") not in _POSITIONS_BEHIND_PADDING:
        return positions
    padding = config.get("pad_token_id")
    return positions - (padding if isinstance(padding, int) else 1) - 1


def _weights_of(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights."""
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    if not (folder / _INDEX).is_file():
        raise UserError(
            f"{folder} has no model.safetensors.",
            "Pickled weights (.bin, .pt) are not opened: save them again with transformers' save_pretrained.",
        )
    names = read_object(folder / _INDEX, COPY_AGAIN).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise _damaged(folder / _INDEX, "it names no weights")
    return [folder / str(name) for name in sorted(set(map(str, names.values())))]


def _check_weights(path: Path) -> None:
    """Refuse a safetensors file whose length contradicts its header: truncated, or a Git LFS pointer."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            is_plausible = 8 + length <= size and length <= _LONGEST_HEADER
            header: Any = json.loads(file.read(length)) if is_plausible else None
        tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
        wanted = 8 + length + max(tensor["data_offsets"][1] for tensor in tensors)
    except FileNotFoundError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    except OSError as error:
        raise cannot_read(path, error, COPY_AGAIN) from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"its {size} bytes are not valid safetensors") from error
    if wanted != size:
        raise _damaged(path, f"it has {size} bytes instead of {wanted}")


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"The model in {path.parent} is damaged: {path.name}: {reason}.", COPY_AGAIN)
