"""What the tests of checkpoints' tokenizers share: odd texts, their ids, and how files are changed."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bert_classifier.encoding.text_encoder import TextEncoder

# None of them stands in the program's own list.
TEXTS = (
    "Falcons over the harbour: one comet, three planets!",
    "  Doppelte  Leerzeichen, Übergröße  und\tTabulator\n",
    "Où est la gare ? C’est l’été… « d’accord »",
    "Прощай, ёжик; Ωμέγα και άλφα; 东京都 と 大阪府; 안녕하세요 세계; مرحبا بالعالم",
    "http://test.example/?a=1&b=%C3%A9 me@there.example #tag @you",
    "10.000,50 EUR or $7.25 at 18:05 on 3/4/2025, call 0049-30-123",
    "🦊 jumps 🧑🏽‍🚀🇫🇷 ☕️",
    "iPhone McDONALD'S ﬁancé ＦＵＬＬ ½ № e\u0301",
    "a [MASK] b<mask>c [SEP]d </s> [PAD] <pad> <unk> [UNK]",
    "x\u200by\xa0z\u3000w\u2028v\ufeffu\u00adt",
    "",
    " ",
)


def edit(folder: Path, name: str = "tokenizer_config.json", **fields: Any) -> None:
    """Change fields of a JSON file; None removes one."""
    path = folder / name
    changed = {**(json.loads(path.read_text()) if path.exists() else {}), **fields}
    path.write_text(json.dumps({key: value for key, value in changed.items() if value is not None}))


def file_ids(folder: Path) -> list[list[int]]:
    """Return the ids of TEXTS by the folder's tokenizer.json alone."""
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    own.no_padding()
    own.no_truncation()
    return [own.encode(text).ids for text in TEXTS]


def encoder_ids(tokenizer: Any) -> list[list[int]]:
    """Return the ids of TEXTS as training and serving make them."""
    encoded = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, 512).encode_batch(TEXTS)
    return [part.tolist() for part in _split(encoded)]


def _split(encoded: Any) -> list[Any]:
    return [encoded.ids[a:b] for a, b in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]
