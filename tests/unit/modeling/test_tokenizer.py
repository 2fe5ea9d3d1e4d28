"""The checkpoint's own tokenizer: whatever class its files name, ids are those of its tokenizer.json."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, processors
from transformers import AutoTokenizer

from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.errors import UserError
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.encoders import make_encoder
from support.toy_tokenizers import LAYOUTS

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


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the function from a model type to the folder of a toy encoder, which no test may change."""
    root = tmp_path_factory.mktemp("encoders")

    def folder_of(model_type: str) -> Path:
        folder = root / model_type
        return folder if folder.exists() else make_encoder(folder, model_type)

    return folder_of


@pytest.fixture
def copy_of(encoders: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return the function from a model type to a folder that a test may change."""
    return lambda model_type: shutil.copytree(encoders(model_type), tmp_path / model_type)


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


def test_contradicting_ids_are_refused(copy_of):
    """An added token whose id another file gives otherwise stops the job with one sentence."""
    folder = copy_of("bert")
    edit(folder, tokenizer_class="GTETokenizer")
    (folder / "added_tokens.json").write_text(json.dumps({"<one>": 9999}))
    with pytest.raises(
        UserError, match=r"contradict each other: one gives <one> the id 9999, another \d+\. Save"
    ) as caught:
        load_tokenizer(str(folder))
    assert_clear(caught.value)


def test_padding_is_found_without_a_name(copy_of):
    """Where no file names a padding token, that of config.json is taken."""
    folder = copy_of("modernbert")
    edit(folder, pad_token=None)
    (folder / "special_tokens_map.json").unlink()
    assert load_tokenizer(str(folder)).pad_token == "[PAD]"


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
