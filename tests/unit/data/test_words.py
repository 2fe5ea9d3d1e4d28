"""Texts are divided into words as people see them, whatever their language."""

import pytest

from bert_classifier.data.words import spans_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't care, do I?", {"I", "don't", "care", "do"}),
        ("state-of-the-art—really… 'quoted' -- (yes)", {"state-of-the-art", "really", "quoted", "yes"}),
        ("Größe: 3,5 €; naïve café's", {"Größe", "3", "5", "€", "naïve", "café's"}),
        ("хорошо, очень   хорошо!", {"хорошо", "очень"}),
        ("हिन्दी में है।", {"हिन्दी", "में", "है"}),
        ("مرحبا، كيف؟", {"مرحبا", "كيف"}),
        ("great 😀👍🏽 ok", {"great", "😀👍🏽", "ok"}),
        ("한국어 문장.", {"한국어", "문장"}),
        ("user_name #tag @you a/b", {"user", "name", "tag", "you", "a", "b"}),
        ("", set()),
        (" .,;!? \t\n\u3000", set()),
    ],
)
def test_words_stand_between_blanks_and_punctuation(text, words):
    """Apostrophes and hyphens stay within a word, marks stay on their letters, and emoji are words."""
    assert words_of(text) == words
    assert {text[span.start : span.end] for span in spans_of(text)} == words


def test_scripts_without_blanks_give_pieces():
    """Chinese and Japanese give pairs of characters, Thai four at a time, beside the words of other scripts."""
    assert words_of("我爱北京。BERT模型") == {"我爱", "爱北", "北京", "BERT", "模型"}
    assert words_of("猫") == {"猫"}
    assert words_of("カメラを買う") == {"カメ", "メラ", "ラを", "を買", "買う"}
    assert words_of("อร่อยมาก") == {"อร่อ", "ร่อย", "่อยม", "อยมา", "ยมาก"}


@pytest.mark.parametrize("text", ["我爱北京天安门。ok", "อร่อยมาก ok", "a  b-c, d", "x"])
def test_spans_do_not_overlap_and_hold_every_letter(text):
    """In order, each letter in exactly one."""
    spans = list(spans_of(text))
    covered = [at for span in spans for at in range(span.start, span.end)]
    assert covered == sorted(set(covered))
    assert {at for at, character in enumerate(text) if character.isalpha()} <= set(covered)
