"""TrainConfig and ServeConfig: what a job's author may write, and every mistake named in one error."""

import dataclasses
import json
import logging

import pytest

from bert_classifier.errors import FAILURE_LIMIT, UserError, failure_text
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.former_names import ALIASES
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.job.settings import specs

# One legal value other than the default for each setting, as its author's Python job script holds it.
EXAMPLES = {
    "model_name": "google/electra-small-discriminator", "max_seq_length": 128, "truncation": "head_tail",
    "window_overlap": 0.5, "max_windows": 4, "num_train_epochs": 5, "learning_rate": 2e-5,
    "abstain_below": 0.75, "target_accuracy": 0.98, "max_run_seconds": 86_400, "processes_per_host": 2,
    "reproducible": "true", "num_gradient_groups": 8, "peer_timeout_seconds": 60, "warmup_ratio": 0.25,
    "weight_decay": 0.0, "max_grad_norm": 0.5, "layer_decay": 0.9, "global_batch_size": 64, "per_device_batch_size": 8,
    "gradient_accumulation_steps": 4, "max_tokens_per_micro_batch": 4096, "precision": "bf16",
    "freeze_encoder": True, "class_weights": "balanced", "early_stopping_patience": 2, "eval_steps": 100,
    "checkpoint_interval_seconds": 60, "damaged_checkpoints": "set_aside", "logging_steps": 10,
    "validation_split": 0.2, "seed": 0, "keep_weights": "last", "task": "multi", "label_threshold": 0.4,
    "multi_label_score": "mean_average_precision", "target_precision": 0.9, "pair_truncation": "only_second",
    "train_file": "part-1.csv", "validation_file": "dev.csv", "class_file": "labels.txt",
    "text_column": "Review Text", "text_pair_column": "answer", "label_column": "2",
    "label_columns": "toxic..threat", "label_separator": "|", "title_column": "title",
    "header": "false", "delimiter": ";", "encoding": "cp1252", "missing_labels": "drop",
    "page_examples": 6, "pooling": "mean", "seeds": 3, "cross_validation": 5, "head_init": "logistic_regression",
    "keep_head": "false", "revision": "v1.5",
}  # fmt: skip


def parse(raw):
    """Parse hyperparameters."""
    return TrainConfig.from_hyperparameters(raw)


def cause_of(raw):
    """Return the cause that wrong hyperparameters are refused with."""
    with pytest.raises(UserError) as caught:
        parse(raw)
    return caught.value.cause


def needed_with(name):
    """Return what a setting cannot be given without."""
    if name in ("window_overlap", "max_windows"):
        return {"truncation": "windows"}
    return {"per_device_batch_size": "2"} if name == "gradient_accumulation_steps" else {}


def test_no_hyperparameters_give_the_defaults():
    """An empty job description trains with the documented defaults."""
    config = parse({})
    assert config == TrainConfig()
    assert (config.model_name, config.max_seq_length) == ("bert-base-uncased", None)


@pytest.mark.parametrize("encode", [str, json.dumps])
@pytest.mark.parametrize("name", ["num_train_epochs", "learning_rate", "global_batch_size"])
def test_what_follows_from_the_data_is_open_until_they_are_read(name, encode):
    """Left out, or said to be "auto" in either encoding; also beside the other form of the batch."""
    assert parse({name: encode("auto")}) == parse({}) == TrainConfig()
    assert getattr(TrainConfig(), name) is None
    assert parse({name: encode("auto"), "per_device_batch_size": "4"}).resolve_global_batch_size(2) == 8
    assert parse({}).resolve_global_batch_size(8) is None
    accepted = "a whole number from" if name != "learning_rate" else "a number above 0"
    assert f"{name}='Auto' is not {accepted}" in cause_of({name: "Auto"})


def test_every_setting_has_an_example_here():
    """The table of this file covers every setting, so that a new one is tested in both encodings."""
    assert EXAMPLES.keys() == specs(TrainConfig).keys()


