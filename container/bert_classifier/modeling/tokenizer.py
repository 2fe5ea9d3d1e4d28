"""Load a checkpoint's tokenizer, and prove that it reads texts as the checkpoint's own tokenizer.json says.

transformers rebuilds many tokenizers from the class that tokenizer_config.json names, and then ignores parts of
tokenizer.json. Where that changes ids, the file is used as it stands: the model was trained with it.
"""

import functools
import logging
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from bert_classifier.errors import ContainerError, UserError
from bert_classifier.job.encoder_folder import TOKENIZER_FILE, check_folder
from bert_classifier.job.settings import shown
from bert_classifier.job.wording import first_line
from bert_classifier.modeling.model_folder import at_revision, cannot_load
from bert_classifier.modeling.tokenizer_files import (
    OwnTokenizer,
    TokenizerFiles,
)
from bert_classifier.modeling.tokenizer_probes import Difference, difference, ids_of

logger = logging.getLogger(__name__)

_MOST_CAPITALS = 0.02  # of an uncased vocabulary's words; cased ones have a fifth and more


def load_tokenizer(source: str, revision: str | None = None) -> transformers.PreTrainedTokenizerFast:
    """Return the fast tokenizer of a checkpoint folder or hub name.

    Raises:
        UserError: when there is none, it has no padding token, or its files contradict each other.
    """
    check_folder(source)
    by_class, failure = _of_class(source, revision)
    try:
        files = TokenizerFiles(source, revision)
        own = files.tokenizer()
        tokenizer = by_class if own is None else _as_in_file(files, own, by_class, failure)
        if own is None and tokenizer is not None:
            files.check_by_class(tokenizer)
    except ContainerError:
        raise
    except Exception as error:  # of fields that hold something else than they should
        raise cannot_load("tokenizer", source, error, revision) from error
    if tokenizer is None and own is None:
        raise _without_tokenizer(files, failure, revision)
    if tokenizer is None or tokenizer.pad_token_id is None:
        raise UserError(
            f"The tokenizer of {at_revision(source, revision)} has no padding token.",
            'Name one of its tokens in tokenizer_config.json: "pad_token": "…".',
        )
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # the library made one up
        raise UserError(
            f"{at_revision(source, revision)} has no tokenizer with a vocabulary.",
            "Put the tokenizer.json (or vocab.txt) that the model was trained with beside it.",
        )
    if own is None:
        _compare_case(files, tokenizer)
    _compare_padding(files, tokenizer)
    return tokenizer


def _without_tokenizer(files: TokenizerFiles, failure: Exception | None, revision: str | None) -> UserError:
    """Return the error for a checkpoint without tokenizer.json, of which transformers makes no fast tokenizer."""
    if failure and not Path(files.source).is_dir():
        return cannot_load("tokenizer", files.source, failure, revision)
    if files.lacks_merges:
        return UserError(
            f"{files.source} has vocab.json, and merges.txt is missing, without which the vocabulary cannot be used.",
            "Put the merges.txt of the same checkpoint beside it, or its tokenizer.json.",
        )
    line = first_line(failure).strip() if failure else ""
    reason = f": {line.rstrip(' .')}" if line and not line.endswith(":") else ""
    named = files.settings.get("tokenizer_class") or files.class_name or "unknown"
    return UserError(
        f"{files.source} has no tokenizer.json, and transformers makes no fast tokenizer of class {named} of its"
        f" files{reason}.",
        "Give a checkpoint with a tokenizer.json.",
    )


def _of_class(
    source: str, revision: str | None
) -> tuple[transformers.PreTrainedTokenizerFast | None, Exception | None]:
    """Return the fast tokenizer that transformers makes, and what kept it from making any."""
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=False, revision=revision)
    except Exception as error:  # noqa: BLE001 - the library raises anything, and the file may do without it
        return None, error
    return (tokenizer if getattr(tokenizer, "is_fast", False) else None), None


