"""Checks of a training job without asking AWS."""

import functools
import os
import shutil

import pytest
from botocore.exceptions import ClientError

from bert_classifier.errors import UserError
from bert_classifier.job.findings import Severity
from launcher.checks import training, workload
from launcher.commands.doctor import in_numbers
from launcher.findings import examine, fail, ok, refuse_failures, table, warn
from launcher.settings.training import TrainSettings

KNOWN = ["ml.g5.xlarge", "ml.m5.xlarge", "ml.trn1.2xlarge"]


def worst(findings):
    """Return the sentence of the first finding that is not in order, or nothing."""
    return next((finding.message for finding in findings if finding.severity is not Severity.OK), "")


def checked(settings, known):
    """Return the findings about instance type and count."""
    return [*workload.check_instance(settings, known, "training"), *training.check_count(settings)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ""),
        ({"instance_type": "ml.m5.xlarge"}, ""),
        ({"instance_type": "ml.g5.xlarg"}, "SageMaker has no 'ml.g5.xlarg' for training"),
        ({"instance_type": "ml.trn1.2xlarge"}, "Neuron cores"),
        ({"flavour": "cpu"}, "GPUs, which the flavour cpu leaves idle"),
        ({"instance_type": "ml.m5.xlarge", "instance_count": 2}, "mostly wait for each other"),
    ],
)
def test_an_instance_type_is_checked_against_the_image(settings, expected):
    """Spelling, kind of accelerator, flavour."""
    assert expected in worst(checked(TrainSettings(**settings), KNOWN))
    assert bool(expected) == bool(worst(checked(TrainSettings(**settings), KNOWN)))


@pytest.mark.parametrize(
    ("hp", "expected"),
    [
        ((), "0 given; epochs by the data, batch by the data, learning rate by the encoder"),
        (
            (("lr", "1e-4"), ("epochs", "auto")),
            "2 given; epochs by the data, batch by the data, learning rate 0.0001",
        ),
        (
            (("per_device_batch_size", "8"),),
            "1 given; epochs by the data, batch 8 per device, learning rate by the encoder",
        ),
        (
            (("num_train_epochs", "2"), ("global_batch_size", "64")),
            "epochs 2, batch 64, learning rate by the encoder",
        ),
    ],
)
def test_what_the_job_will_choose_is_not_guessed(hp, expected):
    """Epochs, batch and learning rate follow from data that only the job reads."""
    finding, *_ = training.check_hyperparameters(TrainSettings(hp=hp, instance_count=2))
    assert finding.message.endswith(expected)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"instance_type": "ml.g5.48xlarge"}, "8 GPUs that share 32 texts per step get 1024 tokens each"),
        ({"instance_type": "ml.g5.12xlarge", "instance_count": 2}, "8 GPUs"),
        ({"instance_type": "ml.g5.xlarge", "instance_count": 4}, "4 GPUs"),
        ({"instance_type": "ml.p5.48xlarge", "hp": (("per_device_batch_size", "8"),)}, "share 64 texts"),
        ({"instance_type": "ml.p5.48xlarge", "hp": (("global_batch_size", "256"),)}, ""),
        ({"instance_type": "ml.g4dn.12xlarge", "hp": (("max_seq_length", "512"),)}, ""),
        ({"instance_type": "ml.g5.48xlarge", "hp": (("truncation", "windows"),)}, ""),
        ({"instance_type": "ml.g5.48xlarge", "hp": (("processes_per_host", "1"),)}, ""),
        ({"instance_type": "ml.g5.16xlarge"}, ""),
        ({"instance_type": "ml.m5.xlarge", "hp": (("processes_per_host", "8"),)}, ""),
    ],
)
def test_a_batch_that_is_small_for_the_gpus_is_doubted(settings, expected):
    """The warning names the GPUs of all instances; where the longest texts might keep them busy there is none."""
    findings = list(training.check_hyperparameters(TrainSettings(**settings)))
    assert expected in worst(findings)
    assert bool(expected) == bool(worst(findings))


@pytest.mark.parametrize(
    ("count", "hp", "expected"),
    [
        (1, (), "; or a larger global_batch_size, up to 256, with"),
        (1, (("per_device_batch_size", "8"),), " in place of per_device_batch_size, up to 256, with"),
        (4, (("global_batch_size", "256"),), "Take fewer GPUs."),
    ],
)
def test_the_larger_batch_is_bounded_and_can_be_set(count, hp, expected):
    """Past eight times the largest automatic batch, only fewer GPUs help; two forms of a batch are refused."""
    settings = TrainSettings(instance_type="ml.p5.48xlarge", instance_count=count, hp=hp)
    (finding,) = training.check_batch(settings)
    assert expected in finding.remedy
    assert ("global_batch_size" in finding.remedy) == (expected != "Take fewer GPUs.")


