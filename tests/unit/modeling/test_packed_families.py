"""Every family with a padding-free pass: the same logits and gradients as transformers' own code with padding.

In float64, where only a mistake can make a difference, on texts longer and shorter than every window.
"""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

from bert_classifier.encoding.text_encoder import EncodedTexts
from bert_classifier.modeling import packed
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.packed import PackedForward, packed_or_padded
from bert_classifier.modeling.packed_attention import TextLayout, attend_text_by_text
from bert_classifier.modeling.packed_families import PACKED_FAMILIES, _mean, can_be_packed, padding_position
from bert_classifier.modeling.pooling import use_pooling

CPU = torch.device("cpu")
PAD = 1
# ModernBERT's windows are 33 tokens wide on either side here, masked up to 132 tokens, then in blocks of 66.
LENGTHS = np.array([3, 40, 7, 150, 1, 300, 32, 33, 34, 66, 132, 133, 131])
KINDS: dict[str, list[dict[str, Any]]] = {
    "modernbert": [{"classifier_pooling": pooling} for pooling in ("cls", "mean")],
    "eurobert": [
        {"classifier_pooling": pooling, "num_key_value_heads": 2} for pooling in ("bos", "mean", "late")
    ],
    "xmod": [{"languages": ["en_XX", "de_DE"], "default_language": "en_XX"}],
}
ALL_KINDS = [(family, kind) for family in sorted(PACKED_FAMILIES) for kind in KINDS.get(family, [{}])]
NAMES = ["-".join([family, *map(str, kind.values())][:2]) for family, kind in ALL_KINDS]


def make_model(family: str, **settings: Any) -> Any:
    """Return a random classifier of a family, large enough in its weights that texts differ."""
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
    special = {
        "pad_token_id": PAD,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "cls_token_id": 2,
        "sep_token_id": 3,
    }
    other = {
        "vocab_size": 100,
        "embedding_size": 32,
        "max_position_embeddings": 400,
        "initializer_range": 0.3,
    }
    if family == "distilbert":
        size = {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48}
    config_class: Any = CONFIG_MAPPING[family]
    config = config_class(num_labels=3, local_attention=64, **size, **special, **other, **settings)
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(config)
    return model.double().eval()


def make_texts() -> EncodedTexts:
    """Return random texts of these lengths."""
    ends = np.concatenate([[0], np.cumsum(LENGTHS)])
    ids = np.random.default_rng(0).integers(5, 90, ends[-1]).astype(np.int32)
    return EncodedTexts(ids, ends, np.zeros(len(LENGTHS), dtype=bool))


