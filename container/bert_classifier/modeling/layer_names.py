"""Names of the parts of an encoder's layers, by family."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class LayerNames:
    """Attention and a feed-forward network, each followed or preceded by a norm.

    Attributes:
        layers: the list of layers in the encoder; the others are parts of a layer.
        query, key, value: one name for all three is that of a product that computes them side by side.
        attended: after attention, what adds to the residual.
        up: the feed-forward network's first part.
        down: its second part, which adds to the residual.
        gate: what the first part is multiplied with, where that is a product of its own.
        adapter: the modules behind it of which each language has its own; a text is of the config's default_language.
        group: the list of layers in each item of `layers`, where these are groups whose layers compute several times.
    """

    layers: str
    query: str
    key: str
    value: str
    attended: str
    attention_norm: str
    up: str
    down: str
    norm: str
    gate: str = ""
    adapter: str = ""
    group: str = ""

    def products(self, config: Mapping[str, Any]) -> list[str]:
        """Return the names of a layer's linear layers that compute, each once.

        Args:
            config: the fields of config.json.
        """
        names = (self.query, self.key, self.value, self.attended, self.gate, self.up, self.down)
        return [*(name for name in dict.fromkeys(names) if name), *self.adapter_of(config)]

    def adapter_of(self, config: Mapping[str, Any]) -> list[str]:
        """Return the names of the adapter's two linear layers; none in families without adapters."""
        if not self.adapter:
            return []
        return [f"{self.adapter}.{config['default_language']}.{part}" for part in ("dense1", "dense2")]

    def paths(self, config: Mapping[str, Any]) -> list[str]:
        """Return where the layers lie in the encoder, in the order in which they compute.

        Args:
            config: the fields of config.json.
        """
        count = int(config.get("num_hidden_layers", config.get("n_layers", 0)))
        if not self.group:
            return [f"{self.layers}.{number}" for number in range(count)]
        groups, inner = int(config["num_hidden_groups"]), range(int(config["inner_group_num"]))
        order = [int(number / (count / groups)) for number in range(count)]  # as transformers computes it
        return [f"{self.layers}.{group}.{self.group}.{number}" for group in order for number in inner]


_BERT = LayerNames(
    "encoder.layer",
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
_ROTARY = LayerNames(
    "layers",
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "post_attention_layernorm",
    "mlp.up_proj",
    "mlp.down_proj",
    "post_mlp_layernorm",
    gate="mlp.gate_proj",
)
LAYER_NAMES = {
    **dict.fromkeys(
        ("bert", "camembert", "data2vec-text", "electra", "ernie", "roberta", "xlm-roberta"), _BERT
    ),
    "distilbert": LayerNames(
        "transformer.layer",
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm",
    ),
    "mpnet": dataclasses.replace(
        _BERT,
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        attended="attention.attn.o",
        attention_norm="attention.LayerNorm",
    ),
    "modernbert": LayerNames(
        "layers",
        "attn.Wqkv",
        "attn.Wqkv",
        "attn.Wqkv",
        "attn.Wo",
        "attn_norm",
        "mlp.Wi",
        "mlp.Wo",
        "mlp_norm",
    ),
    "albert": LayerNames(
        "encoder.albert_layer_groups",
        "attention.query",
        "attention.key",
        "attention.value",
        "attention.dense",
        "attention.LayerNorm",
        "ffn",
        "ffn_output",
        "full_layer_layer_norm",
        group="albert_layers",
    ),
    "nomic_bert": _ROTARY,
    "eurobert": dataclasses.replace(
        _ROTARY, attention_norm="input_layernorm", norm="post_attention_layernorm"
    ),
    "gte": _ROTARY,
    "jina_embeddings_v3": dataclasses.replace(_ROTARY, up="mlp.fc1", down="mlp.fc2", gate=""),
    "roberta-prelayernorm": dataclasses.replace(
        _BERT, attention_norm="attention.LayerNorm", norm="intermediate.LayerNorm"
    ),
    "xlm-roberta-xl": dataclasses.replace(
        _BERT, attention_norm="attention.self_attn_layer_norm", norm="LayerNorm"
    ),
    "xmod": dataclasses.replace(_BERT, adapter="output.adapter_modules"),
}
# As model.safetensors has them, where transformers renames tensors when it reads and writes. What it has read in the
# names of its modules it writes in them.
NAMES_IN_FILES = {
    **LAYER_NAMES,
    "nomic_bert": LayerNames(
        "encoder.layers",
        "attn.Wqkv",
        "attn.Wqkv",
        "attn.Wqkv",
        "attn.out_proj",
        "norm1",
        "mlp.fc11",
        "mlp.fc2",
        "norm2",
        gate="mlp.fc12",
    ),
    "gte": LayerNames(
        "encoder.layer",
        "attention.qkv_proj",
        "attention.qkv_proj",
        "attention.qkv_proj",
        "attention.o_proj",
        "attn_ln",
        "mlp.up_gate_proj",
        "mlp.down_proj",
        "mlp_ln",
    ),
    "jina_embeddings_v3": LayerNames(
        "encoder.layers",
        "mixer.Wqkv",
        "mixer.Wqkv",
        "mixer.Wqkv",
        "mixer.out_proj",
        "norm1",
        "mlp.fc1",
        "mlp.fc2",
        "norm2",
    ),
}
