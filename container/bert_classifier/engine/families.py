"""How families of encoders differ from BERT, as far as the engine knows them: names, norms, positions and heads."""

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import Any

from bert_classifier.modeling.layer_names import LAYER_NAMES, NAMES_IN_FILES, LayerNames

Config = Mapping[str, Any]

# The names that config.json has for the activations of a feed-forward network, and the engine's.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "silu": "silu"}
# Fields of config.json.
POOLING, ROTARY, KINDS = "classifier_pooling", "rope_parameters", "layer_types"
_PERIOD, _USUAL_PERIOD = "global_attn_every_n_layers", 3  # as in ModernBertConfig
_LANGUAGE = "default_language"
_FULL, _SLIDING = "full_attention", "sliding_attention"


class Positions(enum.Enum):
    """How a model knows where a token stands."""

    LEARNED = enum.auto()  # an embedding for each position
    DISTANCES = enum.auto()  # that, and a bias for distances (Raffel et al. 2020, as MPNet has it)
    ROTARY = enum.auto()  # queries and keys are rotated (Su et al. 2021)


@dataclasses.dataclass(frozen=True)
class Head:
    """Names of a classification head's parts, and its activation; with a norm behind that, where it has one."""

    first: str
    activation: str
    last: str
    norm: str = ""


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of encoders.

    Attributes:
        encoder: what the names of its tensors begin with; the next four follow it.
        words: embeddings of words.
        embedding_norm: "" where there is none.
        projection: from the embeddings' width to the layers', where the checkpoint has one.
        final_norm: behind the last layer.
        padding: the position of padding, behind which positions begin: a number, the field of config.json that has it,
            or None, where positions begin at 0.
        epsilon: of norms, where config.json has none that transformers reads.
        settings: names of fields of config.json that differ from BERT's.
        poolings: values of classifier_pooling: "mean" of the tokens, "late" for that of their logits; the others mean
            the first token, which all other families read.
        needs: fields of config.json with the only value that the engine knows.
        has_all_biases: where not, those that a checkpoint lacks are 0, and where norms come first, the first layer may
            lack that.
        has_kinds: layers are of kinds, by layer_types, which transformers does not read for the other families.
        is_gated: the feed-forward network's first part is multiplied with another one (Shazeer 2020).
        gate_is_last: in a product of both, the part that is activated lies behind the one it is multiplied with.
        norm_first: norms precede attention and feed-forward network, and the residual has none.
        is_centred: norms subtract the mean; else they are RMSNorm, and add nothing.
    """

    encoder: str
    head: Head
    words: str = "embeddings.word_embeddings"
    embedding_norm: str = "embeddings.LayerNorm"
    projection: str = "embeddings_project"
    final_norm: str = ""
    positions: Positions = Positions.LEARNED
    padding: int | str | None = None
    epsilon: float | None = None
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    poolings: tuple[str, ...] = ()
    needs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    has_all_biases: bool = True
    has_kinds: bool = False
    is_gated: bool = False
    gate_is_last: bool = False
    norm_first: bool = False
    is_centred: bool = True

    def setting(self, config: Config, name: str) -> Any:
        """Return a field of config.json by BERT's name for it; None where it is missing."""
        return config.get(self.settings.get(name, name))


