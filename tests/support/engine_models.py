"""Small random classifiers of each family that the engine computes, with the settings by which families differ."""

from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

_ODD_BIASES = {"norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True}
KINDS: dict[str, dict[str, Any]] = {  # settings beside the usual ones
    **{
        kind: {}
        for kind in (
            "bert",
            "camembert",
            "data2vec-text",
            "electra",
            "gte",
            "jina_embeddings_v3",
            "mpnet",
            "nomic_bert",
            "roberta",
            "roberta-prelayernorm",
            "xlm-roberta",
            "xlm-roberta-xl",
        )
    },
    "ernie": {"use_task_id": True},
    "xmod": {"languages": ["de_DE", "en_XX"], "default_language": "en_XX"},
    "gte without token types": {"type_vocab_size": 0, "hidden_act": "silu", "head_dim": 16},
    "jina_embeddings_v3 with another activation": {"hidden_act": "gelu_new", "head_dim": 4},
    "albert": {"embedding_size": 16},
    "albert in groups": {
        "embedding_size": 16,
        "num_hidden_groups": 2,
        "inner_group_num": 2,
        "hidden_act": "gelu",
    },
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
    "distilbert with a field that it does not read": {
        "dim": 32,
        "n_layers": 3,
        "n_heads": 4,
        "hidden_dim": 48,
        "layer_norm_eps": 0.1,
    },
    "electra with a projection": {"embedding_size": 16},
    "eurobert": {},
    "eurobert by its first token": {"classifier_pooling": "bos", "num_key_value_heads": 2},
    "eurobert with a field that it does not read": {"layer_types": ["full_attention"] * 3},
    "eurobert by its mean": {"classifier_pooling": "mean", "attention_bias": True},
    "modernbert": {"local_attention": 16, "global_attn_every_n_layers": 2},
    "modernbert that ends locally": {"local_attention": 16},
    "modernbert as mmBERT has it": {"local_attention": 16, "position_embedding_type": "sans_pos"},
    "modernbert by its mean": {"local_attention": 16, "classifier_pooling": "mean", **_ODD_BIASES},
}
FAMILIES = tuple(kind for kind in KINDS if " " not in kind)
PAD = 1
LONGEST = 100  # positions; RoBERTa's begin behind the padding


def make_model(kind: str, **settings: Any) -> Any:
    """Return a random classifier of a kind, large enough in its weights that texts differ."""
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), PAD)
    config_class: Any = CONFIG_MAPPING[kind.split()[0]]
    usual = {} if kind.startswith("distilbert") else size
    config = config_class(
        vocab_size=100, max_position_embeddings=LONGEST, initializer_range=0.3, num_labels=3,
        **ids, **usual, **KINDS[kind], **settings,
    )  # fmt: skip
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(config)
    for (
        name,
        parameter,
    ) in model.named_parameters():  # biases and norms begin as 0 and 1, which hides mistakes
        if parameter.dim() == 1 and "classifier" not in name:
            torch.nn.init.normal_(parameter, float(parameter.detach()[0]), 0.1)
    return model.eval()
