"""Fixed texts on which two tokenizers that claim to be the same must agree, and where they do not."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tokenizers import Tokenizer

TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "HELLO World, iPhone CamelCase NASA mIxEd",
    "Don't they're it's we'd o'clock 'quoted' \"double\" ``ticks'' “curly” ‘single’ «guillemets»",
    "Äpfel, Öl, Straße, GROẞ; déjà-vu, naïve, Ångström, señor, Łódź, İstanbul, ığdır, Čeština",
    "cafe\u0301 nai\u0308ve A\u030angstro\u0308m \u0301 e\u0301\u0302\u0323",  # combining marks
    "Быстрая лиса, Ёлка, їжак; Η γρήγορη αλεπού, Άνθρωπος ς",
    "敏捷的棕色狐狸跳过懒狗。北京大学，２０２６年！",
    "素早い茶色の狐がカタカナ、ﾊﾝｶｸ、が\u3099、東京タワー",
    "빠른 갈색 여우 한국어 \u1112\u1161\u11ab",
    "الثعلب البني السريع، السَّلَامُ عَلَيْكُمْ؛ ١٢٣",
    "השועל החום שָׁלוֹם",
    "तेज भूरी लोमड़ी हिन्दी १२३ বাংলা தமிழ் తెలుగు",
    "สุนัขจิ้งจอกสีน้ำตาล ភាសាខ្មែរ မြန်မာ ລາວ",
    "ქართული Հայերեն አማርኛ ᏣᎳᎩ Tiếng Việt Đặng",
    "😀 🚀🚀 👍🏽 👨‍👩‍👧 🇩🇪 ❤️ ☺ ⚽️ a😀b",
    "https://www.example.com/a/b_c?q=1&r=%20x#frag user.name+tag@example.org @handle #hashtag www.x.co.uk",
    "1 12 123 1234 12345 1,234.56 1.234,56 3.14159 007 2026-11-29 12:30 +49 (30) 1234-5678 50% $9.99 €20 1/2",
    "½ ² ³ № ™ © ℃ Ⅳ ﬁ ﬂ ﬀ ＡＢＣ１２３ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚 ①② ㌔ ǅ",
    "a--b a_b a/b a\\b a...b a…b !!! ??? ;-) :-D <3 (x) [y] {z} <b>tag</b> ~`^|",
    "def f(x):\n\treturn x ** 2  # code\n\n    indented",
    "  leading and trailing  ",
    " one",
    "two  spaces   three    four",
    "line\nbreak\r\nwindows\rmac\ttab\vvertical\fform",
    "\nnewline first",
    "non\xa0breaking\u2003em\u3000ideographic\u2028line\u2029paragraph\x85next",
    "zero\u200bwidth\u200cnon\u200djoiner soft\u00adhyphen \ufeffbom \u202ertl\u202c",
    "control\x00null\x01\x07\x1b\x7f\x9f replaced\ufffd private\ue000",
    "[CLS] a [SEP] b [MASK] c [PAD] d [UNK]",
    "<s> a </s> b <mask> c <pad> d <unk> <|endoftext|>",
    "x[MASK]y x<mask>y [mask] [cls]<S>",
    "▁under Ġbyte ##piece</w> @@",
    "supercalifragilisticexpialidocious Donaudampfschifffahrtsgesellschaftskapitänsmütze",
    "a" * 101 + " " + "b1" * 60 + " " + "я" * 130,
    "a",
    "Z",
    "?",
    " ",
    "",
)
_VOCABULARY_WORDS = 600  # of the vocabulary, evenly spread over its ids
_WORDS_PER_TEXT = 12
_MARKS = str.maketrans({"▁": " ", "Ġ": " ", "#": " "})


class Difference(NamedTuple):
    """How many of the texts compared two tokenizers encode differently."""

    differing: int
    compared: int


def difference(ours: Tokenizer, theirs: Tokenizer) -> Difference | None:
    """Return how two tokenizers differ; None if they agree.

    The texts are TEXTS, the added tokens of both within words and between them, and a sample of `ours`'s vocabulary.
    """
    texts = list(dict.fromkeys((*TEXTS, *_added_tokens(ours), *_added_tokens(theirs), *_vocabulary(ours))))
    pairs = zip(ids_of(ours, texts), ids_of(theirs, texts), strict=True)
    differing = sum(first != second for first, second in pairs)
    return Difference(differing, len(texts)) if differing else None


def ids_of(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of whole texts, special tokens included, whatever truncation and padding the tokenizer has."""
    truncation, padding = tokenizer.truncation, tokenizer.padding
    tokenizer.no_truncation()
    tokenizer.no_padding()
    try:
        return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    finally:
        if truncation:
            tokenizer.enable_truncation(**truncation)
        if padding:
            tokenizer.enable_padding(**padding)


def _added_tokens(tokenizer: Tokenizer) -> Iterator[str]:
    """Yield texts with each added token alone, between words and within one, in its own case and in lower case."""
    for token in tokenizer.get_added_tokens_decoder().values():
        yield from _with_token(token)


def _with_token(token: Any) -> Iterator[str]:
    content = token.content
    yield f"one {content} two  {content}  three one{content}two {content.lower()} {content}{content}"


def _vocabulary(tokenizer: Tokenizer) -> Iterator[str]:
    """Yield texts of words from the vocabulary."""
    ids = range(0, tokenizer.get_vocab_size(), max(1, tokenizer.get_vocab_size() // _VOCABULARY_WORDS))
    words = [(tokenizer.id_to_token(index) or "").translate(_MARKS) for index in ids]
    for start in range(0, len(words), _WORDS_PER_TEXT):
        yield " ".join(words[start : start + _WORDS_PER_TEXT])
