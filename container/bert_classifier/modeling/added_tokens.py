"""The ids of the tokens that were added to a vocabulary: those that the checkpoint's files state, or none."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def add_tokens(tokenizer: Tokenizer, stated: Mapping[int, Any], path: Path) -> None:
    """Add tokens to a tokenizer that does not have them, at the ids that a file states.

    Args:
        stated: id → token, or the fields of one as in added_tokens_decoder.
        path: of the file, for messages.
    Raises:
        UserError: when a token cannot have its id; see check_ids.
    """
    for index, fields in sorted(stated.items()):
        if tokenizer.token_to_id(content_of(fields)) is None:
            tokenizer.add_tokens([_added(fields)])
        check_ids(tokenizer, [(content_of(fields), index)], path)


def ids_in_file(path: Path) -> list[tuple[str, int]]:
    """Return the added tokens of a tokenizer.json that the tokenizers library can read, with the ids that it states."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    return [(str(token["content"]), int(token["id"])) for token in fields.get("added_tokens") or ()]


def check_ids(tokenizer: Tokenizer, stated: Iterable[tuple[str, int]], path: Path) -> None:
    """Refuse a token whose id is not what a file states: the model has learnt it in another row of its embeddings.

    The tokenizers library reads past the stated ids: a token of the vocabulary keeps its id there, and others get the
    next free ones.

    Raises:
        UserError: with the token, the id in the file and the id that it is read as.
    """
    words = tokenizer.get_vocab_size(with_added_tokens=False)
    for token, index in stated:
        found = tokenizer.token_to_id(token)
        if found is not None and words <= found < index:
            raise UserError(
                f"{path} gives {shown(token)} the id {index}, but it would be read as {found}: ids of added tokens"
                f" follow one another, and no token has the id {found}.",
                "Give the tokenizer files that the model was trained with. If these have such gaps, name a token of"
                f" your own in {path.name} for each id from {found} up to {index}.",
            )
        if found != index:
            raise UserError(
                f"The tokenizer files of {path.parent} contradict each other: {path.name} gives {shown(token)} the id"
                f" {index}, but it is read as {found}, as the vocabulary has it.",
                "Give the token the id of the row of the embeddings that the model has learnt it in, in both.",
            )


def content_of(token: Any) -> str:
    """Return the text of a token, which files have as such or as one of its fields."""
    return str(token["content"]) if isinstance(token, Mapping) else str(token)


def _added(token: Any) -> AddedToken:
    fields = token if isinstance(token, Mapping) else {}
    return AddedToken(content_of(token), **{flag: fields[flag] for flag in _FLAGS if flag in fields})
