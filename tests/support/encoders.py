"""Tiny random encoders of every family that transformers can classify with, each a folder like a stranger's.

make_encoder(folder, "xlm-roberta")                      # 2 layers, 32 numbers wide, up to 128 tokens
make_encoder(folder, "modernbert", tokens=1024, local_attention=64)
make_encoder(folder, "bert", head="classifier", num_labels=5)
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from support.toy_tokenizers import LAYOUTS, Layout, save_tokenizer

TOKENS = 128  # the longest input of a toy encoder
HEADS = {
    "masked-lm": "AutoModelForMaskedLM",
    "none": "AutoModel",
    "classifier": "AutoModelForSequenceClassification",
}


@dataclasses.dataclass(frozen=True)
class Family:
    """What sets a family apart from BERT.

    Attributes:
        tokenizer: of toy_tokenizers.LAYOUTS.
        offset: positions that no token takes, since they begin behind the padding id.
        config: fields of its config.json, in place of or beside those of `_USUAL`.
        lacks: fields of `_USUAL` that it does not have.
    """

    tokenizer: str = "bert"
    offset: int = 0
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lacks: tuple[str, ...] = ()


_USUAL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.2,  # the usual 0.02 is for 768 numbers: texts would hardly differ
}
_ROWS = 64  # the table of words is a multiple of it, as in many published checkpoints
_ROTARY = {"num_key_value_heads": 4, "head_dim": 8}
_DEBERTA = {
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 16,
    "pooler_hidden_size": 32,
    "type_vocab_size": 0,
}
_XLM = {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "embed_init_std": 0.2, "init_std": 0.2}

FAMILIES = {
    "albert": Family("albert", config={"embedding_size": 16}),
    "bert": Family(),
    "big_bird": Family("big_bird", config={"attention_type": "original_full"}),
    "camembert": Family("camembert", 2, {"type_vocab_size": 1}),
    "convbert": Family(config={"embedding_size": 16}),
    "data2vec-text": Family("roberta", 2, {"type_vocab_size": 1}),
    "deberta": Family("deberta", config=_DEBERTA),
    "deberta-v2": Family("deberta-v2", config=_DEBERTA),
    "distilbert": Family(config={"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4}, lacks=(
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")),
    "electra": Family(config={"embedding_size": 16}),
    "ernie": Family(config={"use_task_id": True}),
    "eurobert": Family("eurobert", config={**_ROTARY, "classifier_pooling": "mean"}),
    "flaubert": Family(config=_XLM, lacks=tuple(_USUAL)),
    "fnet": Family("fnet", lacks=("num_attention_heads",)),
    "funnel": Family("funnel", config={
        "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 64, "block_sizes": [1, 1], "num_decoder_layers": 1,
        "initializer_std": 0.2}, lacks=tuple(_USUAL)),
    "gte": Family("xlm-roberta"),
    "ibert": Family("roberta", 2, {"type_vocab_size": 1}),
    "jina_embeddings_v3": Family("xlm-roberta"),
    "layoutlm": Family(config={"max_2d_position_embeddings": 64}),
    "longformer": Family("roberta", 2, {"attention_window": [16, 16], "type_vocab_size": 1}),
    "luke": Family("luke", 2, {"entity_vocab_size": 10, "entity_emb_size": 16}),
    "megatron-bert": Family("bert-cased"),
    "mobilebert": Family(config={
        "embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16, "num_feedforward_networks": 2}),
    "modernbert": Family("modernbert", config={"local_attention": 16, "global_attn_every_n_layers": 2}),
    "mpnet": Family("mpnet", 2),
    "mra": Family("roberta", 0, {"type_vocab_size": 1}),
    "nomic_bert": Family(config={"head_dim": 8}),
    "nystromformer": Family("albert", 0, {"num_landmarks": 8, "segment_means_seq_len": 8}),
    "rembert": Family("rembert", config={"input_embedding_size": 16, "output_embedding_size": 24}),
    "roberta": Family("roberta", 2, {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "roberta-prelayernorm": Family("roberta", 2, {"type_vocab_size": 1}),
    "roformer": Family("roformer", config={"embedding_size": 16}),
    "squeezebert": Family(config={"embedding_size": 32}),
    "ultrabert": Family("modernbert", config=_ROTARY),
    "xlm": Family(config=_XLM, lacks=tuple(_USUAL)),
    "xlm-roberta": Family("xlm-roberta", 2, {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "xlm-roberta-xl": Family("xlm-roberta", 2, {"type_vocab_size": 1}),
    "xmod": Family("xlm-roberta", 2, {"type_vocab_size": 1, "languages": ["en_XX"], "default_language": "en_XX"}),
    "yoso": Family("albert", 0, {"type_vocab_size": 1}),
}  # fmt: skip

# Families of which transformers' tokenizer gives the model token types for the texts of a pair, and others.
TYPED = ("bert", "convbert", "electra", "ernie", "megatron-bert", "mobilebert", "nomic_bert", "squeezebert")
UNTYPED = (
    "albert",
    "camembert",
    "deberta",
    "deberta-v2",
    "distilbert",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm-roberta",
)


def make_encoder(
    folder: Path,
    model_type: str,
    *,
    tokens: int = TOKENS,
    seed: int = 0,
    head: str = "masked-lm",
    tokenizer: str | None = None,
    **config: Any,
) -> Path:
    """Save a tiny random encoder with a tokenizer of its family's kind, and return the folder.

    Args:
        model_type: one of FAMILIES.
        tokens: the longest input, special tokens included. Where positions begin behind the padding id, the table of
            positions is longer by that many.
        head: what the weights contain beside the encoder: "masked-lm", as most published checkpoints, "none" or
            "classifier".
        tokenizer: of toy_tokenizers.LAYOUTS, in place of the family's.
        config: fields of config.json that differ from FAMILIES.
    """
    import torch
    import transformers

    family = FAMILIES[model_type]
    folder.mkdir(parents=True, exist_ok=True)
    layout = LAYOUTS[tokenizer or family.tokenizer]
    fields = {**_fields(family, layout, save_tokenizer(folder, layout, tokens), tokens), **config}
    settings = transformers.AutoConfig.for_model(model_type, **fields)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, HEADS[head]).from_config(settings)
    model.save_pretrained(folder)
    return folder


def _fields(family: Family, layout: Layout, tokenizer: Tokenizer, tokens: int) -> dict[str, Any]:
    """Return the fields of a family's config.json."""
    roles = layout.roles
    ids = {
        f"{role}_token_id": tokenizer.token_to_id(roles[f"{role}_token"])
        for role in ("pad", "bos", "eos", "cls", "sep", "mask") if f"{role}_token" in roles
    }  # fmt: skip
    ids.setdefault("bos_token_id", ids["cls_token_id"])
    ids.setdefault("eos_token_id", ids["sep_token_id"])
    usual = {name: value for name, value in _USUAL.items() if name not in family.lacks}
    length = {"max_position_embeddings": tokens + family.offset}
    rows = -(-tokenizer.get_vocab_size() // _ROWS) * _ROWS
    return {"vocab_size": rows, **length, **ids, **usual, **family.config}
