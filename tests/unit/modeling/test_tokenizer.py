"""The checkpoint's own tokenizer: whatever class its files name, ids are those of its tokenizer.json."""

import json
import logging

import pytest
from tokenizers import Tokenizer, processors
from transformers import AutoTokenizer

from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.tokenizer_folders import TEXTS, edit, encoder_ids, file_ids
from support.toy_tokenizers import LAYOUTS

TYPES = {
    "bert": "bert", "roberta": "roberta", "distilbert": "bert", "xlm-roberta": "xlm-roberta", "camembert": "camembert",
    "albert": "albert", "deberta-v2": "deberta-v2", "deberta": "deberta", "mpnet": "mpnet", "modernbert": "modernbert",
    "fnet": "fnet", "rembert": "rembert", "big_bird": "big_bird", "roformer": "roformer", "luke": "luke",
    "eurobert": "eurobert", "funnel": "funnel", "nomic_bert": "bert", "gte": "xlm-roberta",
}  # fmt: skip
CLASSES = (
    "DebertaV2Tokenizer", "AlbertTokenizer", "XLMRobertaTokenizer", "BertTokenizer", "RobertaTokenizer",
    "CamembertTokenizer", "MPNetTokenizer", "PreTrainedTokenizerFast", "BertTokenizerFast", "XLMRobertaTokenizerFast",
    "GTETokenizer", "TokenizersBackend", "LlamaTokenizer", "BertJapaneseTokenizer", "T5TokenizerFast", None,
)  # fmt: skip
KINDS = ("bert", "roberta", "xlm-roberta")  # WordPiece, byte-level BPE, Unigram

quiet_transformers()


@pytest.mark.parametrize("model_type", TYPES)
def test_ids_are_those_of_the_file(encoders, model_type):
    """Each family's checkpoint is read as its tokenizer.json says, and pads with its own padding token."""
    folder = encoders(model_type)
    tokenizer = load_tokenizer(str(folder))
    assert encoder_ids(tokenizer) == file_ids(folder)
    assert tokenizer.pad_token == LAYOUTS[TYPES[model_type]].roles["pad_token"]
    assert len(tokenizer) == Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()


@pytest.mark.parametrize("named", CLASSES)
@pytest.mark.parametrize("model_type", KINDS)
def test_class_does_not_matter(copy_of, model_type, named):
    """Whatever class the checkpoint names, known or not, fitting or not, its tokenizer.json decides."""
    folder = copy_of(model_type)
    edit(folder, tokenizer_class=named)
    tokenizer = load_tokenizer(str(folder))
    assert encoder_ids(tokenizer) == file_ids(folder)
    assert tokenizer.pad_token == LAYOUTS[model_type].roles["pad_token"]


@pytest.mark.parametrize("model_type", KINDS)
def test_tokenizer_json_alone_suffices(copy_of, model_type):
    """Without any other tokenizer file, special tokens are found too."""
    folder = copy_of(model_type)
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors", "tokenizer.json"):
            path.unlink()
    tokenizer = load_tokenizer(str(folder))
    assert encoder_ids(tokenizer) == file_ids(folder)
    assert tokenizer.pad_token == LAYOUTS[model_type].roles["pad_token"]


def test_agreeing_class_is_kept(encoders):
    """Where transformers' class agrees, its object stays to the letter: fingerprints of running jobs hold it."""
    for model_type in ("bert", "roberta", "mpnet", "modernbert"):
        folder = str(encoders(model_type))
        kept, plain = load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
        assert type(kept) is type(plain)
        assert kept.backend_tokenizer.to_str() == plain.backend_tokenizer.to_str()


def test_settings_cannot_rewrite_the_file(copy_of):
    """add_bos_token and the like in tokenizer_config.json do not change which special tokens a text gets."""
    folder = copy_of("modernbert")
    edit(folder, add_bos_token=False, add_eos_token=False, split_special_tokens=True)
    plain = AutoTokenizer.from_pretrained(folder)
    assert [plain(text)["input_ids"] for text in TEXTS] != file_ids(folder)  # what is guarded against
    assert encoder_ids(load_tokenizer(str(folder))) == file_ids(folder)