@pytest.mark.parametrize("encode", [str, json.dumps, lambda value: value], ids=["str", "json", "unencoded"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_value_arrives_in_both_encodings_of_the_sdk(name, encode):
    """A value is the same whether the SDK wrote it with str() or json.dumps(), or a person as plain JSON."""
    config = parse({name: encode(EXAMPLES[name]), **needed_with(name)})
    value = getattr(config, name)
    assert value == EXAMPLES[name]
    assert type(value) is type(EXAMPLES[name])
    assert value != getattr(TrainConfig(), name)


@pytest.mark.parametrize("encode", [str, json.dumps])
@pytest.mark.parametrize("name", EXAMPLES)
def test_none_leaves_the_default(name, encode):
    """None in either encoding means that the author did not set the value."""
    assert parse({name: encode(None)}) == TrainConfig()


def test_help_and_range_are_there_for_every_setting():
    """Each setting says what it is for and what it accepts: the documentation is made of that."""
    for config in (TrainConfig, ServeConfig):
        for name, spec in specs(config).items():
            assert spec.help.endswith("."), name
            assert spec.accepts, name


@pytest.mark.parametrize("config", [TrainConfig, ServeConfig])
def test_defaults_lie_in_their_own_range(config):
    """A default that its own setting refused could not be written down by its user."""
    for field in dataclasses.fields(config):
        if field.default not in (None, "", ()):
            assert field.metadata["spec"].parse(str(field.default)) == field.default


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_older_name_is_accepted_with_a_warning(old, new, caplog):
    """Each name of the older sample still works, and one warning line tells today's name."""
    with caplog.at_level(logging.WARNING):
        config = parse({old: str(EXAMPLES[new]), **needed_with(new)})
    assert getattr(config, new) == EXAMPLES[new]
    assert [record.getMessage().count(f"{old} → {new}") for record in caplog.records] == [1]


def test_todays_names_warn_of_nothing(caplog):
    """A job in today's names logs no warning."""
    parse({"seed": "1", "learning_rate": "0.1"})
    assert caplog.records == []


@pytest.mark.parametrize(
    "name",
    ["sagemaker_program", "sagemaker_submit_directory", "sagemaker_region", "_tuning_objective_metric"],
)
def test_names_added_by_the_platform_are_passed_over(name, caplog):
    """What the SDK or a tuning job adds is nobody's mistake and nobody's business."""
    assert parse({name: '"s3://bucket/x"', "seed": "3"}).seed == 3
    assert caplog.records == []


def test_a_name_and_its_alias_together_are_refused():
    """Two names for one setting leave open which value is meant."""
    assert "num_train_epochs is given twice" in cause_of({"epochs": "3", "num_train_epochs": "4"})


def test_message_uses_the_name_its_author_wrote():
    """A wrong value under an older name is reported under that name."""
    assert (
        cause_of({"lr": "fast"}) == "Hyperparameter lr='fast' is not a number above 0 and at most 1, or auto."
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("epoch", "num_train_epochs"),
        ("learnng-rate", "learning_rate"),
        ("num-train-epochs", "num_train_epochs"),
        ("max_length", "max_seq_length"),
        ("per_device_train_batch_size", "per_device_batch_size"),
        ("patience", "early_stopping_patience"),
        ("LR", "learning_rate"),
        ("maxseqln", "max_seq_length"),
        ("earlystopingpatience", "early_stopping_patience"),
        ("gradacumulation", "gradient_accumulation_steps"),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(written, meant):
    """A misspelt name, also one of the older sample, is refused with the valid name that was meant."""
    assert cause_of({written: "1"}) == f"Unknown hyperparameter '{written}', did you mean {meant}?"


def test_unknown_name_unlike_any_is_refused_without_a_guess():
    """A name that resembles nothing gets no misleading hint."""
    assert cause_of({"zzz": "1"}) == "Unknown hyperparameter 'zzz'."


def test_all_mistakes_come_in_one_error():
    """Unknown names, wrong values, a double name and a contradiction are all reported at once."""
    cause = cause_of(
        {
            "learnng_rate": "0.1",
            "seed": "-1",
            "precision": "int8",
            "freeze_encoder": "maybe",
            "weight_decay": "nan",
            "max_seq_length": "１２８",
            "eval_steps": "1_000",
            "warmup_ratio": "inf",
            "epochs": "1",
            "num_train_epochs": "1",
            "global_batch_size": "32",
            "per_device_batch_size": "8",
        }
    )
    for expected in (
        "'learnng_rate', did you mean learning_rate?",
        "seed='-1' is not a whole number from 0 to 4294967295",
        "precision='int8' is not one of auto, fp32, bf16, fp16",
        "freeze_encoder='maybe' is not true or false",
        "weight_decay='nan' is not a number from 0 to 1",
        "max_seq_length='１２８' is not",
        "eval_steps='1_000' is not",
        "warmup_ratio='inf' is not",
        "num_train_epochs is given twice",
        "both set the batch",
    ):
        assert expected in cause


def test_a_hundred_mistakes_still_fit_the_failure_file():
    """A job description full of mistakes fits SageMaker's failure text and keeps the remedy."""
    with pytest.raises(UserError) as caught:
        parse({f"unknown_{number}" * 20: "x" * 2500 for number in range(100)})
    text = failure_text(caught.value)
    assert len(text) <= FAILURE_LIMIT
    assert text.endswith("Correct the hyperparameters of the job.")


@pytest.mark.parametrize("other", ["per_device_batch_size", "gradient_accumulation_steps"])
def test_both_forms_of_the_batch_are_refused(other):
    """The batch is set by its total or by its parts, never by both."""
    cause = cause_of({"global_batch_size": "32", other: "2"})
    assert cause == f"global_batch_size and {other} both set the batch: give one of the two forms."


@pytest.mark.parametrize("name", ["num_gradient_groups", "gradient_shards"])
def test_gradient_groups_and_no_reproducibility_are_refused(name):
    """Groups that are added in a fixed order are what reproducible means; the name is the one that was written."""
    cause = cause_of({name: "4", "reproducible": "false"})
    assert cause == f"{name} implies reproducible=true: leave one of the two out."


def test_a_run_is_reproducible_on_a_cpu_and_where_it_is_asked_for():
    """By default a GPU takes the faster way, unless gradient groups are set."""
    cases: dict[str, dict[str, object]] = {
        "default": {}, "asked": {"reproducible": "true"}, "not": {"reproducible": "false"},
        "groups": {"gradient_shards": "4"},
    }  # fmt: skip
    found = {
        (name, device): TrainConfig.from_hyperparameters(given).is_reproducible(device)
        for name, given in cases.items()
        for device in ("cpu", "cuda")
    }
    assert {case for case, is_reproducible in found.items() if not is_reproducible} == {
        ("default", "cuda"), ("not", "cpu"), ("not", "cuda"),
    }  # fmt: skip


def test_both_ways_to_abstain_are_refused():
    """The threshold is given, or follows from the accuracy that is wanted."""
    cause = cause_of({"abstain_below": "0.5", "target_accuracy": "0.9"})
    assert cause.startswith("abstain_below and target_accuracy both say when to abstain")


def test_accumulation_alone_is_refused():
    """Accumulation steps without the batch they multiply say nothing."""
    assert "needs per_device_batch_size" in cause_of({"gradient_accumulation_steps": "2"})


@pytest.mark.parametrize("name", ["window_overlap", "max_windows"])
def test_settings_of_windows_need_windows(name):
    """Where texts are not cut into windows, such a setting would silently do nothing."""
    assert (
        f"{name} needs truncation=windows"
        in cause_of({name: "0.5" if name == "window_overlap" else "4"}).lower()
    )


def test_token_budget_below_the_sequence_length_is_refused():
    """A micro-batch must hold at least one text of full length; an automatic length is never below 256."""
    for length in ({}, {"max_seq_length": "256"}):
        assert "=255 is below max_seq_length=256" in cause_of({"max_tokens_per_micro_batch": "255", **length})
    assert parse({"max_tokens_per_micro_batch": "300"}).largest_seq_length == 300
    assert parse({"max_tokens_per_micro_batch": "256"}).max_tokens_per_micro_batch == 256
    assert parse({"max_tokens_per_micro_batch": "64", "max_seq_length": "64"}).max_seq_length == 64


@pytest.mark.parametrize(
    ("raw", "world_size", "batch"),
    [
        ({"global_batch_size": "48"}, 8, 48),
        ({"per_device_batch_size": "4"}, 8, 32),
        ({"per_device_batch_size": "4", "gradient_accumulation_steps": "3"}, 2, 24),
        ({"batch": "20"}, 4, 20),
        ({"batch": "20", "gradaccumulation": "2"}, 4, 160),
    ],
)
def test_global_batch_size(raw, world_size, batch):
    """The total stays what the author wrote; parts multiply with devices and accumulation steps."""
    assert parse(raw).resolve_global_batch_size(world_size) == batch


@pytest.mark.parametrize("config", [TrainConfig(), ServeConfig()])
def test_settings_are_frozen(config):
    """Settings cannot drift while a job runs."""
    name = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, None)
