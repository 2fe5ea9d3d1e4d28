"""A checkpoint that is a classifier already: its head is kept by the names of its classes, or begins anew."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.task import Task
from bert_classifier.modeling.heads import doubts_about_pooling, keep_head_of, loaded_head
from bert_classifier.modeling.pooling import use_pooling
from bert_classifier.modeling.pretrained import load_config, load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from support.clear_text import assert_clear
from support.encoders import FAMILIES, make_encoder

OLD = ("sports", "world", "business")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint with a classification head, which no test changes."""
    return classifier(tmp_path_factory.mktemp("classes") / "model")


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    """Keep the library's load reports out of the way, as training does."""
    quiet_transformers()


def classifier(folder: Path, family: str = "bert", labels: tuple[str, ...] = OLD) -> Path:
    """Make a checkpoint with a classification head, whose weights are far from a new one's."""
    return make_encoder(
        folder, family, head="classifier", id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)}, num_labels=len(labels),
    )  # fmt: skip


def load(folder: Path, labels: Any, keep: str = "auto", seed: int = 1) -> Any:
    """Load it as a job does, its head drawn from a seed."""
    torch.manual_seed(seed)
    return load_pretrained(str(folder), labels, load_tokenizer(str(folder)), None, keep_head=keep)


def rows(model: Any) -> dict[str, torch.Tensor]:
    """Return the parameters that have a row per class."""
    return {name: model.get_parameter(name).detach() for name in loaded_head(model).parts}


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "distilbert", "electra", "modernbert", "roberta"])
def test_a_head_for_other_classes_begins_anew(tmp_path: Path, family: str) -> None:
    """As many as before or not: the seed draws the last layer, everything else is the checkpoint's."""
    folder = classifier(tmp_path / "model", family)
    saved = load_file(folder / "model.safetensors")
    same, other, another = (load(folder, labels) for labels in (("a", "b", "c"), ("a", "b"), ("a", "b", "c")))
    assert loaded_head(same).became == "replaced"
    assert loaded_head(other).became == "new"
    assert "sports, world, business) is not kept" in loaded_head(same).sentence
    assert "sports, world, business) is not kept" in loaded_head(other).sentence
    for name, tensor in rows(same).items():
        assert torch.equal(tensor, rows(another)[name])
        assert not torch.equal(tensor, saved[name]) or not tensor.any()
    rest = set(saved) - set(rows(same))
    state, theirs = same.state_dict(), other.state_dict()
    assert all(
        torch.equal(state[name], saved[name]) and torch.equal(theirs[name], saved[name]) for name in rest
    )
    weight = next(tensor for tensor in rows(same).values() if tensor.dim() == 2)
    assert weight.std() == pytest.approx(same.config.initializer_range, rel=0.5)
    assert not torch.equal(
        weight, next(t for t in rows(load(folder, ("a", "b", "c"), seed=2)).values() if t.dim() == 2)
    )


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "distilbert", "electra", "modernbert", "roberta"])
def test_a_head_for_the_same_classes_is_kept_where_that_is_asked_for(tmp_path: Path, family: str) -> None:
    """By name: in another order of the classes, the answers are the same in that order."""
    folder = classifier(tmp_path / "model", family)
    kept, turned = (
        load(folder, OLD, "true").eval(),
        load(folder, ("business", "sports", "world"), "true").eval(),
    )
    assert (loaded_head(kept).became, loaded_head(turned).became) == ("kept", "reordered")
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        torch.testing.assert_close(turned(ids).logits, kept(ids).logits[:, [2, 0, 1]])
    saved = load_file(folder / "model.safetensors")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in rows(kept).items())
    assert all(torch.equal(tensor, saved[name][[2, 0, 1]]) for name, tensor in rows(turned).items())
    assert turned.config.id2label == {0: "business", 1: "sports", 2: "world"}
    assert "is kept" in loaded_head(turned).sentence
    assert "in the order of the data" in loaded_head(turned).sentence


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("sports", "world", "culture"), "only there: business; only here: culture"),
        (("sports", "world"), "only there: business"),
        (("sports", "world", "business", "x"), "only here: x"),
        (("LABEL_0", "LABEL_1", "LABEL_2"), "only there: business, sports, world; only here: LABEL_0"),
    ],
)
def test_other_classes_are_refused_where_the_head_shall_stay(
    tmp_path: Path, labels: Any, expected: str
) -> None:
    """With the difference."""
    with pytest.raises(UserError, match=expected) as caught:
        load(classifier(tmp_path / "model"), labels, "true")
    assert_clear(caught.value)


