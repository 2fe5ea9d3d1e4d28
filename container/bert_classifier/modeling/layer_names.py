"""Names of the parts of a layer of the BERT kind, by family."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class LayerNames:
    """Attention and a feed-forward network, each followed by a norm.

    Attributes:
        layers: the list of layers in the encoder; the others are parts of a layer.
        attended: after attention, what adds to the residual.
        up: the feed-forward network's first part.
        down: its second part, which adds to the residual.
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
LAYER_NAMES = {
    **dict.fromkeys(("bert", "camembert", "electra", "roberta", "xlm-roberta"), _BERT),
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
}