def gradients_of(forward: Forward, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """Return the gradient of a function of the logits, by weight."""
    forward.model.zero_grad()
    (forward(make_texts(), rows) ** 2).sum().backward()
    return {
        name: parameter.grad.to_dense().clone()
        for name, parameter in forward.model.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize("rows", [[5], [3, 1, 7, 0, 2], [*range(len(LENGTHS))]], ids=["one", "five", "all"])
@pytest.mark.parametrize(("family", "kind"), ALL_KINDS, ids=NAMES)
def test_every_family_computes_the_same_without_padding(family, kind, rows):
    """Logits and the gradient of every single weight; texts that all look alike would prove nothing."""
    model = make_model(family, **kind)
    padded, packed = (
        Forward(model, PAD, CPU, "fp32"),
        PackedForward(model, PAD, CPU, "fp32", attend_text_by_text),
    )
    chosen = np.array(rows)
    with torch.inference_mode():
        theirs, ours = (way(make_texts(), chosen) for way in (padded, packed))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    assert len(rows) == 1 or theirs.std(dim=0).min() > 0.05
    expected, found = gradients_of(padded, chosen), gradients_of(packed, chosen)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.parametrize(("family", "kind"), ALL_KINDS, ids=NAMES)
def test_a_copy_for_threads_computes_the_same(family, kind):
    """Servers use a copy that shares the weights; what is attached to the modules comes along."""
    model = make_model(family, **kind)
    packed = PackedForward(model, PAD, CPU, "fp32", attend_text_by_text)
    copied, rows = packed.for_threads(), np.arange(len(LENGTHS))
    with torch.inference_mode():
        assert torch.equal(copied(make_texts(), rows), packed(make_texts(), rows))


def test_modernbert_sees_no_further_than_its_window():
    """With local layers alone, a token far away changes nothing; one within reach of three layers does."""
    model = make_model("modernbert", layer_types=["sliding_attention"] * 3)
    packed = PackedForward(model, PAD, CPU, "fp32", attend_text_by_text)
    texts, rows = make_texts(), np.array([5])

    def logits_with_token(position: int) -> torch.Tensor:
        ids = texts.ids.copy()
        ids[texts.offsets[5] + position] = 95
        with torch.inference_mode():
            return packed(EncodedTexts(ids, texts.offsets, texts.truncated), rows)

    with torch.inference_mode():
        usual = packed(texts, rows)
    assert torch.equal(logits_with_token(3 * 32 + 1), usual)
    assert not torch.equal(logits_with_token(3 * 32), usual)


def test_what_adds_to_the_scores_is_packed_on_cpus_only():
    """The kernel for GPUs has no place for MPNet's relative positions; families without a table are padded."""
    assert can_be_packed("mpnet", "cpu")
    assert not can_be_packed("mpnet", "cuda")
    assert can_be_packed("modernbert", "cuda")
    assert not can_be_packed("deberta-v2", "cpu")


def test_positions_begin_where_the_model_has_them():
    """Behind the padding token's where the embeddings count so, at 0 elsewhere and with rotary positions."""
    found = {family: padding_position(make_model(family)) for family in ("bert", "roberta", "mpnet", "gte")}
    assert found == {"bert": None, "roberta": PAD, "mpnet": 1, "gte": None}


@pytest.mark.parametrize("family", ["roberta", "mpnet", "xlm-roberta", "bert", "modernbert"])
def test_texts_that_spell_the_padding_token_count_as_in_transformers(family):
    """There, such a token has padding's position, and the tokens behind it count on as if it were not there."""
    model = make_model(family)
    texts, rows = make_texts(), np.array([3, 1, 5])
    for text, position in ((1, 5), (1, 6), (5, 0), (5, 299), (3, 77)):
        texts.ids[texts.offsets[text] + position] = PAD
    with torch.inference_mode():
        ours = PackedForward(model, PAD, CPU, "fp32", attend_text_by_text)(texts, rows)
        alone = [model(input_ids=ids_of(texts, row)).logits[0] for row in rows]
    torch.testing.assert_close(ours.double(), torch.stack(alone), rtol=1e-6, atol=1e-6)


def ids_of(texts: EncodedTexts, row: int) -> torch.Tensor:
    """Return a text's ids, (1, tokens)."""
    return torch.as_tensor(texts.ids[texts.offsets[row] : texts.offsets[row + 1]].astype(np.int64))[None]


@pytest.mark.parametrize(
    ("family", "pooling", "kept"), [("eurobert", "cls", "bos"), ("modernbert", "mean", "mean")]
)
def test_a_head_that_can_read_either_reads_what_was_set(family, pooling, kept):
    """Now and when the saved config is read again; EuroBERT calls its first token by another name."""
    model = make_model(family)
    use_pooling(model, pooling, "encoder")
    again = make_model(family, classifier_pooling=model.config.classifier_pooling)
    again.load_state_dict(model.state_dict())
    ways = [PackedForward(each, PAD, CPU, "fp32", attend_text_by_text) for each in (model, again)]
    rows = np.arange(len(LENGTHS))
    with torch.inference_mode():
        now, later = (way(make_texts(), rows) for way in ways)
        assert torch.equal(now, later)
        torch.testing.assert_close(now, Forward(model, PAD, CPU, "fp32")(make_texts(), rows))
    assert model.config.classifier_pooling == kept


@pytest.mark.parametrize("length", [500, 4000])
def test_the_mean_of_a_long_text_is_exact_in_bf16(length):
    """8 bits have no room for a sum of thousands."""
    torch.manual_seed(0)
    hidden = (1 + torch.randn(length + 3, 16) / 2).bfloat16()
    begins = torch.tensor([0, 3, length + 3], dtype=torch.int32)
    means = _mean(hidden, TextLayout(begins, length))
    assert means.dtype == torch.bfloat16
    expected = torch.stack([hidden[:3].float().mean(dim=0), hidden[3:].float().mean(dim=0)])
    torch.testing.assert_close(means.float(), expected, rtol=2**-8, atol=0)


def test_windows_are_proved_however_short_the_texts_are(monkeypatch, caplog):
    """A kernel that ignores the window is right for short texts; the proof makes one that shows it."""
    model = make_model("modernbert").float()
    ids = np.arange(5, 35, dtype=np.int32)
    short = EncodedTexts(ids, np.array([0, 10, 14, 30]), np.zeros(3, dtype=bool))
    assert isinstance(packed_or_padded(model, PAD, CPU, "fp32", short), PackedForward)

    def sees_all(*vectors: torch.Tensor, window: int | None = None, **options: Any) -> Any:
        return attend_text_by_text(*vectors, **options)  # type: ignore[arg-type,misc]

    monkeypatch.setattr(packed, "attend_text_by_text", sees_all)
    assert type(packed_or_padded(model, PAD, CPU, "fp32", short)) is Forward
    assert "the padding-free path is off by" in caplog.text