def _as_in_file(
    files: TokenizerFiles,
    own: OwnTokenizer,
    by_class: transformers.PreTrainedTokenizerFast | None,
    failure: Exception | None,
) -> transformers.PreTrainedTokenizerFast | None:
    """Return transformers' tokenizer if it agrees with the file's own, else the latter; None without padding token."""
    roles = files.add_roles(own, by_class)
    if roles is None:
        return None
    if by_class is not None and _take_frame(own.tokenizer, by_class.backend_tokenizer):
        _say(
            f"tokenizer: {files.source}/{own.file} does not say which tokens begin and end a text, so they are those of"
            f" {type(by_class).__name__}: {', '.join(_frame_of(own.tokenizer))}"
        )
    used = f"tokenizer: {files.source}/{own.file} is used as it stands"
    if own.file != TOKENIZER_FILE:
        _say(f"tokenizer: converted {files.source}/{own.file} as transformers' {files.class_name} has it")
    elif by_class is None:
        reason = f": {first_line(failure)}" if failure else ""
        _say(f"{used}, since transformers makes no fast tokenizer of the folder{reason}")
    elif found := _difference(files, own.tokenizer, by_class):
        _say(
            f"{used}, since {type(by_class).__name__}, which transformers would make of it, reads {found.differing} of"
            f" {found.compared} probe texts otherwise"
        )
    elif by_class.pad_token_id is not None:
        return by_class
    return files.fast_tokenizer(own, roles)


def _difference(
    files: TokenizerFiles, own: Tokenizer, by_class: transformers.PreTrainedTokenizerFast
) -> Difference | None:
    """Return how transformers' tokenizer differs from the file's own; refuse one without a token for unknown words."""
    try:
        return difference(own, by_class.backend_tokenizer)
    except Exception as error:  # the library raises nothing more specific
        unknown = getattr(by_class.backend_tokenizer.model, "unk_token", None)
        if "Missing" not in str(error) or unknown is None:
            raise
        raise UserError(
            f"The tokenizer.json of {files.source} does not have {shown(unknown)}, which {type(by_class).__name__}, the"
            " class that its other files name, gives to unknown words: it is another model's tokenizer.",
            "Give the tokenizer.json that the model was trained with.",
        ) from error


def _take_frame(own: Tokenizer, by_class: Tokenizer) -> bool:
    """Let a file without post_processor frame texts as transformers' class does, if it has the same tokens for that."""
    if own.post_processor is not None or not (frame := _frame_of(by_class)):
        return False
    if any(own.token_to_id(token) != by_class.token_to_id(token) for token in frame):
        return False
    own.post_processor = by_class.post_processor
    return True


def _frame_of(tokenizer: Tokenizer) -> list[str]:
    """Return the tokens that a tokenizer puts around a text."""
    return [str(tokenizer.id_to_token(index)) for index in ids_of(tokenizer, [""])[0]]


def _compare_case(files: TokenizerFiles, tokenizer: transformers.PreTrainedTokenizerFast) -> None:
    """Log it if transformers' default drops the case of a vocabulary that has capital letters."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    if "do_lower_case" in files.settings or normalizer is None or normalizer.normalize_str("A") != "a":
        return
    special = set(tokenizer.all_special_tokens)
    words = [word for word in tokenizer.get_vocab() if word not in special and not word.startswith("[unused")]
    capital = sum(word != word.lower() for word in words)
    if capital > _MOST_CAPITALS * len(words):
        _say(
            f"tokenizer: {files.source} does not say whether case counts, so texts are lower-cased, though {capital} of"
            f' {len(words)} words of its vocabulary have capital letters: write {{"do_lower_case": false}} into its'
            " tokenizer_config.json if the model is a cased one",
            logging.WARNING,
        )


def _compare_padding(files: TokenizerFiles, tokenizer: transformers.PreTrainedTokenizerFast) -> None:
    """Log it if the model was made for another padding token; its own is never computed, so any will do."""
    expected = files.padding_of_model
    if expected is None or expected == tokenizer.pad_token_id:
        return
    token = tokenizer.backend_tokenizer.id_to_token(expected)
    meaning = f"the tokenizer reads as {token!r}" if token else "the tokenizer does not have"
    _say(
        f"tokenizer: {files.source} pads with {tokenizer.pad_token!r} (id {tokenizer.pad_token_id}), but its"
        f" config.json names id {expected}, which {meaning}: make sure that it is the model's own tokenizer",
        logging.WARNING,
    )


@functools.cache
def _say(message: str, level: int = logging.INFO) -> None:
    """Log something once: a job loads its tokenizer several times."""
    logger.log(level, message)
