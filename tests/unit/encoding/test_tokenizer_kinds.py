"""Every kind of tokenizer: texts of which only a prefix is read get the ids of the tokenizer's own truncation."""

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, processors

from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.errors import UserError
from bert_classifier.modeling.sentencepiece_model import convert
from support.toy_tokenizers import LAYOUTS, make_tokenizer

LENGTH = 16
PIECES = (
    "apple", "river", "the", "ÉCOLE", "naïve", "1984", "don't", "``", "''", "x" * 30, ",", "...", "▁",
    "北京", "大学", "한국", "мир", "שלום", "🚀", "👨\u200d👩\u200d👧", "ﬁ", "e\u0301", "\u0301",
    " ", "  ", "\n", "\t", "\xa0", "\u3000", "\u200b", "\u2028", "\x85", "\x1c", "[SEP]", "<s>", "<mask>", "[MASK]",
)  # fmt: skip
MODELS = Path(__file__).parents[1] / "modeling" / "sentencepiece_models"
CONVERTED = {
    "xlm-roberta": "XLMRobertaTokenizer",
    "camembert": "CamembertTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "albert": "AlbertTokenizer",
}


def random_texts() -> list[str]:
    """Return 300 texts of up to 90 pieces, with and without blanks between them."""
    draw = random.Random(5)
    texts = (
        "".join(draw.choice(PIECES) + draw.choice(["", " "]) for _ in range(draw.randint(1, 90)))
        for _ in range(300)
    )
    return [text for text in texts if text.strip()]


@pytest.mark.parametrize("kind", [*LAYOUTS, *(f"{name}.model" for name in CONVERTED)])
def test_cut_texts_have_the_tokenizers_own_ids(kind):
    """Scripts, blanks of all kinds, special tokens in the text: ids and the flag are the tokenizer's own."""
    name = kind.removesuffix(".model")
    is_converted = kind.endswith(".model")
    tokenizer = convert(MODELS / kind, CONVERTED[name], {}) if is_converted else make_tokenizer(LAYOUTS[name])
    cutting = Tokenizer.from_str(tokenizer.to_str())
    cutting.enable_truncation(LENGTH)
    encoder = TextEncoder(tokenizer, 0, LENGTH)
    for text in random_texts():
        encoded = encoder.encode_batch([text])
        assert encoded.ids.tolist() == cutting.encode(text).ids, text
        assert encoded.truncated.tolist() == [len(tokenizer.encode(text).ids) > LENGTH], text


def framed(vocabulary: dict[str, int]) -> Tokenizer:
    """Return a tokenizer that frames texts with tokens 0 and 1, and drops what it does not know."""
    tokenizer = Tokenizer(models.BPE({"<s>": 0, "</s>": 1, **vocabulary}, []))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return tokenizer


def test_tokenizer_without_latin_letters():
    """What frames a text is found with a tokenizer that drops every Latin letter."""
    encoder = TextEncoder(framed({"м": 2, "и": 3, "р": 4}), 0, LENGTH)
    assert encoder.num_special == 2
    assert encoder.encode_batch(["мир", "abc"]).ids.tolist() == [0, 2, 3, 4, 1, 0, 1]


def test_tokenizer_that_reads_nothing_is_refused():
    """One that finds no token in any text stops the job with one sentence."""
    with pytest.raises(UserError, match="finds no token in any word of its own vocabulary"):
        TextEncoder(framed({}), 0, LENGTH)
