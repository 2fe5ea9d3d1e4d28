"""The types of checkpoints that can be trained: text encoders that transformers itself has a classification head for.

A test compares this list with the library; here it costs no import of torch. Standard library only.
"""

import re

from bert_classifier.errors import UserError
from bert_classifier.job.settings import shown

ENCODERS = "Use an encoder such as BERT, RoBERTa, DistilBERT or ELECTRA."
# model_type of config.json: bidirectional, with a head for masked words (it reads text) and one for classes; without
# those that read images too.
ENCODER_TYPES = frozenset(
    {
        "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
        "electra", "ernie", "esm", "esmc", "eurobert", "flaubert", "fnet", "funnel", "gte", "ibert",
        "jina_embeddings_v3", "layoutlm", "longformer", "luke", "megatron-bert", "mobilebert", "modernbert",
        "mpnet", "mra", "nomic_bert", "nystromformer", "perceiver", "reformer", "rembert", "roberta",
        "roberta-prelayernorm", "roc_bert", "roformer", "squeezebert", "tapas", "ultrabert", "xlm",
        "xlm-roberta", "xlm-roberta-xl", "xmod", "yoso",
    }
)  # fmt: skip
# Those that turn their vectors by position; of the others, transformers computes absolute positions only.
_ROTARY = frozenset(
    {
        "esm", "esmc", "eurobert", "gte", "jina_embeddings_v3", "modernbert", "modernvbert", "nomic_bert", "ultrabert",
        "ultravbert",
    }
)  # fmt: skip
_NAME = re.compile(r"[\w.-]{1,60}")


def check_type(config: dict[str, object], source: str) -> None:
    """Refuse a checkpoint that is no text encoder, or that only its own code can compute.

    Args:
        config: the fields of its config.json.
        source: its folder or name, for messages.
    Raises:
        UserError: with the reason.
    """
    _check_name(config, source)
    name = str(config["model_type"])
    if name not in ENCODER_TYPES and config.get("auto_map"):
        raise runs_code(source, name)
    if name not in ENCODER_TYPES:
        raise no_encoder(source, name)
    for field in ("is_encoder_decoder", "is_decoder"):
        if config.get(field) is True:
            raise UserError(
                f"The config.json of {source} says {field}=true, so its model is not a text encoder.",
                ENCODERS,
            )
    positions = config.get("position_embedding_type", "absolute")
    if positions not in ("absolute", None) and name not in _ROTARY:
        raise UserError(
            f"The config.json of {source} says position_embedding_type={shown(positions)}, which transformers does not"
            f" compute for the type {name}.",
            ENCODERS,
        )
    _check_language(config, source)
    if config.get("quantization_config"):
        raise UserError(
            f"The weights of {source} are quantised (quantization_config in its config.json), which training cannot"
            " change.",
            "Give the checkpoint that they were made from.",
        )


def _check_name(config: dict[str, object], source: str) -> None:
    """Refuse a config.json without a type, or with one in other letters, which transformers does not know."""
    name = config.get("model_type")
    known = _meant_type(config)
    if known and name != known:
        said = f"model_type={shown(name)}" if "model_type" in config else "no model_type"
        by = (
            ""
            if isinstance(name, str)
            else f", though its architectures are {shown(config['architectures'])}"
        )
        raise UserError(
            f"The config.json of {source} has {said}{by}.", f'Write "model_type": "{known}" into it.'
        )
    if not isinstance(name, str):
        raise UserError(f"The config.json of {source} names no known model_type ({shown(name)}).", ENCODERS)


def _meant_type(config: dict[str, object]) -> str:
    """Return the type that a config.json means in other letters, or by its architectures where it names none; or ""."""
    name, architectures = config.get("model_type"), config.get("architectures")
    if isinstance(name, str):
        meant = _plain(name)
        return "" if name in ENCODER_TYPES else next((t for t in ENCODER_TYPES if _plain(t) == meant), "")
    classes = architectures if isinstance(architectures, list) else []
    stems = {_plain(re.split("For|Model$", str(kind))[0]) for kind in classes}
    return next((t for t in sorted(ENCODER_TYPES) if _plain(t) in stems), "")


def _plain(name: str) -> str:
    return re.sub("[-_]", "", name.lower())


def _check_language(config: dict[str, object], source: str) -> None:
    """Refuse an X-MOD whose config.json does not say of which language its texts are: each has an adapter."""
    if config["model_type"] != "xmod":
        return
    languages = config.get("languages")
    known = [str(name) for name in languages] if isinstance(languages, list) and languages else ["en_XX"]
    if config.get("default_language") not in known:
        usual = "en_XX" if "en_XX" in known else known[0]
        raise UserError(
            f"The config.json of {source} does not say in which of its {len(known)} language(s) the texts are"
            f" (default_language is {shown(config.get('default_language'))}).",
            f'Add "default_language": "{usual}" to its config.json, or another of its languages.',
        )


def runs_code(source: str, name: str) -> UserError:
    """Return the error for a checkpoint that nothing but code of its own can compute."""
    return UserError(
        f"The config.json of {source} asks to run code of the checkpoint (auto_map), which is never done, and its type"
        f" {_shown(name)} is not one that transformers has itself.",
        ENCODERS,
    )


def no_encoder(source: str, name: str) -> UserError:
    """Return the error for a checkpoint of another kind, or of a family that transformers does not have."""
    return UserError(f"{source} is of type {_shown(name)}, which is not a text encoder known here.", ENCODERS)


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else shown(name)
