"""What the emulator calls a fault: of files, instructions, places, merges; and of the profile it is given."""

import json
import os
from pathlib import Path

import pytest

from sagemaker_emulator.checks import CHECKS, GROUPS
from sagemaker_emulator.command import main
from sagemaker_emulator.host_checks import judge_merge
from sagemaker_emulator.hosting import models_fault
from sagemaker_emulator.image_checks import (
    entrypoint_fault,
    judge_manifest,
    judge_reserved,
    trap_instructions,
)
from sagemaker_emulator.instance import Instance, artifact_faults, largest_digest
from sagemaker_emulator.job import Job, JobError, Profile
from sagemaker_emulator.level import Level
from sagemaker_emulator.schedule import BASE, PARTS, START
from sagemaker_emulator.training_checks import ballast_of, strays


@pytest.fixture
def job_dir(tmp_path):
    """Return a job's folder with one channel and two hyperparameters."""
    (tmp_path / "input" / "data" / "train").mkdir(parents=True)
    (tmp_path / "input" / "config").mkdir()
    settings = {"name": "bert", "epochs": "3"}
    (tmp_path / "input" / "config" / "hyperparameters.json").write_text(json.dumps(settings))
    return tmp_path


def test_every_check_is_decided_by_one_part():
    """No check of the catalogue is forgotten, none is decided twice, each belongs to a group and has a remedy."""
    decided = [name for part in (BASE, START, *PARTS) for name in part.checks]
    assert sorted(decided) == sorted(CHECKS)
    assert {check.group for check in CHECKS.values()} == set(GROUPS)
    assert all(check.remedy.endswith(".") and check.platform for check in CHECKS.values())


def test_a_sound_artifact_has_no_faults(tmp_path):
    """Regular files that anybody may read."""
    (tmp_path / "model.bin").write_bytes(b"1")
    assert artifact_faults(tmp_path) == []


def test_each_fault_of_an_artifact_is_named(tmp_path):
    """Links, pipes, private files, files of a file manager, nothing at all; only what packs badly is grave."""
    assert list(map(str, artifact_faults(tmp_path))) == ["the folder is empty"]
    inner = tmp_path / "export"
    inner.mkdir()
    (inner / "a").symlink_to("b")
    os.mkfifo(inner / "pipe")
    (inner / "secret").write_bytes(b"1")
    (inner / "secret").chmod(0o600)
    (inner / "._b").write_bytes(b"1")
    assert [(str(fault), fault.is_grave) for fault in artifact_faults(tmp_path)] == [
        ("export/._b belongs to a file manager", False),
        ("export/a is a link", True),
        ("export/pipe is not a regular file", True),
        ("export/secret has mode 600", False),
    ]


def test_a_model_may_be_named_like_a_checkpoint(tmp_path):
    """Only what lies beside a model is ballast; a model that a framework calls model.ckpt is none."""
    (tmp_path / "model.ckpt").write_bytes(b"0" * 1000)
    (tmp_path / "labels.txt").write_bytes(b"0" * 10)
    assert ballast_of(tmp_path) == []
    (tmp_path / "model.safetensors").write_bytes(b"0" * 1000)
    assert ballast_of(tmp_path) == [Path("model.ckpt")]


@pytest.mark.parametrize(
    ("members", "holds", "level"),
    [
        ([], True, Level.PRACTICE),
        (["ml/code/train.py"], True, Level.PRACTICE),  # where AWS' training toolkit wants it
        (["ml/code/train.py", "ml/program/x"], False, Level.PRACTICE),
        (["ml/code/train.py", "ml/model/weights"], False, Level.COSTS),  # a mount hides it
    ],
)
def test_only_what_a_mount_hides_is_lost(members, holds, level):
    """Files of an image below /opt/ml: the toolkit's code belongs there, and what is hidden costs."""
    found = judge_reserved(members)
    assert (found[0], found[2]) == (holds, level)