def test_no_head_is_refused_where_it_shall_stay(tmp_path: Path) -> None:
    """Before the classes are known, too."""
    folder = make_encoder(tmp_path / "model", "bert")
    for labels in (None, OLD):
        with pytest.raises(UserError, match="has no classification head") as caught:
            load(folder, labels, "true")
        assert_clear(caught.value)
    classes = classifier(tmp_path / "classes")
    assert loaded_head(load(classes, None, "true")).labels == OLD
    config = json.loads((classes / "config.json").read_text())
    (classes / "config.json").write_text(json.dumps({**config, "id2label": {"0": "x", "1": "y"}}))
    with pytest.raises(UserError, match=r"is not for the 2 classes of its config\.json") as caught:
        load(classes, ("x", "y"), "true")
    assert_clear(caught.value)


def test_a_model_of_this_program_is_trained_further_with_its_head(tmp_path: Path) -> None:
    """For the same classes in any order, unless that is switched off; not for others."""
    folder = classifier(tmp_path / "model")
    assert loaded_head(load(folder, OLD)).became == "replaced"
    (folder / "training.json").write_text(json.dumps({"labels": list(OLD)}))
    assert loaded_head(load(folder, OLD)).became == "kept"
    assert loaded_head(load(folder, OLD[::-1])).became == "reordered"
    assert loaded_head(load(folder, OLD, "false")).became == "replaced"
    assert loaded_head(load(folder, ("a", "b", "c"))).became == "replaced"
    assert loaded_head(load(folder, ("a", "b"))).became == "new"


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"funnel", "roformer"}))
def test_an_encoder_alone_is_loaded_as_ever(tmp_path: Path, family: str) -> None:
    """No head, no words about it, and no random number more or less than transformers draws."""
    import transformers

    folder = make_encoder(tmp_path / "model", family)
    model = load(folder, ("a", "b", "c"))
    after = torch.get_rng_state()
    assert (loaded_head(model).became, loaded_head(model).sentence) == ("new", "")
    assert loaded_head(model).parts
    torch.manual_seed(1)
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=3, dtype=torch.float32
    )
    assert torch.equal(after, torch.get_rng_state())
    ours = model.state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in plain.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "decides", "is_kept"),
    [
        ({}, "auto", True),
        ({"pooling": "cls"}, "auto", True),
        ({"pooling": "mean"}, "pooling=mean", False),
        ({"head_init": "logistic_regression"}, "head_init=logistic_regression", False),
        ({"head_init": "random"}, "auto", True),
        ({"keep_head": "false", "pooling": "mean"}, "false", False),
    ],
)
def test_one_answer_before_the_model_is_built_and_after(
    classes: Path, tmp_path: Path, settings: dict[str, Any], decides: str, is_kept: bool
) -> None:
    """What is chosen for the data, and what the log says, follow from the same."""
    folder = tmp_path / "own"
    shutil.copytree(classes, folder)
    (folder / "training.json").write_text(json.dumps({"labels": list(OLD)}))
    source = str(folder)
    keep = keep_head_of(TrainConfig(**settings), load_config(source), source)
    assert keep == decides
    before, after = (loaded_head(load(folder, labels, keep)) for labels in (None, OLD))
    assert before.keeps(OLD, Task.SINGLE) is after.is_kept is is_kept
    assert not before.keeps(("a", "b", "c"), Task.SINGLE)
    assert not before.keeps(OLD, Task.MULTI)
    assert (f"is not kept: {decides} replaces it" in after.sentence) is ("=" in decides)


