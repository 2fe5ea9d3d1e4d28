"""Turn a SentencePiece model (spm.model, sentencepiece.bpe.model, spiece.model) into a fast tokenizer.

transformers' converters do the work. They would read the file with sentencepiece and protobuf, two libraries that
nothing else here needs; of the file they use a dozen fields, which are read here instead. The classes that transformers
5 makes from such a file are no help: that of DeBERTa drops the model's normalisation.

The result has the ids of the sentencepiece library save in three places, as has every tokenizer.json that these
converters made: a space at the end of a text (ALBERT), several combining marks on a letter, and a "▁" in the text.
"""

import inspect
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from transformers.convert_slow_tokenizer import SLOW_TO_FAST_CONVERTERS, SpmConverter
from transformers.models.auto.tokenization_auto import tokenizer_class_from_name
from transformers.tokenization_utils_base import generate_merges

from bert_classifier.job.wording import first_line
from bert_classifier.modeling.tokenizer_probes import TEXTS, ids_of

_UNIGRAM, _BPE = 1, 2  # trainer_spec.model_type
_ORDINARY, _CONTROL, _USER_DEFINED = 1, 3, 4  # kinds of pieces
# https://github.com/google/sentencepiece/blob/v0.2.1/src/sentencepiece_model.proto: field number → name, default
_TRAINER: Mapping[int, tuple[str, Any]] = {
    3: ("model_type", _UNIGRAM),
    35: ("byte_fallback", 0),
    40: ("unk_id", 0),
    45: ("unk_piece", b"<unk>"),
}
_NORMALIZER: Mapping[int, tuple[str, Any]] = {
    2: ("precompiled_charsmap", b""),
    3: ("add_dummy_prefix", 1),
    4: ("remove_extra_whitespaces", 1),
}
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # wire types, https://protobuf.dev/programming-guides/encoding
_LONGEST_VARINT = 10  # bytes, for 64 bits
_DAMAGED = "it is no SentencePiece model, or damaged"


def read_model(path: Path) -> SimpleNamespace:
    """Return the fields of a SentencePiece model that conversion needs, named as in its protocol buffer.

    Raises:
        ValueError: when the file is none, or damaged.
    """
    data = path.read_bytes()
    try:
        return _model_in(data)
    # What ends within a field, has one of another type, or bytes that are no text.
    except (IndexError, struct.error, TypeError, ValueError) as error:
        raise ValueError(_DAMAGED) from error


def _model_in(data: bytes) -> SimpleNamespace:
    fields = list(_fields(data))
    parts = dict(fields)
    if not {1, 2, 3} <= parts.keys():
        raise IndexError
    return SimpleNamespace(
        pieces=[_piece(value) for number, value in fields if number == 1],
        trainer_spec=_named(parts[2], _TRAINER),
        normalizer_spec=_named(parts[3], _NORMALIZER),
    )


def convert(path: Path, class_name: str, settings: Mapping[str, Any]) -> Tokenizer:
    """Return the fast tokenizer of a SentencePiece model.

    Args:
        class_name: of transformers' tokenizer, without "Fast"; it says how ids and special tokens are laid out.
        settings: of tokenizer_config.json.
    Raises:
        ValueError: when the file is damaged, or transformers cannot convert such a tokenizer.
    """
    converter_class = SLOW_TO_FAST_CONVERTERS.get(class_name)
    if converter_class is None or not issubclass(converter_class, SpmConverter):
        raise ValueError(f"transformers has no converter for SentencePiece models of class {class_name}")
    model = read_model(path)
    _require_convertible(model)
    converter: Any = converter_class.__new__(converter_class)  # its __init__ reads the file with protobuf
    converter.proto = model
    if model.trainer_spec.model_type == _BPE:
        converter.tokenizer = _tokenizer_of_pairs(converter)
    converter.original_tokenizer = SimpleNamespace(
        vocab_file=str(path),
        add_prefix_space=bool(model.normalizer_spec.add_dummy_prefix),
        do_lower_case=settings.get("do_lower_case", _lowers_by_default(class_name)),
        keep_accents=settings.get("keep_accents", False),
        split_by_punct=settings.get("split_by_punct", False),
        convert_tokens_to_ids=_ids_of_pieces(converter),
    )
    tokenizer = _converted(converter)
    tokenizer.add_special_tokens(_special_tokens(tokenizer, class_name))
    return tokenizer


