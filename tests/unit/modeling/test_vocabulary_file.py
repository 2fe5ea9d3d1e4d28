"""A vocabulary alone: words whose ids are not those that the model has learnt are refused, with the cause."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.tokenizer_folders import edit

quiet_transformers()


@pytest.fixture
def folder(copy_of) -> Path:
    """Return a BERT whose only tokenizer file is vocab.txt, with a word for each row of the model."""
    folder = copy_of("bert")
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    words = sorted(vocabulary, key=lambda word: vocabulary[word])
    rows = json.loads((folder / "config.json").read_text())["vocab_size"]
    write(folder, words + [f"further{number}" for number in range(len(words), rows)])
    return Path(folder)


def words_of(folder: Path) -> list[str]:
    """Return the words of vocab.txt."""
    return (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]


def write(folder: Path, words: list[str], start: str = "") -> None:
    """Write vocab.txt."""
    (folder / "vocab.txt").write_text(start + "".join(f"{word}\n" for word in words), encoding="utf-8")


def check_refused(folder: Path, said: str) -> UserError:
    """Require that the checkpoint is refused with this cause."""
    with pytest.raises(UserError, match=said) as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)
    return caught.value


@pytest.mark.parametrize("spare", [0, 8])
def test_a_byte_order_mark_is_refused(folder, spare):
    """It would be a part of the first word, whose id the padding token then lacks; the remedy takes it off."""
    words = words_of(folder)
    write(folder, words[: len(words) - spare], start="\ufeff")
    error = check_refused(folder, r"vocab\.txt begins with a byte order mark")
    assert r"sed -i '1s/^\xEF\xBB\xBF//' vocab.txt" in error.remedy


def test_a_blank_line_too_many_is_refused(folder):
    """All words behind it would have the ids of others."""
    words = words_of(folder)
    write(folder, [*words[:60], "", *words[60:]])
    check_refused(
        folder,
        rf"vocab\.txt has a blank line, 61, .* it has {len(words) + 1} lines, .* vocab_size={len(words)}",
    )
    write(folder, [*words, ""])
    check_refused(folder, rf"has a blank line, {len(words) + 1}, ")


def test_a_blank_line_that_may_shift_words_is_said(folder, caplog):
    """Where the model has rows to spare, only who trained it knows; where the numbers fit, nothing is said."""
    words = words_of(folder)
    write(folder, [*words[:60], "", *words[61:]])
    load_tokenizer(str(folder))
    write(folder, [*words[:-8], ""])
    load_tokenizer(str(folder))
    assert "blank line" not in caplog.text
    write(folder, [*words[:60], "", *words[60:-8]])
    load_tokenizer(str(folder))
    assert "vocab.txt has a blank line, 61, which counts as a word: remove it unless" in caplog.text


def test_special_tokens_that_the_file_does_not_have_are_refused(folder):
    """They would get ids behind the vocabulary; by their own names, which the remedy asks for, they are read."""
    words = words_of(folder)
    names = {"[CLS]": "<cls>", "[SEP]": "<sep>"}
    write(folder, [names.get(word, word) for word in words])
    error = check_refused(
        folder, r"vocab\.txt does not have '\[CLS\]' and '\[SEP\]', which BertTokenizer needs"
    )
    assert "cls_token, sep_token" in error.remedy
    edit(folder, cls_token="<cls>", sep_token="<sep>")
    ids = load_tokenizer(str(folder))("a")["input_ids"]
    assert (ids[0], ids[-1]) == (words.index("[CLS]"), words.index("[SEP]"))


def test_special_tokens_may_stand_in_added_tokens(folder):
    """Where a file states their ids, the model may have learnt them there."""
    words = words_of(folder)
    write(folder, [word for word in words if word != "[CLS]"])
    (folder / "added_tokens.json").write_text(json.dumps({"[CLS]": len(words) - 1}))
    assert load_tokenizer(str(folder))("a")["input_ids"][0] == len(words) - 1


def test_merges_that_are_missing_are_named(copy_of):
    """A vocabulary of byte pairs says nothing without them."""
    folder = copy_of("roberta")
    for name in ("tokenizer.json", "merges.txt"):
        (folder / name).unlink()
    error = check_refused(folder, r"has vocab\.json, and merges\.txt is missing")
    assert "merges.txt of the same checkpoint" in error.remedy