_ROBERTA = Family("roberta", Head("classifier.dense", "tanh", "classifier.out_proj"), padding="pad_token_id")
_MODERNBERT = Family(
    "model",
    Head("head.dense", "gelu", "classifier", norm="head.norm"),
    words="embeddings.tok_embeddings",
    embedding_norm="embeddings.norm",
    final_norm="final_norm",
    positions=Positions.ROTARY,
    settings={"hidden_act": "hidden_activation", "layer_norm_eps": "norm_eps"},
    poolings=("cls", "mean"),
    needs={"classifier_activation": "gelu"},
    has_all_biases=False,
    has_kinds=True,
    is_gated=True,
    norm_first=True,
)
FAMILIES = {
    "bert": Family("bert", Head("bert.pooler.dense", "tanh", "classifier")),
    "distilbert": Family(
        "distilbert",
        Head("pre_classifier", "relu", "classifier"),
        epsilon=1e-12,
        settings={"num_attention_heads": "n_heads", "hidden_act": "activation"},
    ),
    "electra": Family("electra", Head("classifier.dense", "gelu", "classifier.out_proj")),
    "ernie": Family("ernie", Head("ernie.pooler.dense", "tanh", "classifier")),
    **dict.fromkeys(("camembert", "roberta", "xlm-roberta"), _ROBERTA),
    "data2vec-text": dataclasses.replace(_ROBERTA, encoder="data2vec_text"),
    "mpnet": dataclasses.replace(
        _ROBERTA,
        encoder="mpnet",
        positions=Positions.DISTANCES,
        padding=1,  # whatever the tokenizer's is
    ),
    "modernbert": _MODERNBERT,
    "albert": Family(
        "albert",
        Head("albert.pooler", "tanh", "classifier"),
        projection="encoder.embedding_hidden_mapping_in",
    ),
    "nomic_bert": Family(
        "nomic_bert",
        Head("nomic_bert.pooler.dense", "tanh", "classifier"),
        embedding_norm="emb_ln",
        positions=Positions.ROTARY,
        has_all_biases=False,
        is_gated=True,
    ),
    "eurobert": dataclasses.replace(
        _MODERNBERT,
        head=Head("dense", "gelu", "classifier"),
        words="embed_tokens",
        embedding_norm="",
        final_norm="norm",
        settings={"layer_norm_eps": "rms_norm_eps"},
        poolings=("bos", "mean", "late"),
        needs={},
        has_kinds=False,
        is_centred=False,
    ),
    "gte": Family(
        "gte",
        Head("gte.pooler.dense", "tanh", "classifier"),
        positions=Positions.ROTARY,
        has_all_biases=False,
        is_gated=True,
        gate_is_last=True,
    ),
    "jina_embeddings_v3": dataclasses.replace(
        _ROBERTA, embedding_norm="emb_ln", positions=Positions.ROTARY, padding=None
    ),
    "roberta-prelayernorm": dataclasses.replace(
        _ROBERTA, encoder="roberta_prelayernorm", final_norm="LayerNorm", norm_first=True
    ),
    "xlm-roberta-xl": dataclasses.replace(
        _ROBERTA, embedding_norm="", final_norm="encoder.LayerNorm", norm_first=True
    ),
    "xmod": dataclasses.replace(
        _ROBERTA,
        needs={
            "pre_norm": False,
            "adapter_layer_norm": False,
            "adapter_reuse_layer_norm": True,
            "ln_before_adapter": True,
        },
    ),
}


def family_of(config: Config) -> tuple[Family, LayerNames]:
    """Return the family of a model that can be computed, by the fields of its config.json, and its layers' names."""
    return FAMILIES[config["model_type"]], NAMES_IN_FILES[config["model_type"]]


def family_in_file(config: Config, tensors: Iterable[str]) -> tuple[Family, LayerNames]:
    """Return the family and its layers' names as a file has them that holds tensors of these names.

    Where transformers renames tensors, a checkpoint that came in the names of its modules is saved in them, too.
    """
    (family, names), of_modules = family_of(config), LAYER_NAMES[config["model_type"]]
    if names == of_modules or any(name.startswith(f"{family.encoder}.{names.layers}.") for name in tensors):
        return family, names
    return dataclasses.replace(family, embedding_norm=Family.embedding_norm, gate_is_last=False), of_modules