def _tokenizer_of_pairs(converter: SpmConverter) -> Callable[[SimpleNamespace], Tokenizer]:
    """Return the function from a BPE model to its tokenizer; transformers' own needs sentencepiece and protobuf.

    Of all pairs of neighbours that together are a piece, SentencePiece joins the one of the highest score first.
    """

    def tokenizer_of(model: SimpleNamespace) -> Tokenizer:
        ids = {piece: index for index, (piece, _) in enumerate(converter.vocab(model))}
        scores = {piece.piece: piece.score for piece in model.pieces if piece.type == _ORDINARY}
        merges = generate_merges(ids, scores)
        trainer = model.trainer_spec
        pairs = BPE(
            ids, merges, unk_token=trainer.unk_piece, fuse_unk=True, byte_fallback=bool(trainer.byte_fallback)
        )
        tokenizer = Tokenizer(pairs)
        added = [piece for piece in model.pieces if piece.type in (_CONTROL, _USER_DEFINED)]
        tokenizer.add_tokens(
            [AddedToken(piece.piece, normalized=False, special=piece.type == _CONTROL) for piece in added]
        )
        return tokenizer

    return tokenizer_of


def _converted(converter: SpmConverter) -> Tokenizer:
    """Return the tokenizer, with which texts of many scripts have been read: a damaged table fails only there."""
    try:
        tokenizer = converter.converted()
        ids_of(tokenizer, TEXTS)
    except ValueError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # of Rust
            raise
        raise ValueError(f"{_DAMAGED}: {first_line(error).rstrip(' .:')}") from error
    return tokenizer


def roles_of(class_name: str) -> dict[str, str]:
    """Return the special tokens that a class of transformers has unless a checkpoint names others, by role."""
    tokenizer_class: Any = tokenizer_class_from_name(class_name)
    parameters = inspect.signature(tokenizer_class).parameters
    return {
        name: str(parameter.default)
        for name, parameter in parameters.items()
        if name.endswith("_token") and isinstance(parameter.default, str | AddedToken)
    }


def laid_out_by(class_name: str) -> int:
    """Return how many of the first ids have tokens that transformers' class sets, whatever added_tokens_decoder says.

    CamembertTokenizer of transformers 4 replaces the first five there, since its fast form was once saved with the
    unknown token at 4, where the models have one that is not used, rather than at 3.
    """
    return 5 if class_name == "CamembertTokenizer" else 0


def _special_tokens(tokenizer: Tokenizer, class_name: str) -> list[AddedToken]:
    """Return the class's special tokens that the model has; the mask takes the space before it, save DeBERTa's."""
    takes_space = class_name != "DebertaV2Tokenizer"
    return [
        AddedToken(token, lstrip=takes_space and role == "mask_token", normalized=False, special=True)
        for role, token in roles_of(class_name).items()
        if tokenizer.token_to_id(token) is not None
    ]


def _require_convertible(model: SimpleNamespace) -> None:
    """Refuse what the converters would turn into a tokenizer with other ids."""
    if model.trainer_spec.model_type not in (_UNIGRAM, _BPE):
        raise ValueError(
            "it is a model of words or characters, and only Unigram and BPE have a fast tokenizer"
        )
    if model.trainer_spec.byte_fallback and model.trainer_spec.model_type == _UNIGRAM:
        raise ValueError("it spells unknown characters in bytes, which transformers' converter does not keep")


def _lowers_by_default(class_name: str) -> bool:
    return class_name == "AlbertTokenizer"


def _ids_of_pieces(converter: SpmConverter) -> Callable[[str], int]:
    """Return the function from a piece to its id."""
    ids = {piece: index for index, (piece, _) in enumerate(converter.vocab(converter.proto))}

    def id_of(piece: str) -> int:
        if piece not in ids:
            raise ValueError(f"it has no piece {piece}")
        return ids[piece]

    return id_of


def _piece(data: bytes) -> SimpleNamespace:
    fields = dict(_fields(data))
    score = struct.unpack("<f", fields[2])[0] if 2 in fields else 0.0
    kind = fields.get(3, 1)
    if not (math.isfinite(score) and isinstance(kind, int)):
        raise TypeError
    return SimpleNamespace(piece=str(fields.get(1, b""), "utf-8"), score=score, type=kind)


def _named(data: bytes, names: Mapping[int, tuple[str, Any]]) -> SimpleNamespace:
    """Return a message's fields by name."""
    found = dict(_fields(data))
    values = {name: found.get(number, default) for number, (name, default) in names.items()}
    if any(type(values[name]) is not type(default) for name, default in names.values()):
        raise TypeError
    return SimpleNamespace(
        **{name: str(value, "utf-8") if name.endswith("piece") else value for name, value in values.items()}
    )


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) for each field of a protocol buffer: int, or bytes that are not decoded."""
    at = 0
    while at < len(data):  # a TypeError of what is no bytes
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size = {_DOUBLE: 8, _FLOAT: 4}.get(wire_type)
        if size is None:
            if wire_type != _BYTES:
                raise IndexError
            size, at = _varint(data, at)
        if at + size > len(data):
            raise IndexError
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer at a position, seven bits per byte from the lowest on, and the position behind it."""
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise IndexError