@pytest.mark.parametrize(
    ("max_wait", "spot", "is_wrong"),
    [
        (None, True, False),
        (101, True, False),
        (100, True, False),
        (99, True, True),
        (None, False, False),
        (200, False, True),
    ],
)
def test_waiting_takes_at_least_as_long_as_running(max_wait, spot, is_wrong):
    """MAX_WAIT counts both, for spot instances only; equal values leave no time to wait, but the API takes them."""
    settings = TrainSettings(max_run=100, max_wait=max_wait, typed=frozenset({"max_wait"}))
    assert bool(worst(training.check_times(settings, spot=spot))) == is_wrong


@pytest.mark.parametrize(
    ("settings", "channels", "expected"),
    [
        ({}, [], ""),
        ({"subnets": ("subnet-1",)}, ["model"], "go together"),
        ({"network_isolation": True}, ["train"], "cannot download its encoder"),
        ({"network_isolation": True}, ["train", "model"], ""),
        (
            {"subnets": ("subnet-1",), "security_group_ids": ("sg-1",)},
            ["train"],
            "the VPC needs a route to it",
        ),
        ({"encrypt_traffic": True}, [], "does nothing for one instance"),
    ],
)
def test_network_settings_that_contradict_each_other_are_reported(settings, channels, expected):
    """VPC, isolation, encoder, encryption."""
    found = worst(training.check_network(TrainSettings(**settings), channels))
    assert expected in found
    assert bool(expected) == bool(found)


@pytest.mark.parametrize(
    ("hp", "expected"),
    [
        ((), ""),
        ((("seed", "1"),), ""),
        ((("max_run_seconds", "1"),), "follows from MAX_RUN"),
        ((("sed", "1"),), "did you mean seed?"),
    ],
)
def test_hyperparameters_are_checked_as_the_job_checks_them(hp, expected):
    """With the image's own parser."""
    settings = TrainSettings(hp=hp)
    found = worst(examine("hyperparameters", lambda: training.check_hyperparameters(settings)))
    assert expected in found
    assert bool(expected) == bool(found)


def test_an_encoder_of_this_machine_is_looked_at_before_it_is_uploaded(pretrained, tmp_path):
    """Its files and its longest text, as the job itself will look at them; a good one is not spoken of."""
    model = tmp_path / "model"
    shutil.copytree(pretrained, model)

    def found(**hyperparameters: str) -> str:
        settings = TrainSettings(model=str(model), hp=tuple(hyperparameters.items()))
        return worst(training.check_hyperparameters(settings))

    assert found(max_seq_length="512") == ""
    assert "max_seq_length=513 is more than the 512 tokens" in found(max_seq_length="513")
    (model / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert "holds an adapter (adapter_config.json) beside the weights of its model" in found()
    os.truncate(model / "model.safetensors", 30_000)
    assert "is damaged: model.safetensors: it has 30000 bytes instead of" in found()


def test_the_job_gets_its_time_limit():
    """So that it saves in time."""
    assert TrainSettings(max_run=600).hyperparameters == {"max_run_seconds": "600"}


def test_reserved_tags_are_reported():
    """AWS keeps aws: to itself."""
    assert "aws:x" in worst(workload.check_tags(TrainSettings(tags=(("aws:x", "1"),))))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"bert-classifier:made-by": "me"}, "bert-classifier:made-by is the launcher's own tag"),
        ({"bert-classifier:made-by": "launcher"}, ""),
        (dict.fromkeys(map(str, range(49)), "v"), ""),
        (
            dict.fromkeys(map(str, range(50)), "v"),
            "with the launcher's own, bert-classifier:made-by, there are 51",
        ),
        (dict.fromkeys(map(str, range(60)), "v"), "there are 61 tags"),
        ({**dict.fromkeys(map(str, range(49)), "v"), "bert-classifier:made-by": "launcher"}, ""),
    ],
)
def test_the_launcher_s_own_tag_is_neither_replaced_nor_crowded_out(tags, expected):
    """What is without it would be left alone by clean-up; tags that an endpoint has already are no mistake."""
    pairs = tuple(tags.items())
    found = [one.message for one in workload.check_tags(TrainSettings(tags=pairs, given=frozenset({"tags"})))]
    assert (len(found), all(expected in message for message in found)) == (bool(expected), True), found
    assert list(workload.check_tags(TrainSettings(tags=pairs))) == []


