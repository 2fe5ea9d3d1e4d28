"""Checkpoints that come with code of their own (auto_map): it is never run, and transformers' own class must do."""

import functools
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bert_classifier.errors import UserError

logger = logging.getLogger(__name__)

# Of what checkpoints hold beside an encoder: heads for other tasks, and tables that are computed anew.
NOT_OF_ENCODER = re.compile(
    r"^(cls|lm_head|mlm\w*|(\w+_)?predictions|generator\w*|discriminator\w*|(\w+_)?classifier|score|head|qa_outputs)\."
    r"|^(vocab_\w+|pred_layer)\.|(^|\.)decoder\.|pooler|position_ids|inv_freq|^(lm_head|decoder)$"
)
# Names that code of checkpoints (FlashAttention's, GPT-2's) has for fields of transformers' configurations.
_SAME_FIELD = {
    "n_embd": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "layer_norm_epsilon": "layer_norm_eps",
}
# What such code can compute and transformers' classes do not.
_UNKNOWN_IF_SET = ("causal", "parallel_block", "prenorm", "rotary_emb_interleaved", "use_rms_norm")


def check_native(model: Any, report: Mapping[str, Any], source: str) -> None:
    """Refuse a checkpoint with code of its own if transformers' class would compute something else; log it otherwise.

    Args:
        model: loaded by transformers' class.
        report: of transformers, on the weights.
    Raises:
        UserError: when tensors are left over, or a field of config.json means something that the class does not do.
    """
    reason = next(_reasons(model, report), None)
    if reason:
        raise UserError(
            f"{source} is made for code of its own (auto_map), which is never run, and transformers' class for the type"
            f" {model.config.model_type} {reason}.",
            "Give a checkpoint of that type that transformers itself has written, or another encoder.",
        )
    _say(
        f"{source} comes with code of its own (auto_map), which is not run: its weights fit transformers'"
        f" {type(model).__name__}"
    )


def _reasons(model: Any, report: Mapping[str, Any]) -> Iterator[str]:
    left = sorted(key for key in report.get("unexpected_keys", ()) if not NOT_OF_ENCODER.search(key))
    if left:
        yield f"does not use {len(left)} of its tensors, such as {left[0]}"
    fields = {name: value for name, value in vars(model.config).items() if value is not None}
    for theirs, ours in _SAME_FIELD.items():
        if theirs in fields and ours in fields and fields[theirs] != fields[ours]:
            yield f"reads {ours}={fields[ours]} where its config.json says {theirs}={fields[theirs]}"
    for name in _UNKNOWN_IF_SET:
        if fields.get(name) is True:
            yield f"does not know {name}=true of its config.json"
    if fields.get("rotary_emb_fraction", 1) not in (0, 1):
        yield f"does not know rotary_emb_fraction={fields['rotary_emb_fraction']} of its config.json"
    base, own = fields.get("rotary_emb_base"), (fields.get("rope_parameters") or {}).get("rope_theta")
    if base is not None and own is not None and base != own:
        yield f"turns by {own:g} where its config.json says rotary_emb_base={base:g}"


@functools.cache
def _say(message: str) -> None:
    """Log something once: a job loads its encoder several times."""
    logger.info(message)