def test_tokenizer_without_special_tokens(copy_of):
    """A tokenizer.json that adds no special tokens is honoured: none is made up."""
    folder = copy_of("bert")
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    own.post_processor = processors.Sequence([])
    own.save(str(folder / "tokenizer.json"))
    tokenizer = load_tokenizer(str(folder))
    assert encoder_ids(tokenizer) == file_ids(folder)
    assert TextEncoder(tokenizer.backend_tokenizer, 0, 16).num_special == 0


@pytest.mark.parametrize("model_type", ["bert", "roberta", "xlm-roberta", "deberta-v2"])
def test_tokens_around_a_text_where_the_file_names_none(copy_of, model_type, caplog):
    """A tokenizer.json without post_processor gets that of its class, as in plain transformers; a line says so."""
    folder = copy_of(model_type)
    edit(folder, tokenizer_class=None)
    whole = file_ids(folder)
    edit(folder, "tokenizer.json", post_processor=None)
    with caplog.at_level(logging.INFO):
        tokenizer = load_tokenizer(str(folder))
    assert encoder_ids(tokenizer) == whole
    plain = AutoTokenizer.from_pretrained(folder)
    frame = ", ".join(plain.convert_ids_to_tokens(plain("")["input_ids"]))
    assert f"those of {type(plain).__name__}: {frame}" in caplog.text


def test_tokens_around_a_text_of_a_class_that_does_not_fit(copy_of):
    """Tokens that the file does not have are not put around texts."""
    folder = copy_of("roberta")
    (folder / "special_tokens_map.json").unlink()
    edit(
        folder,
        tokenizer_class="BertTokenizer",
        cls_token=None,
        sep_token=None,
        bos_token=None,
        eos_token=None,
    )
    edit(folder, "tokenizer.json", post_processor=None)
    plain = AutoTokenizer.from_pretrained(folder)
    assert plain.convert_ids_to_tokens(plain("")["input_ids"]) == ["[CLS]", "[SEP]"]
    assert encoder_ids(load_tokenizer(str(folder))) == file_ids(folder)


@pytest.mark.parametrize("files", ["added_tokens.json", "tokenizer_config.json"])
def test_added_tokens_of_other_files_join(copy_of, files):
    """Tokens that only added_tokens.json or tokenizer_config.json has are single tokens at the ids named there."""
    folder = copy_of("bert")
    next_id = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    if files == "added_tokens.json":
        (folder / files).write_text(json.dumps({"<two>": next_id + 1, "<one>": next_id}))
    else:
        token = {
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": False,
        }
        decoder = {str(next_id + n): {"content": text, **token} for n, text in enumerate(("<one>", "<two>"))}
        edit(folder, added_tokens_decoder=decoder)
    encode = load_tokenizer(str(folder)).backend_tokenizer.encode
    assert encode("<one> x <two>", add_special_tokens=False).ids[::2] == [next_id, next_id + 1]


def test_padding_is_found_without_a_name(copy_of):
    """Where no file names a padding token, that of config.json is taken."""
    folder = copy_of("modernbert")
    edit(folder, pad_token=None)
    (folder / "special_tokens_map.json").unlink()
    assert load_tokenizer(str(folder)).pad_token == "[PAD]"


@pytest.mark.parametrize("model_type", ["bert", "roberta", "mpnet", "deberta"])
def test_vocabulary_files_alone_work(copy_of, model_type):
    """vocab.txt, or vocab.json with merges.txt, give the ids that the tokenizer.json gave."""
    folder = copy_of(model_type)
    wanted = file_ids(folder)
    (folder / "tokenizer.json").unlink()
    found = encoder_ids(load_tokenizer(str(folder)))
    plain = [
        index for index, text in enumerate(TEXTS) if "<unk>" not in text
    ]  # special in MPNet's file alone
    assert [found[index] for index in plain] == [wanted[index] for index in plain]
