"""A vocabulary that is a checkpoint's only tokenizer file (vocab.txt, vocab.json): what shifts its ids, or lacks."""

import codecs
import functools
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown
from bert_classifier.modeling.tokenizer_probes import ids_of

logger = logging.getLogger(__name__)

_LINES = ".txt"  # one word each; the line is the id


def check_vocabulary(path: Path, tokenizer: Any, added: Collection[str], rows: object) -> None:
    """Refuse a vocabulary file whose words do not have the ids that the model has learnt them by.

    Args:
        tokenizer: that transformers makes of the file.
        added: tokens whose ids other files state.
        rows: of the model's embeddings, as config.json names them.
    Raises:
        UserError: for a byte order mark, a blank line, or special tokens that the file does not have.
    """
    if path.suffix == _LINES:
        _check_lines(path, rows)
    own = tokenizer.backend_tokenizer
    words = own.get_vocab_size(with_added_tokens=False)
    unknown = getattr(own.model, "unk_token", None)
    used = [own.id_to_token(index) for index in ids_of(own, [""])[0]] + ([unknown] if unknown else [])
    lacking = [token for token in dict.fromkeys(used) if (own.token_to_id(token) or 0) >= words]
    lacking = [token for token in lacking if token not in added]
    if lacking and words:
        raise UserError(
            f"{path} does not have {' and '.join(map(shown, lacking))}, which {type(tokenizer).__name__} needs: the"
            f" model has not learnt the ids from {words} on, which they would get.",
            "If the vocabulary has other tokens for that, name them in tokenizer_config.json (cls_token, sep_token,"
            " unk_token); otherwise give the vocabulary that the model was trained with.",
        )


def _check_lines(path: Path, rows: object) -> None:
    content = path.read_bytes()
    if content.startswith(codecs.BOM_UTF8):
        raise UserError(
            f"{path} begins with a byte order mark, which would be read as part of its first word.",
            f"Save it as UTF-8 without one: sed -i '1s/^\\xEF\\xBB\\xBF//' {path.name}.",
        )
    lines = content.removesuffix(b"\n").split(b"\n")
    blank = next((number for number, line in enumerate(lines, 1) if not line.strip(b"\r")), 0)
    if not blank or len(lines) == 1 or not isinstance(rows, int):
        return
    if len(lines) > rows:
        raise UserError(
            f"{path} has a blank line, {blank}, which counts as a word: it has {len(lines)} lines, and the model of"
            f" config.json only vocab_size={rows} rows for words.",
            "Remove that line, or give the vocabulary that the model was trained with.",
        )
    if blank < len(lines) < rows:
        _warn(
            f"tokenizer: {path} has a blank line, {blank}, which counts as a word: remove it unless the model was"
            " trained with it, or the words behind it are read as others"
        )


@functools.cache
def _warn(message: str) -> None:
    """Log something once: a job loads its tokenizer several times."""
    logger.warning(message)
