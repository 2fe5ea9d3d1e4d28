"""Small tokenizers of the kinds that encoders come with, made by the `tokenizers` library from a few sentences.

Each is saved as published checkpoints have it: tokenizer.json, a tokenizer_config.json that names its class, and the
vocabulary in the older files too. The ids and templates of special tokens are those of the family.
"""

import dataclasses
import functools
import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)  # fmt: skip

from support.fakes import toy_rows

_PIECES = 700  # of each vocabulary, special tokens not counted
_SENTENCES = (
    "The quick brown fox jumps over the lazy dog, and 1,234.50 dollars were paid on 2026-11-29.",
    "Él añadió que el niño comió piñas; où est passée la crème brûlée? Größe, Straße, Übermut.",
    "Съешь ещё этих мягких французских булок. Το γρήγορο αλεπού. השועל המהיר. الثعلب البني السريع.",
    "敏捷的棕色狐狸跳过了懒狗。 素早い茶色の狐。 빠른 갈색 여우. तेज़ भूरी लोमड़ी। สุนัขจิ้งจอก.",
    "See https://example.com/a?b=c&d=1 or write to someone@example.org: it's 100% (really) #fun \N{GRINNING FACE}",
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """A family's tokenizer.

    Attributes:
        kind: "wordpiece", "bytes" (byte-level BPE) or "unigram".
        first: special tokens at the ids from 0 on.
        last: special tokens behind the vocabulary.
        roles: what tokenizer_config.json says of them, such as {"cls_token": "[CLS]"}.
        of_class: tokenizer_class in tokenizer_config.json.
        between: separators between two texts.
        lowercase: whether case and accents are dropped.
        settings: more of tokenizer_config.json.
    """

    kind: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    roles: Mapping[str, str]
    of_class: str
    between: int = 1
    lowercase: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _roles(cls: str, sep: str, pad: str, unk: str, mask: str, **more: str) -> dict[str, str]:
    five = {"cls_token": cls, "sep_token": sep, "pad_token": pad, "unk_token": unk, "mask_token": mask}
    return {**five, **more}


_BRACKETS = _roles("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")
_ANGLES = _roles("<s>", "</s>", "<pad>", "<unk>", "<mask>", bos_token="<s>", eos_token="</s>")
_PIECE_ROLES = _roles("[CLS]", "[SEP]", "<pad>", "<unk>", "[MASK]", bos_token="[CLS]", eos_token="[SEP]")
_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_UNCASED = {"do_lower_case": True}
_LLAMA = ("<|begin_of_text|>", "<|end_of_text|>", "<|mask|>", "<|parallel_sep|>")

LAYOUTS = {
    "bert": Layout("wordpiece", _BERT, (), _BRACKETS, "BertTokenizer", lowercase=True, settings=_UNCASED),
    "bert-cased": Layout(
        "wordpiece", _BERT, (), _BRACKETS, "BertTokenizer", settings={"do_lower_case": False}
    ),
    "roformer": Layout("wordpiece", _BERT, (), _BRACKETS, "RoFormerTokenizer", lowercase=True, settings=_UNCASED),
    "funnel": Layout(
        "wordpiece", ("<pad>", "<unk>", "<cls>", "<sep>", "<mask>", "<s>", "</s>"), (),
        _roles("<cls>", "<sep>", "<pad>", "<unk>", "<mask>", bos_token="<s>", eos_token="</s>"),
        "FunnelTokenizer", lowercase=True, settings=_UNCASED,
    ),
    "mpnet": Layout(
        "wordpiece", ("<s>", "<pad>", "</s>", "<unk>", "[UNK]"), ("<mask>",), {**_ANGLES, "unk_token": "[UNK]"},
        "MPNetTokenizer", between=2, lowercase=True, settings=_UNCASED,
    ),
    "roberta": Layout(
        "bytes", ("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",), _ANGLES, "RobertaTokenizer", between=2
    ),
    "luke": Layout(
        "bytes", ("<s>", "<pad>", "</s>", "<unk>"), ("<mask>", "<ent>", "<ent2>"), _ANGLES, "LukeTokenizer", between=2
    ),
    "deberta": Layout(
        "bytes", ("[PAD]", "[CLS]", "[SEP]", "[UNK]"), ("[MASK]",), {**_BRACKETS, "bos_token": "[CLS]"},
        "DebertaTokenizer",
    ),
    "modernbert": Layout(
        "bytes", (), ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"), _BRACKETS, "PreTrainedTokenizerFast",
        settings={"model_input_names": ["input_ids", "attention_mask"]},
    ),
    "eurobert": Layout(
        "bytes", (), _LLAMA, _roles(_LLAMA[0], _LLAMA[1], _LLAMA[1], _LLAMA[1], _LLAMA[2], bos_token=_LLAMA[0],
        eos_token=_LLAMA[1]), "PreTrainedTokenizerFast",
        settings={"model_input_names": ["input_ids", "attention_mask"]},
    ),
    "xlm-roberta": Layout(
        "unigram", ("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",), _ANGLES, "XLMRobertaTokenizer", between=2
    ),
    "camembert": Layout(
        "unigram", ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"), ("<mask>",),
        _ANGLES, "CamembertTokenizer", between=2,
    ),
    "albert": Layout(
        "unigram", ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"), (), _PIECE_ROLES, "AlbertTokenizer",
        lowercase=True, settings={**_UNCASED, "keep_accents": False, "remove_space": True},
    ),
    "fnet": Layout(
        "unigram", ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"), (), _PIECE_ROLES, "FNetTokenizer",
        settings={"do_lower_case": False, "keep_accents": True},
    ),
    "rembert": Layout(
        "unigram", ("<pad>", "</s>", "<unk>", "<s>"), ("[CLS]", "[SEP]", "[MASK]"), _PIECE_ROLES, "RemBertTokenizer",
        settings={"do_lower_case": False, "keep_accents": True},
    ),
    "big_bird": Layout(
        "unigram", ("<pad>", "</s>", "<s>", "<unk>"), ("[CLS]", "[SEP]", "[MASK]"),
        _roles("[CLS]", "[SEP]", "<pad>", "<unk>", "[MASK]", bos_token="<s>", eos_token="</s>"), "BigBirdTokenizer",
    ),
    "deberta-v2": Layout(
        "unigram", ("[PAD]", "[CLS]", "[SEP]", "[UNK]"), ("[MASK]",), {**_BRACKETS, "bos_token": "[CLS]"},
        "DebertaV2Tokenizer", settings={"do_lower_case": False, "split_by_punct": False, "vocab_type": "spm"},
    ),
}  # fmt: skip


def make_tokenizer(layout: Layout) -> Tokenizer:
    """Return a tokenizer that knows the words of toy_rows and pieces of several scripts."""
    tokenizer = Tokenizer(_model(layout))
    _set_rules(tokenizer, layout)
    mask = (
        layout.roles["mask_token"] if layout.between == 2 else None
    )  # in RoBERTa's kin it takes the space before it
    special = dict.fromkeys((*layout.first, *layout.last))
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False, lstrip=token == mask) for token in special]
    )
    cls, sep = layout.roles["cls_token"], layout.roles["sep_token"]
    ids = [(token, tokenizer.token_to_id(token)) for token in (cls, sep)]
    pair = f"{cls}:0 $A:0 {f'{sep}:0 ' * layout.between}$B:1 {sep}:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0", pair=pair, special_tokens=ids
    )
    return tokenizer


