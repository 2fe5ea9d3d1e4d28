"""Load a checkpoint's tokenizer."""

from typing import Any

import transformers
from transformers import AutoTokenizer

from bert_classifier.errors import UserError
from bert_classifier.modeling.model_folder import cannot_load, check_known


def load_tokenizer(source: str) -> transformers.PreTrainedTokenizerFast:
    """Return the fast tokenizer of a checkpoint folder or hub name.

    Raises:
        UserError: when there is none, or it has no padding token.
    """
    check_known(source)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False)
    except Exception as error:  # the library raises anything on a bad folder
        raise cannot_load("tokenizer", source, error) from error
    if not getattr(tokenizer, "is_fast", False) or tokenizer.pad_token_id is None:
        raise UserError(
            f"The tokenizer of {source} has no tokenizer.json, or no padding token.",
            "Save it again with transformers: AutoTokenizer.from_pretrained(…).save_pretrained(…).",
        )
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # the library made one up
        raise UserError(
            f"{source} has no tokenizer with a vocabulary.",
            "Put the tokenizer.json (or vocab.txt) that the model was trained with beside it.",
        )
    return tokenizer  # type: ignore[no-any-return]