@pytest.mark.parametrize(
    ("media_type", "holds"),
    [
        ("application/vnd.docker.distribution.manifest.v2+json", True),
        ("application/vnd.oci.image.manifest.v1+json", False),
        ("application/vnd.oci.image.index.v1+json", False),
    ],
)
def test_every_manifest_but_dockers_is_refused(media_type, holds):
    """CreateModel takes neither OCI's index nor its manifest."""
    image = {"Descriptor": {"mediaType": media_type}}
    assert judge_manifest(image, has_containerd_store=True) == (holds, media_type)
    assert judge_manifest({}, has_containerd_store=False)[0]
    assert not judge_manifest({}, has_containerd_store=True)[0]


def test_the_weights_are_the_largest_file(tmp_path):
    """What two trainings are compared by does not depend on small files that name times or machines."""
    (tmp_path / "weights").write_bytes(b"0" * 100)
    (tmp_path / "info.json").write_text("now")
    before = largest_digest(tmp_path)
    (tmp_path / "info.json").write_text("later")
    assert largest_digest(tmp_path) == before
    assert before[0] == "weights"


@pytest.mark.parametrize(
    ("entrypoint", "fault"),
    [
        ([], ""),
        (["python", "/program.py"], ""),
        (["/entry.sh"], ""),
        (["/bin/sh", "-c", "python /program.py"], "shell form"),
        (["/usr/bin/tini", "--"], "tini starts it"),
    ],
)
def test_entrypoints_are_judged(entrypoint, fault):
    """Shell form loses the words, an init program takes them for a program's name; exec form is fine."""
    assert fault in entrypoint_fault(entrypoint)
    assert bool(entrypoint_fault(entrypoint)) == bool(fault)


def test_instructions_that_mean_something_else_are_named():
    """VOLUME, HEALTHCHECK, STOPSIGNAL, ONBUILD; a check that was switched off and the usual signal do not count."""
    harmless = {"Healthcheck": {"Test": ["NONE"]}, "StopSignal": "SIGTERM", "Volumes": None, "OnBuild": None}
    assert trap_instructions(harmless) == []
    harmful = {
        "Healthcheck": {"Test": ["CMD", "true"]},
        "StopSignal": "SIGINT",
        "Volumes": {"/opt/ml/model": {}},
        "OnBuild": ["RUN x"],
    }
    assert trap_instructions(harmful) == [
        "VOLUME /opt/ml/model",
        "HEALTHCHECK",
        "STOPSIGNAL SIGINT",
        "ONBUILD",
    ]


def test_only_writes_elsewhere_are_strays():
    """Mounts, their parents, scratch and bytecode are fine; the deepest path of anything else is named."""
    mounts = ["/opt", "/opt/ml", "/opt/ml/model", "/opt/ml/output/data"]
    scratch = ["/tmp", "/tmp/x", "/dev/shm/y", "/opt/program/__pycache__/b"]
    assert strays([*mounts, *scratch]) == []
    elsewhere = ["/opt/ml/cache", "/var/lib", "/var/lib/cache", "/var/lib/cache/x"]
    assert strays([*mounts, *elsewhere, *scratch]) == ["/opt/ml/cache", "/var/lib/cache/x"]


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, b'{"models": []}', ""),
        (200, b"", "not JSON"),
        (200, b"[]", "no list models"),
        (200, b'{"models": 3}', "no list models"),
        (404, b"", "status 404"),
        (0, b"", "status missing"),
    ],
)
def test_a_multi_model_server_lists_its_models(status, body, fault):
    """A 200 alone is not enough: the answer is an object with a list."""
    found = models_fault(status, body)
    assert fault in found
    assert bool(found) == bool(fault)


def test_hosts_may_not_write_the_same_file(tmp_path):
    """One writer, or other names: fine; the same name twice, or nothing at all: not."""
    folders = [tmp_path / host for host in ("algo-1", "algo-2")]
    for folder in folders:
        folder.mkdir()
    assert judge_merge(folders)[0] is False
    (folders[0] / "model").write_bytes(b"1")
    assert judge_merge(folders) == (True, "1 + 0 files")
    (folders[1] / "model").write_bytes(b"1")
    assert judge_merge(folders) == (False, "every host wrote model")