def save_tokenizer(folder: Path, layout: Layout, tokens: int) -> Tokenizer:
    """Save a tokenizer in a folder as a published checkpoint has it, and return it.

    Args:
        tokens: model_max_length.
    """
    tokenizer = make_tokenizer(layout)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": layout.of_class, "model_max_length": tokens, **layout.roles, **layout.settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(told, indent=2), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(dict(layout.roles)), encoding="utf-8")
    if layout.kind != "unigram":  # vocab.txt, or vocab.json and merges.txt
        tokenizer.model.save(str(folder))
    return tokenizer


def _set_rules(tokenizer: Tokenizer, layout: Layout) -> None:
    """Set how texts are normalised, split and joined."""
    if layout.kind == "wordpiece":
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=layout.lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
    elif layout.kind == "bytes":
        if not layout.first:  # ModernBERT's
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    else:
        accents = [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
        spaces = normalizers.Replace(Regex(" {2,}"), " ")
        steps = [normalizers.Nmt(), normalizers.NFKC(), *(accents if layout.lowercase else []), spaces]
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()


def _model(layout: Layout) -> models.Model:
    learnt = _learnt(layout.kind, layout.lowercase)
    pieces = learnt["vocab"]
    known = {*layout.first, *layout.last}
    if layout.kind == "unigram":
        scored = [(piece, score) for piece, score in pieces if piece not in known]
        vocabulary = [*_unscored(layout.first), *scored, *_unscored(layout.last)]
        unknown = [piece for piece, _ in vocabulary].index(layout.roles["unk_token"])
        return models.Unigram(vocabulary, unk_id=unknown, byte_fallback=False)
    ordered = sorted((piece for piece in pieces if piece not in known), key=pieces.__getitem__)
    ids = {piece: number for number, piece in enumerate((*layout.first, *ordered, *layout.last))}
    if layout.kind == "wordpiece":
        return models.WordPiece(ids, unk_token=layout.roles["unk_token"])
    return models.BPE(ids, [tuple(merge) for merge in learnt["merges"]])


def _unscored(tokens: Sequence[str]) -> list[tuple[str, float]]:
    return [(token, 0.0) for token in tokens]


@functools.cache
def _learnt(kind: str, lowercase: bool) -> dict[str, Any]:
    """Return a vocabulary of the sentences and toy texts: "vocab" as its kind has it, and "merges" of byte pairs.

    Only byte pairs are learnt by the library, whose other trainers give another vocabulary each time.
    """
    tokenizer = Tokenizer(models.BPE())
    _set_rules(tokenizer, Layout(kind, ("",), (), {}, "", lowercase=lowercase))
    texts = [*_SENTENCES, *(text for _, text in toy_rows(200, 8))]
    if kind == "bytes":
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.train_from_iterator(
            texts, trainers.BpeTrainer(vocab_size=_PIECES, show_progress=False, initial_alphabet=alphabet)
        )
        learnt: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
        return learnt
    normal, split = tokenizer.normalizer, tokenizer.pre_tokenizer
    words = Counter(word for text in texts for word, _ in split.pre_tokenize_str(normal.normalize_str(text)))
    pieces = _word_pieces(words) if kind == "wordpiece" else _scored_pieces(words)
    return {"vocab": pieces}


def _word_pieces(words: Counter[str]) -> dict[str, int]:
    """Return the ids of letters, endings and whole words."""
    letters = sorted({letter for word in words for letter in word})
    endings = sorted({word[-size:] for word in words for size in (2, 3) if len(word) > size + 1})
    pieces = [*letters, *(f"##{part}" for part in (*letters, *endings)), *sorted(words)]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def _scored_pieces(words: Counter[str]) -> list[tuple[str, float]]:
    """Return the parts of words that spare most letters, and every letter, with the logarithm of their frequency."""
    parts: Counter[str] = Counter()
    for word, count in words.items():
        for begin, end in itertools.combinations(range(len(word) + 1), 2):
            parts[word[begin:end]] += count
    letters = {letter for word in words for letter in word}
    sparing = sorted(parts, key=lambda part: (-parts[part] * (len(part) - 1), part))[:_PIECES]
    chosen = sorted({*letters, *sparing}, key=lambda part: (-parts[part], part))
    total = sum(parts[part] for part in chosen)
    return [(part, math.log(parts[part] / total)) for part in chosen]
