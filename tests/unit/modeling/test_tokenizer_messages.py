"""What is said of a tokenizer: one line where something differs, one sentence where nothing can be done."""

import json
import logging
import shutil

import pytest
from tokenizers import Tokenizer

from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.tokenizer_folders import edit, encoder_ids, file_ids

quiet_transformers()


def test_log_says_what_differs_once(copy_of, caplog):
    """One line names the class and how many texts it reads otherwise; a second load is silent."""
    folder = copy_of("xlm-roberta")
    edit(folder, tokenizer_class="BertTokenizer")
    with caplog.at_level(logging.INFO):
        load_tokenizer(str(folder))
        load_tokenizer(str(folder))
    (line,) = [record.getMessage() for record in caplog.records if "tokenizer" in record.getMessage()]
    assert "tokenizer.json is used as it stands, since " in line


def test_agreement_is_silent(copy_of, caplog):
    """Nothing is logged where nothing differs."""
    with caplog.at_level(logging.INFO):
        load_tokenizer(str(copy_of("bert")))
    assert not [record for record in caplog.records if "tokenizer" in record.getMessage()]


def test_ids_that_cannot_be_are_refused(copy_of):
    """An added token that cannot have its id stops the job with one sentence."""
    folder = copy_of("bert")
    edit(folder, tokenizer_class="GTETokenizer")
    (folder / "added_tokens.json").write_text(json.dumps({"<one>": 9999}))
    with pytest.raises(
        UserError, match=r"added_tokens.json gives '<one>' the id 9999, but it would be read as \d+: "
    ) as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def test_no_padding_token_is_refused(copy_of):
    """A tokenizer that has none is refused."""
    folder = copy_of("roberta")
    raw = json.loads((folder / "tokenizer.json").read_text().replace("<pad>", "<nothing>"))
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    edit(folder, pad_token=None, tokenizer_class="PreTrainedTokenizerFast")
    edit(folder, "config.json", pad_token_id=None)
    for name in ("special_tokens_map.json", "vocab.json", "merges.txt"):
        (folder / name).unlink()
    with pytest.raises(UserError, match="no padding token") as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def test_slow_tokenizer_is_refused(copy_of):
    """A tokenizer that has no fast form, and no tokenizer.json, is refused with its class."""
    folder = copy_of("roberta")
    edit(folder, tokenizer_class="PhobertTokenizer")
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (folder / name).unlink()
    (folder / "vocab.txt").write_text("hello 10\nworld 9\n")
    (folder / "bpe.codes").write_text("h e 10\nl l 9\n")
    with pytest.raises(
        UserError, match=r"no fast tokenizer of class PhobertTokenizer of its files\. Give"
    ) as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def test_other_padding_than_the_models_is_said(copy_of, caplog):
    """A tokenizer that pads with another token than config.json names is used, and a warning names both."""
    folder = copy_of("bert")
    edit(folder, "config.json", pad_token_id=9)
    word = Tokenizer.from_file(str(folder / "tokenizer.json")).id_to_token(9)
    assert load_tokenizer(str(folder)).pad_token_id == 0
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (
        f"pads with '[PAD]' (id 0), but its config.json names id 9, which the tokenizer reads as {word!r}"
        in record.message
    )


@pytest.mark.parametrize("named", ["KoBertTokenizer", "PreTrainedTokenizerFast"])
def test_vocabulary_of_an_unknown_class_is_refused(copy_of, named):
    """How a vocabulary alone is to be used, only its class says; an unknown one is named, and nothing is guessed."""
    folder = copy_of("bert")
    (folder / "tokenizer.json").unlink()
    edit(folder, tokenizer_class=named)
    with pytest.raises(
        UserError,
        match=rf"no fast tokenizer of class {named} of its files\. Give a checkpoint with a tokenizer\.json",
    ) as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def test_a_tokenizer_json_of_another_model_is_refused(copy_of):
    """The class that the other files name has a token for unknown words that the file does not have."""
    folder = copy_of("bert")
    other = copy_of("roberta")
    shutil.copy(other / "tokenizer.json", folder)
    edit(folder, tokenizer_class="BertTokenizer", unk_token="[UNK]")
    said = r"tokenizer\.json of .* does not have '\[UNK\]', which BertTokenizer, .* another model's tokenizer"
    with pytest.raises(UserError, match=said) as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def test_dropped_case_is_said(copy_of, caplog):
    """A vocabulary with capital letters, in a folder that does not say that case counts, is read with a warning."""
    for model_type, settings in (
        ("megatron-bert", {}),
        ("bert", {}),
        ("megatron-bert", {"do_lower_case": False}),
    ):
        folder = copy_of(model_type)
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        caplog.clear()
        load_tokenizer(str(folder))
        lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert len(lines) == (model_type == "megatron-bert" and not settings)
        assert all("does not say whether case counts, so texts are lower-cased" in line for line in lines)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"added_tokens_decoder": {"x": 3}},
        {"added_tokens_decoder": [1]},
        {"added_tokens_decoder": {"5": {"special": True}}},
        {"tokenizer_class": 3},
        {"model_max_length": "long"},
        {"pad_token": 7},
        {"pad_token": ["[PAD]"]},
    ],
)
def test_odd_settings_are_no_bug_of_the_program(copy_of, fields):
    """Fields of another type are passed over or refused in one sentence; texts are never read otherwise."""
    folder = copy_of("bert")
    edit(folder, **fields)
    try:
        assert encoder_ids(load_tokenizer(str(folder))) == file_ids(folder)
    except UserError as error:
        assert_clear(error)