def test_an_instance_is_laid_out_as_sagemaker_does(tmp_path, job_dir):
    """Strings only, no content type, no instance groups on one host; on two the hosts as given, with groups."""
    job = Job.read(job_dir, Profile())
    alone = Instance(tmp_path / "alone", job.channels, job.hyperparameters)
    config = {path.name: json.loads(path.read_text()) for path in (tmp_path / "alone" / "config").iterdir()}
    assert config["hyperparameters.json"] == {"name": "bert", "epochs": "3"}
    assert "ContentType" not in config["inputdataconfig.json"]["train"]
    assert "instance_groups" not in config["resourceconfig.json"]
    assert f"--volume={job_dir}/input/data/train:/opt/ml/input/data/train:ro" in alone.volumes()
    Instance(tmp_path / "second", job.channels, {}, "algo-2", ("algo-2", "algo-1"))
    resources = json.loads((tmp_path / "second" / "config" / "resourceconfig.json").read_text())
    assert (resources["current_host"], resources["hosts"]) == ("algo-2", ["algo-2", "algo-1"])
    assert resources["instance_groups"][0]["hosts"] == ["algo-2", "algo-1"]


def test_files_for_their_owner_alone_are_noticed(job_dir):
    """Another user can read a job only when each of its files and folders is open to all."""
    (job_dir / "input" / "data" / "train" / "rows.csv").write_text("1,2")
    job = Job.read(job_dir, Profile())
    (job_dir / "input" / "data" / "train" / "rows.csv").chmod(0o644)
    (job_dir / "input" / "data" / "train").chmod(0o755)
    assert job.is_open_to_all
    (job_dir / "input" / "data" / "train" / "rows.csv").chmod(0o600)
    assert not job.is_open_to_all


def test_what_nobody_names_is_guessed(job_dir):
    """The train channel, a number that becomes a word, a number after `epoch` or `step`."""
    job = Job.read(job_dir, Profile())
    assert job.required_channel == "train"
    assert job.bad_hyperparameters == {"epochs": "not-a-number"}
    assert job.progress_in(b"Epoch 3/10\nglobal_step: 17 loss 2\nsteps left 9") == [3, 17]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"payload": {}}', "did you mean payloads"),
        ('{"nobody": {}}', "it knows hyperparameters"),
        ('{"hyperparameters": {"a": 1}}', "must be strings"),
        ('{"checkpoints": "no"}', "must be a JSON true or false"),
        ("[]", "does not hold a JSON object"),
        ("{", "is not valid JSON"),
        ('{"progress": "step"}', "exactly one group"),
        ('{"progress": "("}', "not a regular expression"),
        ('{"required_channel": "test"}', "is not a channel"),
        ('{"payloads": {"none.csv": "text/csv"}}', "Cannot read the payload"),
    ],
)
def test_a_wrong_profile_is_named(job_dir, text, message):
    """One sentence that names the entry and what is wrong with it."""
    (job_dir / "profile.json").write_text(text)
    with pytest.raises(JobError, match=message):
        Job.read(job_dir, Profile.read(job_dir / "profile.json"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No job to train with"),
        (["--job", "/nonexistent"], "There is no folder /nonexistent/input/data"),
        (["--only", "serve", "--model", "/nonexistent"], "There is no folder /nonexistent"),
        (["--role", "serve", "--job", "."], "No model to serve: name its folder with --model"),
        (["--job", ".", "--profile", "/nonexistent.json"], "Cannot read /nonexistent.json"),
    ],
)
def test_what_cannot_be_rehearsed_is_named(arguments, message, capsys):
    """Before any engine is asked: exit code 2 and one sentence."""
    assert main(["some-image", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_without_an_engine_that_is_named(job_dir, monkeypatch, capsys):
    """No docker command, or none that answers: exit code 2 and what to do."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["some-image", "--job", str(job_dir)]) == 2
    assert "This machine has no docker command" in capsys.readouterr().err
