"""Added tokens have the ids that the checkpoint's files state, or the checkpoint is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.tokenizer_folders import edit

quiet_transformers()

TOKEN = "[URL]"


def words_of(folder: Path) -> list[str]:
    """Return the words of a folder's tokenizer.json, by their ids."""
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    return sorted(vocabulary, key=lambda word: vocabulary[word])


def in_tokenizer_json(folder: Path, tokens: dict[str, int]) -> int:
    """Add tokens there, with these distances from the first free id; return that id."""
    fields = json.loads((folder / "tokenizer.json").read_text())
    free = len(words_of(folder))
    flags: dict[str, Any] = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    fields["added_tokens"] += [
        {"id": free + distance, "content": token, "special": True, **flags}
        for token, distance in tokens.items()
    ]
    (folder / "tokenizer.json").write_text(json.dumps(fields))
    return free


def only_words(folder: Path) -> int:
    """Leave vocab.txt as the only file of the tokenizer; return the first free id."""
    words = words_of(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    return len(words)


def in_decoder(folder: Path, tokens: dict[str, int]) -> int:
    """Add tokens in tokenizer_config.json, beside a tokenizer.json without them."""
    free = len(words_of(folder))
    edit(
        folder,
        added_tokens_decoder={str(free + distance): {"content": token} for token, distance in tokens.items()},
    )
    return free


def beside_words(folder: Path, tokens: dict[str, int]) -> int:
    """Add tokens in added_tokens.json, beside vocab.txt."""
    free = only_words(folder)
    (folder / "added_tokens.json").write_text(json.dumps({name: free + d for name, d in tokens.items()}))
    return free


def in_decoder_beside_words(folder: Path, tokens: dict[str, int]) -> int:
    """Add tokens in tokenizer_config.json, beside vocab.txt."""
    free = only_words(folder)
    decoder = {str(free + distance): {"content": name} for name, distance in tokens.items()}
    edit(folder, added_tokens_decoder=decoder)
    return free


WAYS = {
    "tokenizer.json": in_tokenizer_json,
    "tokenizer_config.json": in_decoder,
    "added_tokens.json": beside_words,
    "tokenizer_config.json beside vocab.txt": in_decoder_beside_words,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_gap_is_refused(copy_of, way):
    """The library would read the token as the first id that is free, a row that was never trained for it."""
    folder = copy_of("bert")
    free = WAYS[way](folder, {TOKEN: 3})
    said = rf"{way.split()[0]} gives '\[URL\]' the id {free + 3}, but it would be read as {free}: "
    with pytest.raises(UserError, match=said) as caught:
        load_tokenizer(str(folder))
    assert f"for each id from {free} up to {free + 3}." in caught.value.remedy
    assert_clear(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_the_remedy_for_a_gap_helps(copy_of, way):
    """With a token for each id before it, the token is read as its file says."""
    folder = copy_of("bert")
    free = WAYS[way](folder, {"[gap 0]": 0, "[gap 1]": 1, "[gap 2]": 2, TOKEN: 3})
    assert load_tokenizer(str(folder))(f"a {TOKEN}")["input_ids"][-2] == free + 3


@pytest.mark.parametrize("way", WAYS)
def test_a_word_of_the_vocabulary_with_another_id_is_refused(copy_of, way):
    """A word of the vocabulary keeps its id there, whatever the list of added tokens says."""
    folder = copy_of("bert")
    word = next(word for word in words_of(folder)[-10:] if not word.startswith("##"))
    index = words_of(folder).index(word)
    free = WAYS[way](folder, {word: 0})
    said = f"gives '{word}' the id {free}, but it is read as {index}, as the vocabulary has it"
    with pytest.raises(UserError, match=said) as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)