@pytest.mark.parametrize("family", ["modernbert", "eurobert"])
@pytest.mark.parametrize(
    ("trained_with", "pooling", "is_doubtful"),
    [("mean", "cls", True), ("mean", "mean", False), ("mean", "auto", False), ("cls", "mean", True)],
)
def test_a_kept_head_that_reads_something_else_is_a_doubt(
    tmp_path: Path, family: str, trained_with: str, pooling: str, is_doubtful: bool
) -> None:
    """Families whose heads read either: the weights fit both, so nothing else would show it."""
    folder = classifier(tmp_path / "own", family)
    first = "bos" if family == "eurobert" else "cls"
    config = json.loads((folder / "config.json").read_text())
    config["classifier_pooling"] = first if trained_with == "cls" else trained_with
    (folder / "config.json").write_text(json.dumps(config))
    for keep in ("true", "false"):
        model = load(folder, OLD, keep)
        use_pooling(model, pooling, str(folder))
        found = doubts_about_pooling(model, pooling)
        assert bool(found) is (is_doubtful and keep == "true")
        assert all(
            f"pooling={pooling} gives it something else. Leave pooling out" in doubt for doubt in found
        )


def test_a_layer_that_stays_is_a_doubt(classes: Path) -> None:
    """An encoder that an earlier training gave the layer of pooling=mean has it, whatever is set now."""
    model = load(classes, OLD, "true")
    use_pooling(model, "mean", str(classes))
    assert doubts_about_pooling(model, "mean") == []
    use_pooling(model, "cls", str(classes))
    (doubt,) = doubts_about_pooling(model, "cls")
    assert doubt.startswith("pooling=cls changes nothing: the encoder has the layer of pooling=mean")


def test_a_layer_below_a_head_that_must_be_kept_is_refused(classes: Path) -> None:
    """The head would no longer read what it has read; with the layer in place already it does."""
    config, source = load_config(str(classes)), str(classes)
    settings = TrainConfig(keep_head="true", pooling="mean")
    with pytest.raises(UserError, match="pooling=mean puts a layer below the head"):
        keep_head_of(settings, config, source)
    config.has_mean_layer = True
    assert keep_head_of(settings, config, source) == "true"


def test_settings_that_contradict_a_kept_head() -> None:
    """A start of its own would replace it."""
    with pytest.raises(UserError, match="replaces the head that keep_head=true keeps"):
        TrainConfig.from_hyperparameters({"keep_head": "true", "head_init": "logistic_regression"})


def test_a_head_for_one_label_is_not_kept_for_several(classes: Path) -> None:
    """Its logits were trained against each other; only a head of the same task is trained further."""
    tokenizer = load_tokenizer(str(classes))
    model = load_pretrained(str(classes), OLD, tokenizer, 64, task=Task.MULTI)
    assert not loaded_head(model).is_kept
    assert model.config.problem_type == "multi_label_classification"
    with pytest.raises(
        UserError, match="is for one label per text, and the data have several labels per text"
    ):
        load_pretrained(str(classes), OLD, tokenizer, 64, task=Task.MULTI, keep_head="true")


def test_a_head_for_several_labels_is_kept_for_several(classes: Path, tmp_path: Path) -> None:
    """The same classes and the same task: class by class, as for one label."""
    folder = tmp_path / "several"
    shutil.copytree(classes, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    tokenizer = load_tokenizer(str(folder))
    model = load_pretrained(str(folder), OLD, tokenizer, 64, task=Task.MULTI, keep_head="true")
    assert loaded_head(model).is_kept
    assert not loaded_head(load_pretrained(str(folder), OLD, tokenizer, 64)).is_kept
