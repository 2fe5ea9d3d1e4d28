"""REQUEST names the instances, or fields that only a training job has: what is checked, said and sent."""

import json

import pytest

from support.aws import BUCKET, ROLE
from support.fakes import toy_rows

TAG = "gpu-0123456789ab"
RANGE = "--hp=learning_rate=1e-5..4e-4:log"


@pytest.fixture
def ask(aws, launch, tmp_path):
    """Return a function that runs a command with fields of REQUEST, and shows the request."""
    data, extra = tmp_path / "texts.csv", tmp_path / "extra.json"
    data.write_text("\n".join(f'{label},"{text}"' for label, text in toy_rows(30)) + "\n", encoding="utf-8")
    aws.put_image("bert-classifier", TAG)

    def run(command, fields, *arguments, here=aws):
        extra.write_text(json.dumps(fields), encoding="utf-8")
        always = (
            f"--role={ROLE}",
            f"--s3-prefix=s3://{BUCKET}/mine",
            f"--train={data}",
            f"--request={extra}",
        )
        return launch(command, *always, "--dry-run", *arguments, here=here)

    return run


def on(*names, **more):
    """Return REQUEST's choice of instances."""
    return {"ResourceConfig": {"InstancePreferences": [{"InstanceType": name, **more} for name in names]}}


def test_image_and_hardware_are_judged_by_the_instances_of_the_request(ask, aws):
    """The preferred type chooses the flavour, not the default of INSTANCE_TYPE; every type must be able to run it."""
    ended = ask("train", on("ml.c5.xlarge"), "--via=boto3")
    assert ended.code == 2
    assert "bert-classifier:cpu-" in ended.err
    ended = ask("train", on("ml.c5.xlarge", "ml.g5.xlarge"), "--via=boto3", "--image-tag=cpu-1")
    assert "ml.g5.xlarge has GPUs, which the flavour cpu leaves idle" in ended.err
    labels = {
        "bert_classifier__cuda_version": "13.0", "bert_classifier__cuda_architectures": "7.5 8.0 8.6 9.0",
    }  # fmt: skip
    with aws.image_saying(**labels) as here:
        old = ask(
            "train", on("ml.g5.xlarge", "ml.p3.2xlarge"), "--via=boto3", f"--image-tag={TAG}", here=here
        )
    assert old.code == 2
    assert "no kernels for the Tesla V100" in old.err


def test_a_typed_instance_type_that_the_request_replaces_is_refused(ask):
    """Both would be a contradiction."""
    ended = ask(
        "train", on("ml.g6.xlarge"), "--via=boto3", f"--image-tag={TAG}", "--instance-type=ml.g5.xlarge"
    )
    assert ended.code == 2
    assert "INSTANCE_TYPE would do nothing: REQUEST names the instances" in ended.err


def test_the_cost_of_tuning_is_that_of_the_instances_of_the_request(ask):
    """Of the most that the choice allows."""
    fields = {
        "ResourceConfig": {
            "InstancePreferences": [
                {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1},
                {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2},
            ]
        }
    }
    arguments = ("--no-spot", f"--image-tag={TAG}", "--max-run=3600", "--hourly-price=2")
    ended = ask("tune", fields, RANGE, *arguments)
    assert ended.code == 0, ended.err
    assert "on 1 × ml.g5.xlarge or 2 × ml.g4dn.xlarge: at most 20.0 instance hours, $40.00" in ended.err


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"RemoteDebugConfig": {"EnableRemoteDebug": True}}, "RemoteDebugConfig"),
        ({"ProfilerConfig": {"DisableProfiler": False, "S3OutputPath": "s3://b/p"}}, "ProfilerConfig"),
        ({"AlgorithmSpecification": {"ContainerEntrypoint": ["a"]}}, "ContainerEntrypoint"),
    ],
)
def test_fields_that_trials_do_not_have_are_refused_before_anything_is_uploaded(ask, aws, fields, expected):
    """CreateTrainingJob has them; CreateHyperParameterTuningJob would refuse or lose them."""
    ended = ask("tune", fields, RANGE, f"--image-tag={TAG}")
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if "request:" in line]
    assert expected in line
    assert "Leave it out of REQUEST" in line
    assert aws.stored() == []


def test_tune_chooses_spot_by_its_setting(ask):
    """Not by another command."""
    ended = ask("tune", {"ResourceConfig": {"KeepAlivePeriodInSeconds": 60}}, RANGE, f"--image-tag={TAG}")
    assert "Give SPOT=false." in ended.err
    assert "make train" not in ended.err
    ended = ask("tune", {}, RANGE, f"--image-tag={TAG}", "--no-spot", "--max-wait=90000")
    assert "give SPOT=true" in ended.err
    ended = ask("tune", {"EnableManagedSpotTraining": False}, RANGE, f"--image-tag={TAG}")
    assert "EnableManagedSpotTraining belongs to SPOT, which" in ended.err


@pytest.mark.parametrize(
    ("hp", "expected"),
    [
        ("dropout=0.1..0.2", "dropout"),
        (f"{RANGE.removeprefix('--hp=')} epochs=2..3 num_train_epochs=2..4", "num_train_epochs"),
    ],
)
def test_a_mistake_in_hyperparameters_is_said_once(ask, hp, expected):
    """An unknown one, whatever its value looks like, and two names of one."""
    ended = ask("tune", {}, f"--hp={hp}", f"--image-tag={TAG}")
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if expected in line]
    assert "has no range" not in line


def test_a_field_that_no_setting_has_is_to_be_left_out(ask):
    """There is no setting to give instead."""
    ended = ask("train", {"OutputDataConfig": {"CompressionType": "NONE"}}, "--via=boto3")
    assert "Leave the field out." in ended.err
    assert "Give the setting" not in ended.err


def test_settings_of_a_new_tuning_job_beside_job_are_refused(launch):
    """JOB only shows one."""
    ended = launch("tune", "--job=a-search", "--hp=learning_rate=1e-5..4e-4", "--train=x.csv")
    assert ended.code == 2
    assert "HP would do nothing: JOB shows a tuning job" in ended.err
    assert "TRAIN would do nothing" in ended.err
