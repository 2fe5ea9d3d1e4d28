"""Texts one by one: what counts as the same, and what as damaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.data.doctor.texts import (
    damage_in,
    is_bare,
    keys_of,
    looks_like_id,
    normalised,
    normalised_utf8,
)

# Whole and good, however many signs follow letters in them.
GOOD = [
    "Die schöne Müllerin wohnt in Österreich – „Grüß Gott“, sagte sie … und ging.",
    "Il était fatigué…», dit-elle; « À bientôt », répondit-il. CAFÉ» ou THÉ…",
    "A MAÇÃ” e o PÃO – ambos à venda. IRMÃ… MAÇÃ",
    "¿Qué pasó? ¡Nada! El año pasó en España: 20 €, 3 ½ y 5 °C; ªº",
    "5 Å wide, 2 Å\u00a0deep, 3 Ä “high”, Å…",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "İstanbul’da ığdır şeker çığ – İyi günler!",
    "Съешь же ещё этих мягких французских булок – «да».",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία… «Ναι»",
    "いろはにほへと ちりぬるを。「はい」",
    "Tiếng Việt: ‘chào bạn’ – “tôi là â…” ô, ư",
    "naïve – façade’s “déjà vu” • 100 € ™ ‰ † œuvre Ÿ",
    "Emoji 😀 and hearts ❤️ ✓ → ™",
    "tabs\tand\nlines\r\nare blanks; R&D; AT&T; a & b; #12; page #7; color:#336699;",
]
# Letters that many texts have, of each kind of first byte.
FOREIGN = [
    "é",
    "ü",
    "ñ",
    "à",
    "Ö",
    "É",
    "ł",
    "ę",
    "ş",
    "ğ",
    "ı",
    "Привет",
    "ναι",
    "はい",
    "你好",
    "’",
    "“q",
    "–",
    "€",
    "™",
    "😀",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_texts_are_not_accused(text):
    """Letters, quotes, dashes and units of many languages are no damage."""
    assert damage_in(text) == []


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("letters", FOREIGN)
def test_utf8_read_as_another_encoding_is_seen(letters, encoding):
    """One such mistake in a text is enough; bytes that Windows-1252 lacks become controls, as in browsers."""
    broken = "".join(
        bytes([byte]).decode(encoding if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin-1")
        for byte in f"a {letters}x b".encode()
    )
    assert "mojibake" in damage_in(broken)
    assert damage_in(f"a {letters}x b") == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("caf\ufffd", "replacement"),
        ("ï»¿label", "mojibake"),
        ("a\ufeffb", "bom"),
        ("a\x00b", "control"),
        ("a\x9fb", "control"),
        ("a &quot;b&quot;", "entity"),
        ("a &#x27;b", "entity"),
        ("John #39;s", "entity"),
    ],
)
def test_each_kind_of_damage_has_its_name(text, kind):
    """The kind decides the remedy."""
    assert damage_in(text) == [kind]


def test_a_text_may_have_several():
    """All kinds of a text are reported, each once."""
    assert damage_in("Ã© \ufffd \x07 \ufeff &amp; &lt;") == [
        "mojibake",
        "replacement",
        "control",
        "bom",
        "entity",
    ]


@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x20, exclude_characters="&#")))
def test_plain_ascii_is_never_damaged(text):
    """Whatever is printable ASCII without & and # is whole."""
    assert damage_in(text) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("a  b\t\nc ", " A b C"),
        ("café", "cafe\u0301"),
        ("ﬁne", "fine"),
        ("non\u00a0breaking", "non breaking"),
        ("full－width１", "full-width1"),
    ],
)
def test_texts_that_count_as_the_same(one, other):
    """Case, blanks and Unicode spelling do not tell texts apart."""
    assert normalised(one) == normalised(other)
    assert len(set(keys_of([one, other]).tolist())) == 1


@given(st.one_of(st.text(), st.text(st.characters(max_codepoint=0x7F))))
def test_the_quick_way_normalises_as_the_plain_one(text):
    """Byte for byte, for any text: with control characters, blanks of all kinds, in any case."""
    assert normalised_utf8(text) == normalised(text).encode()


def test_other_texts_have_other_keys():
    """A letter, an accent, punctuation or the order of words makes another text."""
    texts = ["a b", "b a", "ab", "á b", "a b.", "a, b", "", "a"]
    keys = keys_of(texts)
    assert keys.dtype == np.uint64
    assert len(set(keys.tolist())) == len(texts)


@pytest.mark.parametrize(
    ("text", "expected"), [("ok", True), ("123 456", True), ("?!…", True), ("yes", False), ("你好吗", False)]
)
def test_bare_texts(text, expected):
    """A text says nothing without a letter or with fewer than three characters."""
    assert is_bare(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A-1003", True),
        ("0b7f2c1e-9d3a-4e55-8f10-77aa21c0de99", True),
        ("2026-11-25", True),
        ("invoice", False),
        ("order 66", False),
        ("7.5", True),
    ],
)
def test_identifiers(text, expected):
    """One word with a digit in it looks like an identifier; words do not."""
    assert looks_like_id(text) is expected