def why_not(config: Config) -> str:
    """Return why the engine does not compute a model, by the fields of its config.json; "" if it does."""
    model_type = config.get("model_type")
    family = FAMILIES.get(model_type) if isinstance(model_type, str) else None
    if family is None:
        return f"it is of type {model_type}"
    known: dict[str, tuple[Any, ...]] = {
        family.settings.get("hidden_act", "hidden_act"): tuple(ACTIVATIONS),
        "is_decoder": (None, False),
        **{name: (value,) for name, value in family.needs.items()},
        **({POOLING: family.poolings} if family.poolings else {}),
        **({_LANGUAGE: _languages(config)} if family_of(config)[1].adapter else {}),
    }
    is_rotary = family.positions is Positions.ROTARY
    if not is_rotary:  # else transformers does not read it: mmBERT's is sans_pos
        known["position_embedding_type"] = (None, "absolute")
    unknown = [
        f"{name}={config.get(name)}" for name, values in known.items() if config.get(name) not in values
    ]
    if family.has_kinds and not _has_known_kinds(config):
        field = _PERIOD if config.get(KINDS) is None else KINDS
        unknown.append(f"{field}={config.get(field)}")
    elif is_rotary and not _rotates_as_usual(config):
        unknown.append(f"{ROTARY}={config.get(ROTARY)}")
    return f"its config.json has {', '.join(unknown)}" if unknown else ""


def _languages(config: Config) -> tuple[str, ...]:
    languages = config.get("languages")
    return tuple(map(str, languages)) if isinstance(languages, list | tuple) else ()


def _rotates_as_usual(config: Config) -> bool:
    """Return whether the rotations of each kind of layer follow from their base alone, at any length."""
    usual = {"rope_type": "default", "rope_theta": 0}
    rotations = _rotations(config)
    return all(isinstance(found, dict) and {**found, "rope_theta": 0} == usual for found in rotations)


def _rotations(config: Config) -> list[Any]:
    """Return what config.json says of the rotations in each layer, or in all; None where it says nothing."""
    parameters = config.get(ROTARY)
    if not family_of(config)[0].has_kinds:
        return [parameters]
    if not isinstance(parameters, dict):
        return [None]
    return [parameters.get(kind) for kind in layer_kinds(config)]


def _has_known_kinds(config: Config) -> bool:
    kinds, period = config.get(KINDS), config.get(_PERIOD, _USUAL_PERIOD)
    if kinds is None:
        return isinstance(period, int) and period > 0
    return isinstance(kinds, list) and all(kind in (_FULL, _SLIDING) for kind in kinds)


def layer_kinds(config: Config) -> list[str]:
    """Return the kind of each layer of a family that has_kinds, as transformers derives it where config.json has none.

    Args:
        config: of a model that can be computed.
    """
    if config.get(KINDS) is not None:
        return list(config[KINDS])
    period, count = config.get(_PERIOD, _USUAL_PERIOD), config.get("num_hidden_layers")
    numbers = range(count if isinstance(count, int) else 0)
    return [_SLIDING if number % period else _FULL for number in numbers]


def kinds_of_layers(config: Config) -> dict[str, tuple[float, int | None]]:
    """Return the base of rotations and the window of each kind of layer, by its name; see Places.window.

    Args:
        config: of a model with rotary positions that can be computed.
    """
    if not family_of(config)[0].has_kinds:
        return {"": (float(config[ROTARY]["rope_theta"]), None)}
    windows = {_FULL: None, _SLIDING: int(config["local_attention"]) // 2 + 1}
    kinds = dict.fromkeys(layer_kinds(config))
    return {kind: (float(config[ROTARY][kind]["rope_theta"]), windows[kind]) for kind in kinds}


def can_compute(config: Config) -> bool:
    """Return whether the engine computes a model, by the fields of its config.json."""
    return not why_not(config)


def is_of_layers(name: str, config: Config) -> bool:
    """Return whether a tensor of the checkpoint belongs to the encoder's layers."""
    family, names = family_of(config)
    lists = (names.layers, LAYER_NAMES[config["model_type"]].layers)
    return name.startswith(tuple(f"{family.encoder}.{layers}." for layers in lists))


def name_of_words(config: Config) -> str:
    """Return the name of the embeddings of words in the checkpoint."""
    family, _ = family_of(config)
    return f"{family.encoder}.{family.words}.weight"
