"""Check a pretrained encoder's folder before importing torch or reading data.

Standard library only.
"""

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_classifier.errors import UserError, cannot_read
from bert_classifier.job.encoder_config import check_values
from bert_classifier.job.encoder_places import checkpoints_below, transformer_modules, without_config
from bert_classifier.job.encoder_types import check_type
from bert_classifier.job.encoder_weights import (
    COPY_AGAIN,
    check_weights,
    is_pointer,
    pointer_error,
    refuse_dangling,
)
from bert_classifier.job.json_files import read_object
from bert_classifier.job.settings import shown

_CONFIG = "config.json"
SENTENCEPIECE_FILES = (  # by its names in use
    "spm.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "sentencepiece.model",
    "tokenizer.model",
)
TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_FILES = (
    TOKENIZER_FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    *SENTENCEPIECE_FILES,
)
LIMIT = "max_position_embeddings"  # in config.json
# Families whose positions begin after the padding id: a hint for what runs without torch. Before data are read, the
# model itself says it (modeling.positions).
_POSITIONS_BEHIND_PADDING = frozenset(
    {
        "camembert", "data2vec-text", "esm", "ibert", "longformer", "luke", "mpnet", "roberta",
        "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
    }
)  # fmt: skip


def check_encoder(source: str, max_seq_length: int | None) -> None:
    """Refuse a folder that is not a checkpoint, or whose model is too short; raises as check_folder does."""
    check_length(positions_of(check_folder(source)), source, max_seq_length)


def encoder_source(source: str) -> str:
    """Return a name on the model hub as it is, and of a folder the one that holds the encoder.

    Some lie one folder deeper: as packed with their folder, as sentence-transformers writes them (0_Transformer), or in
    a copy of the hub's cache (snapshots/…).
    """
    folder = Path(source)
    try:
        if not folder.is_dir() or (folder / _CONFIG).is_file():
            return source
        below = [folder / name for name in transformer_modules(folder)] or checkpoints_below(folder)
    except OSError as error:
        raise cannot_read(error.filename or folder, error, COPY_AGAIN) from error
    return str(below[0]) if len(below) == 1 else source


def check_folder(source: str) -> dict[str, Any]:
    """Refuse a folder that is not a checkpoint, with a better message than transformers would give.

    Args:
        source: a folder, or a name on the model hub, which is not checked.
    Returns:
        the fields of its config.json, with a model_type; empty for a name on the model hub.
    Raises:
        UserError: when the folder lacks config.json or valid safetensors, holds no text encoder, or one that only
            its own code can compute.
        PlatformError: when disk or permissions prevent reading a file.
    """
    folder = Path(encoder_source(source))
    try:
        return _check_folder(folder) if folder.is_dir() else {}
    except OSError as error:
        raise cannot_read(error.filename or folder, error, COPY_AGAIN) from error


def _check_folder(folder: Path) -> dict[str, Any]:
    config = read_config(folder)
    check_weights(folder, config)
    for name in _opened_beside_weights(folder):
        # What cannot be read here, the libraries would report as a damaged folder.
        if (folder / name).is_file() and is_pointer(folder / name):
            raise pointer_error(folder / name)
    return config


def _opened_beside_weights(folder: Path) -> list[str]:
    """Return the names of further files that a job opens; a SentencePiece model only without tokenizer.json."""
    passed_over = SENTENCEPIECE_FILES if (folder / TOKENIZER_FILE).is_file() else ()
    return [name for name in (*TOKENIZER_FILES, "training.json") if name not in passed_over]


def read_config(folder: Path) -> dict[str, Any]:
    """Return the fields of a checkpoint's config.json, whatever form its weights have.

    Raises:
        UserError: when there is none, or it describes no text encoder that can be trained; see check_type and
            check_values.
        OSError: when it cannot be opened.
    """
    refuse_dangling(folder / _CONFIG)
    if not (folder / _CONFIG).is_file():
        raise without_config(folder)
    if is_pointer(folder / _CONFIG):
        raise pointer_error(folder / _CONFIG)
    config = read_object(folder / _CONFIG, COPY_AGAIN)
    if (folder / _CONFIG).read_bytes().startswith(codecs.BOM_UTF8):
        raise UserError(
            f"{folder / _CONFIG} begins with a byte order mark, which transformers does not read.",
            "Save it as UTF-8 without one (in Notepad: UTF-8, not UTF-8 with BOM).",
        )
    check_type(config, str(folder))
    check_values(config, str(folder))
    return config


def check_revision(revision: str, model_name: str, *, has_channel: bool) -> None:
    """Refuse a revision of the model hub for an encoder that does not come from there."""
    if revision and (has_channel or Path(model_name).is_dir()):
        raise UserError(
            f"revision={shown(revision)} is one of the model hub, but the encoder is a folder"
            f"{' (the `model` channel)' if has_channel else ''}.",
            "Leave one of the two out.",
        )


def check_readable(path: Path, remedy: str) -> None:
    """Refuse a file that cannot be opened; raises as cannot_read says."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise cannot_read(path, error, remedy) from error


def check_length(positions: int | None, source: str, max_seq_length: int | None) -> None:
    """Raise a UserError if max_seq_length, unless it is None, exceeds the positions that positions_of returns."""
    if positions is not None and max_seq_length is not None and max_seq_length > positions:
        raise UserError(
            f"max_seq_length={max_seq_length} is more than the {positions} tokens that {source} can take.",
            f"Set max_seq_length to {positions} or less.",
        )


def positions_of(config: Mapping[str, Any]) -> int | None:
    """Return the maximum tokens of a model's input, special ones included; None if its config.json sets no limit."""
    positions = config.get(LIMIT)
    if not isinstance(positions, int) or positions < 1:
        return None
    if config.get("model_type") not in _POSITIONS_BEHIND_PADDING:
        return positions
    padding = None if config["model_type"] == "mpnet" else config.get("pad_token_id")  # MPNet's is always 1
    return positions - (padding if isinstance(padding, int) else 1) - 1
