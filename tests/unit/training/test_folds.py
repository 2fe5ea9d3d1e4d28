"""The folds of a cross-validation: who judges what, with which recipe."""

import numpy as np
import pytest

from bert_classifier.job.config import TrainConfig
from bert_classifier.training.batching import Split
from bert_classifier.training.folds import (
    assign_folds,
    fold_of,
    judging_train,
    recipe_of_fold,
    without_validation,
)
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.recipe import choose_recipe
from support.fakes import make_pretrained
from support.toy_trainer import make_split


@pytest.mark.parametrize("counts", [[60, 30, 10], [7, 7, 7], [50, 3, 1], [1, 1, 1, 1, 1]])
@pytest.mark.parametrize("folds", [2, 5])
def test_every_class_is_spread_over_the_folds(counts: list[int], folds: int) -> None:
    """Of each class, the folds have as many texts as its share, or one more; in all they differ by one at most."""
    targets = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    assigned = assign_folds(targets, folds, seed=7)
    per_class = np.array([np.bincount(assigned[targets == c], minlength=folds) for c in range(len(counts))])
    assert per_class.sum(axis=1).tolist() == counts
    assert np.ptp(per_class, axis=1).max() <= 1
    assert np.ptp(per_class.sum(axis=0)) <= 1


def test_folds_are_a_function_of_the_seed() -> None:
    """Equal for equal seeds, since every rank and every attempt makes them; others for another seed."""
    targets = np.arange(200) % 4
    same = [assign_folds(targets, 5, seed) for seed in (1, 1, 2)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """Return the data of a job, in windows of several per text."""
    folder = tmp_path_factory.mktemp("encoder")
    make_pretrained(folder)
    config = TrainConfig(max_seq_length=16, truncation="windows", max_windows=4)
    split = make_split(folder, 20, config=config)
    assert split.encoded.bounds is not None
    return PreparedData(("a", "b", "c"), None, {"train": split, "test": split}, {"train": "f", "test": "t"})


def texts_of(split: Split) -> list[tuple[int, list[list[int]]]]:
    """Return target and token ids by window of each text."""
    encoded, found = split.encoded, []
    for text, target in enumerate(split.targets.tolist()):
        windows, _ = encoded.windows_of(np.array([text]))
        ids = [encoded.ids[encoded.offsets[w] : encoded.offsets[w + 1]].tolist() for w in windows]
        found.append((target, ids))
    return found


def test_a_fold_is_trained_on_what_it_does_not_judge(prepared: PreparedData) -> None:
    """Both parts have their own texts with all their windows, in the order of the file."""
    everything = texts_of(prepared.splits["train"])
    is_judged = np.arange(20) % 4 == 1
    data = fold_of(prepared, is_judged)
    assert texts_of(data.splits["validation"]) == everything[1::4]
    assert texts_of(data.splits["train"]) == [t for n, t in enumerate(everything) if n % 4 != 1]
    assert len({*data.fingerprints.values(), *prepared.fingerprints.values()}) == 4


def test_the_exported_model_has_all_texts_and_judges_none(prepared: PreparedData) -> None:
    """The job reports about the training texts, which its own model does not judge."""
    data = without_validation(prepared)
    assert texts_of(data.splits["train"]) == texts_of(prepared.splits["train"])
    assert len(data.splits["validation"].targets) == 0
    job = judging_train(prepared)
    assert list(job.splits) == ["train", "validation", "test"]
    assert job.splits["validation"] is job.splits["train"]
    assert job.fingerprints == {"train": "f", "validation": "f", "test": "t"}


def test_a_fold_has_the_recipe_and_nearly_the_steps_of_the_exported_model() -> None:
    """210 texts want batches of 16, the 168 of a fold alone would get 8; epochs set by hand stay."""
    automatic = TrainConfig(cross_validation=5)
    recipe = choose_recipe(automatic, num_texts=210, width=384, world_size=1)
    steps = recipe.total_steps(recipe.global_batch_size)
    config = recipe_of_fold(automatic, recipe, steps, 168)
    own = choose_recipe(config, num_texts=168, width=384, world_size=1)
    assert (own.global_batch_size, own.learning_rate) == (recipe.global_batch_size, recipe.learning_rate)
    assert abs(own.total_steps(own.global_batch_size) - steps) <= -(-168 // own.global_batch_size) / 2
    by_hand = TrainConfig(cross_validation=5, num_train_epochs=3)
    recipe = choose_recipe(by_hand, num_texts=210, width=384, world_size=1)
    assert recipe_of_fold(by_hand, recipe, 42, 168).num_train_epochs == 3