def test_failures_are_reported_together_and_the_rest_stops_nothing():
    """One error for all that is wrong; doubts alone pass."""
    refuse_failures([ok("a", "fine"), warn("b", "odd")])
    with pytest.raises(UserError) as caught:
        refuse_failures(
            [fail("a", "is bad", "Mend it."), warn("b", "odd"), fail("c", "is worse", "Leave it.")]
        )
    assert "2 checks failed" in str(caught.value)
    assert "a: is bad. Mend it." in str(caught.value)
    assert "odd" not in str(caught.value)
    assert (
        table([ok("a", "fine"), warn("bb", "odd", "Look.")])
        == "OK    a   fine\nWARN  bb  odd\n          → Look."
    )


def test_a_wait_that_the_file_names_for_spot_jobs_does_not_stop_another_job():
    """The file serves `train-spot` as well."""
    assert worst(training.check_times(TrainSettings(max_run=100, max_wait=200), spot=False)) == ""


def test_an_image_of_ones_own_may_be_built_for_other_accelerators():
    """That of this project is not: a doubt about the one, a refusal of the other."""
    (own,) = workload.check_host(TrainSettings(instance_type="ml.trn1.2xlarge"))
    (foreign,) = workload.check_host(TrainSettings(instance_type="ml.trn1.2xlarge", image_uri="1.dkr/x:y"))
    assert (own.severity, foreign.severity) == (Severity.ERROR, Severity.WARNING)


def test_remedies_do_not_lead_to_the_next_refusal():
    """FLAVOUR=gpu has no kernels for old GPUs; a type that is real, but not to be had, is not a typo of another one."""
    (old,) = workload.check_host(TrainSettings(instance_type="ml.p3.2xlarge", flavour="cpu"))
    assert old.remedy == "Give an instance without GPU, or a newer GPU with FLAVOUR=gpu."
    known = ["ml.p2.8xlarge", "ml.g5.xlarge", "ml.g5.2xlarge"]
    (absent,) = checked(TrainSettings(instance_type="ml.p6-b200.48xlarge"), known)
    assert absent.remedy == "Give one that SageMaker has for training."
    (typo,) = checked(TrainSettings(instance_type="ml.g5.2xlarg"), known)
    assert typo.remedy == "Did you mean ml.g5.2xlarge?"


def test_what_a_check_has_found_stays_found_when_its_next_step_may_not_look():
    """A failure is not washed away by a permission that is wanting; what a request needs is then a failure itself."""
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")
    slow = ClientError({"Error": {"Code": "SlowDown", "Message": "slow"}}, "ListObjectsV2")

    def check(error):
        yield fail("output", "lies among the texts", "Give another.")
        raise error

    assert [found.severity for found in examine("output", lambda: check(denied))] == [
        Severity.ERROR,
        Severity.WARNING,
    ]
    for error in (denied, slow):
        found = examine("data", functools.partial(check, error), "Name them.")
        assert [one.severity for one in found] == [Severity.ERROR, Severity.ERROR]
        assert found[1].remedy.endswith("Name them.")


@pytest.mark.parametrize(
    ("hp", "channels", "expected"),
    [
        ({}, ["train"], []),
        ({"seeds": "3"}, ["train", "validation"], ["trains 3 models one after the other; MAX_RUN=600"]),
        ({"cross_validation": "5"}, ["train"], ["trains 6 models one after the other; MAX_RUN=600"]),
        ({"cross_validation": "5"}, ["train", "validation"], ["has a validation channel", "trains 6 models"]),
    ],
)
def test_several_trainings_are_announced_before_they_are_paid_for(hp, channels, expected):
    """With the time limit that holds for all of them; what cross-validation would not use is refused."""
    settings = TrainSettings(hp=tuple(hp.items()), max_run=600)
    found = list(training.check_trainings(settings, channels))
    assert len(found) == len(expected)
    assert all(part in finding.message for part, finding in zip(expected, found, strict=True))
    assert [finding.severity is Severity.ERROR for finding in found] == [
        "channel" in part for part in expected
    ]


def test_the_doctor_counts_as_one_says_it():
    """One failure is no failures."""
    assert in_numbers([ok("a", "fine"), fail("b", "bad", "Mend it.")]) == "1 OK, 0 warnings, 1 failure"
    assert in_numbers([warn("a", "odd"), *[fail("b", "bad", "")] * 2]) == "0 OK, 1 warning, 2 failures"
