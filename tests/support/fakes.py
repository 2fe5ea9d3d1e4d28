"""Toy stand-ins that behave like the real thing: tiny encoders, learnable texts, a picture of /opt/ml.

Importing this costs nothing; only the functions that make models or tokenizers load torch and transformers.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CLASS_NAMES = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta")
ARCHITECTURES = ("bert", "roberta", "distilbert", "electra")
LONGEST_SEQUENCE = 512  # token positions of every toy encoder

_MARKERS = (
    ("apple", "cherry", "lemon"),
    ("river", "ocean", "harbour"),
    ("engine", "wheel", "piston"),
    ("violin", "chorus", "ballad"),
    ("castle", "bridge", "tower"),
    ("falcon", "sparrow", "heron"),
    ("comet", "planet", "orbit"),
    ("senate", "mayor", "ballot"),
)
_FILLER_TEXT = (
    "the a an of in on to and or it is was were be has had with from by at as for that this one two three "
    "more less old new small large early late near far first last found known named made seen often never"
)
_FILLERS = tuple(_FILLER_TEXT.split())
_PUNCTUATION = ".,;:!?'\"()[]-&/%$#@*+="

DEFAULT_HYPERPARAMETERS = {
    "max_seq_length": "64",
    "num_train_epochs": "2",
    "learning_rate": "0.002",
    "global_batch_size": "8",
    "seed": "7",
}


def toy_rows(rows: int, classes: int = 3, seed: int = 0) -> list[tuple[str, str]]:
    """Return (class name, text) pairs: classes evenly spread, texts of 3 to 60 words, some words decide."""
    random_ = random.Random(f"{seed}-{classes}")
    labels = [index % classes for index in range(rows)]
    random_.shuffle(labels)
    return [(CLASS_NAMES[label], _toy_text(label, random_)) for label in labels]


def _toy_text(label: int, random_: random.Random) -> str:
    length = random_.choice((3, 4, 5, 8, 12, 20, 35, 60))
    markers = max(1, length // 4)
    words = random_.choices(_MARKERS[label], k=markers) + random_.choices(_FILLERS, k=length - markers)
    random_.shuffle(words)
    commas = [word + "," if random_.random() < 0.1 else word for word in words]
    return " ".join(commas).rstrip(",").capitalize() + "."


def write_csv(path: Path, rows: Iterable[tuple[str, str]]) -> Path:
    """Write (class name, text) pairs as rows of: class index from 1, "title", "abstract"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        for number, (label, text) in enumerate(rows, start=1):
            writer.writerow([CLASS_NAMES.index(label) + 1, f"Item {number}", text])
    return path


