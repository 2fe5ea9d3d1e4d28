"""Make the models of this folder and what the sentencepiece library reads with them, in an environment of its own.

    python -m venv /tmp/pieces && /tmp/pieces/bin/pip install sentencepiece==0.2.3 && /tmp/pieces/bin/python make.py

The tests need only the files: the library is no dependency of the project. The ids follow fairseq's and Google's rules
for each family, as the tokenizers in Python of transformers 4 had them; no converter is involved.
"""

import contextlib
import json
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece  # type: ignore[import-not-found]

FOLDER = Path(__file__).parent
SENTENCES = (
    "The quick brown fox jumps over the lazy dog, and she played for eleven seasons.",
    "Der schnelle braune Fuchs springt über den faulen Hund; Äpfel, Öl, Straße.",
    "Le café est très bon à la crème brûlée. L'été, où êtes-vous ?",
    "Быстрая коричневая лиса прыгает через ленивую собаку. Η γρήγορη καφέ αλεπού.",
    "敏捷的棕色狐狸跳过懒狗。 素早い茶色の狐がのろまな犬を飛び越える。 빠른 갈색 여우가 게으른 개를.",
    "الثعلب البني السريع يقفز. השועל החום המהיר. तेज भूरी लोमड़ी आलसी कुत्ते. สุนัขจิ้งจอกสีน้ำตาล",
    "https://www.example.com/path?query=1&other=two#frag user@example.org 12,345.67 1984 2026-11-29 3.14 50% $100",
    "🚀 😀 👍🏽 don't can't it's \"quoted\" 'single' (parens) [brackets] HELLO World CamelCase NASA",
)
TEXTS = (
    "The brown dog jumps over 12 foxes.",
    "HELLO hello HeLLo, NASA's iPhone",
    "Äpfel und Öl: über Straßen, crème brûlée, où?",
    "Прыгает лиса; αλεπού",
    "敏捷的狐狸。茶色の犬",
    "https://example.com/other?query=50%#path user@www.example.org",
    "1984, 2026-11-29, 12,345.67 $3.14 7,",
    "🚀🚀 😀 ok",
    "  leading, trailing   and  inner  ",
    "ＦＵＬＬ ｗｉｄｔｈ １２３ ﬁﬂ ½",
    "tab\tnewline\nboth\r\nnon\xa0breaking\u3000wide zero\u200bwidth",
    "quite-unknown: ☃ ♞ ∑ Ж",
    "supercalifragilisticexpialidocious" * 3,
    "a",
    "7",
    "?",
)
DEBERTA = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]", "bos_piece": "[CLS]"}
ALBERT = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]"]}
MODELS: Mapping[str, Mapping[str, Any]] = {
    "xlm-roberta": {},
    "camembert": {},
    "deberta-v2": {**DEBERTA, "eos_piece": "[SEP]", "unk_piece": "[UNK]"},
    "albert": {**ALBERT, "user_defined_symbols": ["[MASK]"]},
    "byte-fallback": {"byte_fallback": True},
    "bpe": {"model_type": "bpe"},
    "bpe-bytes": {"model_type": "bpe", "byte_fallback": True, "character_coverage": 0.98},
}


def main() -> None:
    """Write one model per entry of MODELS, and ids.json."""
    read = {}
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):  # the models keep the paths
        rules, corpus = Path("rules.tsv"), Path("corpus.txt")
        rules.write_text("".join(_rules()), encoding="utf-8")
        corpus.write_text("\n".join(SENTENCES * 3), encoding="utf-8")
        for name, options in MODELS.items():
            sentencepiece.SentencePieceTrainer.train(
                input=str(corpus), model_prefix=name, vocab_size=700, hard_vocab_limit=False,
                minloglevel=2, normalization_rule_tsv=str(rules), **{"character_coverage": 1.0, **options},
            )  # fmt: skip
            shutil.copy(f"{name}.model", FOLDER)
    for name in ("xlm-roberta", "camembert", "deberta-v2", "albert", "bpe", "bpe-bytes"):
        model = sentencepiece.SentencePieceProcessor(model_file=str(FOLDER / f"{name}.model"))
        read[name] = [_ids(name, model, text) for text in TEXTS]
    (FOLDER / "ids.json").write_text(json.dumps({"texts": TEXTS, "ids": read}, indent=1) + "\n")


def _rules() -> list[str]:
    """Return rules such as NFKC has them; those of the library's own NFKC take 240 kB."""
    pairs = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    pairs |= {"\ufb01": "fi", "\ufb02": "fl", "½": "1⁄2", "\u200b": ""}
    pairs |= dict.fromkeys("\t\n\r\xa0\u3000", " ")
    return [
        f"{ord(source):X}\t{' '.join(f'{ord(c):X}' for c in target)}\n" for source, target in pairs.items()
    ]


def _ids(name: str, model: Any, text: str) -> list[int]:
    """Return the ids of a text without special tokens, by the family's rules for the ids of pieces."""
    if name == "albert":
        pieces = _split_commas(model, model.encode(_plain(text), out_type=str))
        return [model.piece_to_id(piece) for piece in pieces]
    ids = model.encode(text)
    offset = {"xlm-roberta": 1, "camembert": 4, "deberta-v2": 0}.get(name, 1)
    return [3 if index == model.unk_id() else index + offset for index in ids]


def _plain(text: str) -> str:
    """Return a text as ALBERT's tokenizer hands it over: without accents, in lower case."""
    text = unicodedata.normalize("NFKD", " ".join(text.split()))
    return "".join(letter for letter in text if not unicodedata.combining(letter)).lower()


def _split_commas(model: Any, pieces: list[str]) -> list[str]:
    """Split a comma off the digit in front of it, as ALBERT's tokenizer does."""
    split = []
    for piece in pieces:
        if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
            split += [*model.encode(piece[:-1].replace("▁", ""), out_type=str), ","]
        else:
            split.append(piece)
    return split


if __name__ == "__main__":
    main()
