"""Ranges in HP: which values are ranges, what they become, and that the image accepts every value in them."""

import pytest

from bert_classifier.job.config import TrainConfig
from bert_classifier.job.settings import specs
from launcher.settings.ranges import Range, looks_like_range, ranges_of, trials_to_check

SPECS = specs(TrainConfig)


def is_value(name: str, text: str) -> bool:
    """Whether a hyperparameter accepts a text as it is."""
    try:
        SPECS[name].parse(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("value", "kind", "values", "scale"),
    [
        ("learning_rate=1e-5..4e-4:log", "Continuous", ("1e-5", "4e-4"), "Logarithmic"),
        ("learning_rate=.00001..0.001", "Continuous", (".00001", "0.001"), "Auto"),
        ("warmup_ratio=0..0.3:linear", "Continuous", ("0", "0.3"), "Linear"),
        ("layer_decay=0.7..0.99:reverselog", "Continuous", ("0.7", "0.99"), "ReverseLogarithmic"),
        ("num_train_epochs=2..6", "Integer", ("2", "6"), "Auto"),
        ("epochs=2..6:log", "Integer", ("2", "6"), "Logarithmic"),
        ("pooling=cls|mean", "Categorical", ("cls", "mean"), ""),
        ("global_batch_size=16|32|auto", "Categorical", ("16", "32", "auto"), ""),
        ("freeze_encoder=true|false", "Categorical", ("true", "false"), ""),
        ("model_name=bert-base-uncased|org/other", "Categorical", ("bert-base-uncased", "org/other"), ""),
    ],
)
def test_a_range_is_read(value, kind, values, scale):
    """By the type of the hyperparameter, under the name that it was given."""
    name, _, text = value.partition("=")
    assert ranges_of([(name, text)]) == ([Range(name, kind, values, scale)], {}, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("learning_rate=1e-5..", "has the end '', which is not a number above 0 and at most 1"),
        ("learning_rate=0..1e-4", "has the end '0', which is not a number above 0"),
        ("learning_rate=1e-4..1e-5", "does not end above its beginning"),
        ("learning_rate=1e-5..1e-4:exp", "has an unknown scale: give :log, :linear or :reverselog"),
        ("learning_rate=1e-5..1e-4:", "has an unknown scale"),
        ("weight_decay=0..0.1:log", "begins at 0, which has no logarithm"),
        ("layer_decay=0.5..1:reverselog", "leaves [0, 1)"),
        ("num_train_epochs=2.5..6", "has the end '2.5', which is not a whole number from 1 to 10000"),
        (
            "learning_rate=1e-5...4e-4:log",
            "has three dots: put two between the ends, and a 0 before the point",
        ),
        ("warmup_ratio=0...3", "has three dots"),
        ("num_train_epochs=2..6..8", "which is not a whole number"),
        ("pooling=cls|max", "has the option 'max', which is not one of auto, cls, mean"),
        ("pooling=cls|cls", "names an option twice"),
        ("seed=" + "|".join(map(str, range(31))), "has more than 30 options"),
        ("validation_split=0.1..0.3", "cannot be tuned: scores on other texts could not be compared"),
        ("max_run_seconds=10|20", "cannot be tuned: it is not what the model learns by"),
        ("header=true|false", "cannot be tuned: it says how the data are read"),
    ],
)
def test_what_is_wrong_with_a_range_is_said(value, expected):
    """In one sentence that names it."""
    name, _, text = value.partition("=")
    ranges, fixed, (mistake,) = ranges_of([(name, text)])
    assert (ranges, fixed) == ([], {})
    assert mistake.startswith(name)
    assert expected in mistake


@pytest.mark.parametrize(
    "value",
    [
        "delimiter=|",
        "text_column=a|b",
        "text_column=a..b",
        "class_file=a|b",
        "learning_rate=1e-4",
        "nam=1..2",
    ],
)
def test_what_a_hyperparameter_accepts_as_it_is_stays_a_value(value):
    """So does what is no hyperparameter, which another check refuses."""
    name, _, text = value.partition("=")
    assert ranges_of([(name, text)]) == ([], {name: text}, [])


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("text", ["a|b", "1|2", "1..2", "0.1..0.2:log", "|", ".."])
def test_no_hyperparameter_that_can_be_tuned_accepts_a_range_as_its_value(name, text):
    """So nothing that trains a job today means something else in a tuning job; hub names have no `|`."""
    assert not (looks_like_range(name, text) and name != "model_name" and is_value(name, text))


def test_all_ends_are_tried_in_every_combination():
    """Few enough of them: 2 × 2 × 3; of too many, each end at least once."""
    few = [
        Range("learning_rate", "Continuous", ("1e-5", "1e-4"), "Auto"),
        Range("num_train_epochs", "Integer", ("2", "6"), "Auto"),
        Range("truncation", "Categorical", ("head", "head_tail", "windows")),
    ]
    assert len(trials_to_check(few)) == 12
    many = [Range(f"a{number}", "Integer", ("1", "2"), "Auto") for number in range(20)]
    tried = trials_to_check(many)
    assert len(tried) < 1100
    assert {(name, value) for one in tried for name, value in one.items()} == {
        (one.name, value) for one in many for value in one.values
    }


def test_the_image_accepts_what_a_tuning_job_sends():
    """Strings, quoted or not, exponents as Java writes them, and SageMaker's own hyperparameter."""
    sent = {
        "learning_rate": "1.2345678901234567E-4", "num_train_epochs": "3", "pooling": '"cls"', "weight_decay": "0.0",
        "truncation": "head_tail", "freeze_encoder": '"true"', "_tuning_objective_metric": "validation_macro_f1",
    }  # fmt: skip
    config = TrainConfig.from_hyperparameters(sent)
    assert (config.learning_rate, config.num_train_epochs, config.pooling) == (
        1.2345678901234567e-4,
        3,
        "cls",
    )
    assert (config.truncation, config.freeze_encoder) == ("head_tail", True)