def make_ml_root(
    folder: Path,
    *,
    hyperparameters: Mapping[str, str] | None = None,
    rows: int = 48,
    classes: int = 3,
    architecture: str = "bert",
) -> Path:
    """Make a small picture of /opt/ml in `folder` and return it.

    Args:
        hyperparameters: strings that replace or extend DEFAULT_HYPERPARAMETERS.
        rows: of the train channel; validation and test have half as many.
        architecture: of the encoder in the `model` channel.
    """
    data = folder / "input" / "data"
    for seed, (channel, count) in enumerate(
        {"train": rows, "validation": rows // 2, "test": rows // 2}.items()
    ):
        write_csv(data / channel / f"{channel}.csv", toy_rows(count, classes, seed))
    (data / "class").mkdir()
    (data / "class" / "classes.txt").write_text("".join(f"{name}\n" for name in CLASS_NAMES[:classes]))
    make_pretrained(data / "model", architecture)
    _write_job_description(
        folder / "input" / "config", {**DEFAULT_HYPERPARAMETERS, **(hyperparameters or {})}
    )
    return folder


def make_bare_checkpoint(folder: Path) -> Path:
    """Make a folder that passes for an encoder as far as its files tell: one tensor, and an empty tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "tokenizer.json").write_text("{}")
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def empty_train_channel(root: Path) -> Path:
    """Remove all data from a picture of /opt/ml but the encoder; return the train channel, which is empty."""
    path = root / "input" / "config" / "inputdataconfig.json"
    channels = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: channels[name] for name in ("train", "model")}), encoding="utf-8")
    for name in ("validation", "test", "class"):
        shutil.rmtree(root / "input" / "data" / name)
    train = root / "input" / "data" / "train"
    (train / "train.csv").unlink()
    return train


def remove_channel(root: Path, name: str) -> None:
    """Remove a channel from a picture of /opt/ml."""
    path = root / "input" / "config" / "inputdataconfig.json"
    channels = json.loads(path.read_text(encoding="utf-8"))
    del channels[name]
    path.write_text(json.dumps(channels), encoding="utf-8")
    shutil.rmtree(root / "input" / "data" / name)


def _write_job_description(folder: Path, hyperparameters: Mapping[str, str]) -> None:
    channels = ("train", "validation", "test", "model", "class")
    files = {
        "hyperparameters.json": hyperparameters,
        "inputdataconfig.json": {
            name: {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            }
            for name in channels
        },
        "resourceconfig.json": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "network_interface_name": "lo",
            "current_instance_type": "local",
        },
    }
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def make_tokenizer() -> PreTrainedTokenizerBase:
    """Return an uncased BERT tokenizer that knows the toy words and spells other ASCII words in letters."""
    from transformers import BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    single = [*string.ascii_lowercase, *string.digits]
    tokens = [*special, *_PUNCTUATION, *single, *(f"##{character}" for character in single), *_words()]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=LONGEST_SEQUENCE)


def train_tokenizer(texts: Iterable[str], pieces: int) -> PreTrainedTokenizerBase:
    """Return an uncased BERT tokenizer whose vocabulary of so many pieces is learnt from some texts.

    7,000 pieces cut the sample's abstracts into 69 tokens on average; BERT's own 30,522 cut them into 68.
    """
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizer

    trained = BertWordPieceTokenizer(lowercase=True)
    trained.train_from_iterator(texts, vocab_size=pieces, min_frequency=1, show_progress=False)
    return BertTokenizer(vocab=trained.get_vocab(), do_lower_case=True, model_max_length=LONGEST_SEQUENCE)


def _make_byte_tokenizer() -> PreTrainedTokenizerBase:
    """Return RoBERTa's kind of tokenizer: byte pairs, `<pad>` is 1, no text is unknown."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        (f" {word}" for word in _words()),
        vocab_size=600,
        min_frequency=1,
        show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    state = json.loads(trained.to_str())["model"]
    merges: Any = [tuple(merge) for merge in state["merges"]]
    return RobertaTokenizer(vocab=state["vocab"], merges=merges, model_max_length=LONGEST_SEQUENCE)


def _words() -> list[str]:
    return list(dict.fromkeys([*_FILLERS, *(word for markers in _MARKERS for word in markers)]))


def make_pretrained(
    folder: Path, architecture: str = "bert", *, hidden: int = 32, layers: int = 2, seed: int = 0
) -> Path:
    """Save a tiny random encoder (no classification head) with its tokenizer in `folder`, and return it.

    Args:
        architecture: one of ARCHITECTURES.
        hidden: size of the hidden vectors, a multiple of 4.
    """
    import torch

    tokenizer = _make_byte_tokenizer() if architecture == "roberta" else make_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _make_encoder(architecture, tokenizer, hidden, layers)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _make_encoder(
    architecture: str, tokenizer: PreTrainedTokenizerBase, hidden: int, layers: int
) -> PreTrainedModel:
    import transformers as tf

    vocabulary: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.15,  # BERT's 0.02 is made for 768 numbers: so few would hardly learn
    }
    if architecture == "distilbert":
        return tf.DistilBertModel(
            tf.DistilBertConfig(
                **vocabulary,
                dim=hidden,
                hidden_dim=2 * hidden,
                n_layers=layers,
                n_heads=4,
                max_position_embeddings=LONGEST_SEQUENCE,
            )
        )
    shape = {
        **vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
    }
    if architecture == "bert":
        return tf.BertModel(tf.BertConfig(**shape, max_position_embeddings=LONGEST_SEQUENCE))
    if architecture == "electra":  # its embeddings are narrower than its layers
        config = tf.ElectraConfig(
            **shape, embedding_size=hidden // 2, max_position_embeddings=LONGEST_SEQUENCE
        )
        return tf.ElectraModel(config)
    if architecture == "roberta":  # its positions start after the padding id
        positions = LONGEST_SEQUENCE + tokenizer.pad_token_id + 1
        return tf.RobertaModel(
            tf.RobertaConfig(
                **shape, type_vocab_size=1, max_position_embeddings=positions, layer_norm_eps=1e-5
            )
        )
    raise ValueError(f"architecture must be one of {ARCHITECTURES}, not {architecture!r}")
