"""The tokenizer in an artifact: plain transformers reads and cuts texts with it as the server does."""

import inspect
import logging
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from bert_classifier.encoding.frames import PairFrame
from bert_classifier.errors import UserError
from bert_classifier.job.encoder_folder import TOKENIZER_FILE
from bert_classifier.job.json_files import read_object, write_json
from bert_classifier.modeling.token_types import TYPE_IDS
from bert_classifier.modeling.tokenizer_files import TOKENIZER_CONFIG
from bert_classifier.modeling.tokenizer_probes import difference

logger = logging.getLogger(__name__)

# Rebuilds nothing: tokenizer.json is used as it stands. transformers 4 knows this name too.
_AS_IN_FILE = "PreTrainedTokenizerFast"
# Settings by which transformers changes what tokenizer.json says.
_REWRITING = ("add_bos_token", "add_eos_token", "split_special_tokens", "add_prefix_space")


def save_tokenizer(
    folder: Path,
    tokenizer: transformers.PreTrainedTokenizerFast,
    model: Any,
    max_length: int,
    *,
    has_token_types: bool | None = None,
) -> None:
    """Save a tokenizer beside its model's config.json.

    Args:
        model: which the tokenizer's inputs must fit.
        max_length: maximum tokens of a text or window, at which plain transformers cuts too.
        has_token_types: whether a model of text pairs reads token types; None for a model of single texts.
    Raises:
        OSError: when a file cannot be written.
    """
    tokenizer.save_pretrained(folder)
    if type(tokenizer) is transformers.PreTrainedTokenizerFast:  # which transformers 5 calls otherwise
        _change(folder, tokenizer_class=_AS_IN_FILE)
    known = {*inspect.signature(type(model).forward).parameters}
    if has_token_types is False:
        known -= {TYPE_IDS}
    _change(
        folder,
        model_max_length=max_length,
        truncation_side="right",
        padding_side="right",
        model_input_names=[name for name in tokenizer.model_input_names if name in known],
    )
    is_paired = has_token_types is not None
    if not _is_kept(folder, is_paired=is_paired):
        _change(folder, tokenizer_class=_AS_IN_FILE, **dict.fromkeys(_REWRITING))
        if not _is_kept(folder, is_paired=is_paired):
            logger.warning("plain transformers reads some texts otherwise than this model's tokenizer.json")


def _change(folder: Path, **fields: Any) -> None:
    """Set fields of tokenizer_config.json; None removes one."""
    path = folder / TOKENIZER_CONFIG
    changed = {**read_object(path, ""), **fields}
    write_json(
        path, {name: value for name, value in changed.items() if name not in fields or value is not None}
    )


def _is_kept(folder: Path, *, is_paired: bool) -> bool:
    """Return whether plain transformers encodes texts, or pairs, as the folder's tokenizer.json says."""
    try:
        plain: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception:  # noqa: BLE001 - the library raises anything for a class that does not fit the file
        return False
    own = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    if is_paired and not _has_frame(plain.backend_tokenizer, PairFrame.of(own)):
        return False
    return difference(own, plain.backend_tokenizer) is None


def _has_frame(tokenizer: Tokenizer, frame: PairFrame) -> bool:
    """Return whether a tokenizer, which transformers may have rebuilt in any way, puts this frame around pairs."""
    try:
        return PairFrame.of(tokenizer) == frame
    except UserError:
        return False
