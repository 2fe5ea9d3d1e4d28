"""What the container reads of SageMaker's files: the job's description, its hosts and its channels."""

import json

import pytest

from bert_classifier.errors import PlatformError, UserError
from bert_classifier.job.environment import Environment, clear_failure, ml_root, write_failure


@pytest.fixture
def root(tmp_path):
    """Return a tree with a train channel and no description of the job."""
    train = tmp_path / "input" / "data" / "train"
    train.mkdir(parents=True)
    (train / "train.csv").write_text('1,"","text"\n')
    (tmp_path / "input" / "config").mkdir()
    return tmp_path


def describe(root, name, content):
    """Write one of the job's JSON files, from a value or as text or bytes."""
    raw = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    (root / "input" / "config" / f"{name}.json").write_bytes(raw)


def refusal(root):
    """Return the sentence with which the tree is refused."""
    with pytest.raises(UserError) as caught:
        Environment.read(root, {})
    assert caught.value.remedy
    return caught.value.cause


def test_complete_description(ml_root):
    """Hyperparameters, channels, host, interface, instance type and job name are read from their files."""
    environment = Environment.read(ml_root, {"TRAINING_JOB_NAME": "job-1"})
    assert environment.hyperparameters["max_seq_length"] == "64"
    assert set(environment.channels) == {"train", "validation", "test", "model", "class"}
    assert (environment.hosts, environment.current_host, environment.host_rank) == (("algo-1",), "algo-1", 0)
    assert (environment.network_interface, environment.instance_type) == ("lo", "local")
    assert environment.job_name == "job-1"


def test_tree_without_any_description_is_one_host_with_defaults(root):
    """Without the JSON files there are no hyperparameters, one host, and the folders as channels."""
    environment = Environment.read(root, {})
    assert environment.hyperparameters == {}
    assert (environment.hosts, environment.current_host, environment.job_name) == (
        ("localhost",),
        "localhost",
        "",
    )
    assert list(environment.channels) == ["train"]


def test_folder_that_is_no_tree_is_refused(tmp_path):
    """A folder without `input` is no job; the remedy names ML_ROOT."""
    with pytest.raises(UserError, match="There is no folder") as caught:
        Environment.read(tmp_path / "nowhere", {})
    assert "ML_ROOT" in caught.value.remedy


def test_paths_below_the_root(root):
    """Every output has the place that SageMaker collects it from."""
    environment = Environment.read(root, {})
    assert environment.model_dir == root / "model"
    assert environment.output_dir == root / "output" / "data"


def test_ml_root_comes_from_the_environment_or_is_opt_ml(tmp_path):
    """ML_ROOT moves the tree; unset or empty, it is /opt/ml."""
    assert ml_root({"ML_ROOT": str(tmp_path)}) == tmp_path
    assert str(ml_root({})) == str(ml_root({"ML_ROOT": ""})) == "/opt/ml"


def test_checkpoint_folder_is_the_one_that_somebody_keeps(root):
    """Checkpoints go to the job's local path or its default, and nowhere when neither is mounted."""
    environment = Environment.read(root, {})
    assert environment.checkpoint_dir is None
    (root / "checkpoints").mkdir()
    assert environment.checkpoint_dir == root / "checkpoints"
    (root / "kept").mkdir()
    describe(root, "checkpointconfig", {"LocalPath": str(root / "kept")})
    assert environment.checkpoint_dir == root / "kept"
    describe(root, "checkpointconfig", {"LocalPath": str(root / "not-mounted")})
    assert environment.checkpoint_dir is None


@pytest.mark.parametrize("name", ["hyperparameters", "inputdataconfig", "resourceconfig"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is not valid JSON"),
        ("{", "is not valid JSON"),
        ("{'seed': 1}", "is not valid JSON"),
        ('{"a": ' + "9" * 5000 + "}", "is not valid JSON"),
        ("[" * 200_000, "is not valid JSON"),
        ("[]", "holds a JSON list"),
        ("null", "holds a JSON NoneType"),
        ('"text"', "holds a JSON str"),
        (b"\xff\xfe{\0}\0", "is not valid JSON"),
        (b'{"a": "\xe4"}', "is not valid JSON"),
    ],
)
def test_malformed_description_is_refused(root, name, content, expected):
    """A file that is no JSON object in UTF-8 is refused in one sentence that names it."""
    describe(root, name, content)
    cause = refusal(root)
    assert expected in cause
    assert f"{name}.json" in cause


@pytest.mark.parametrize("name", ["hyperparameters", "inputdataconfig", "resourceconfig"])
def test_description_that_is_a_folder_is_refused(root, name):
    """A folder in a file's place is refused, not a traceback."""
    (root / "input" / "config" / f"{name}.json").mkdir()
    assert f"{name}.json" in refusal(root)


def test_byte_order_mark_in_a_description_is_dropped(root):
    """An editor's byte order mark does not make a laptop's file unreadable."""
    describe(root, "hyperparameters", b'\xef\xbb\xbf{"seed": "5"}')
    assert Environment.read(root, {}).hyperparameters == {"seed": "5"}


def test_unknown_files_and_keys_are_tolerated(root):
    """What newer platforms add beside the known keys and files disturbs nothing."""
    describe(root, "trainingjobconfig", "not even JSON")
    group = {"instance_group_name": "homogeneousCluster", "hosts": ["algo-2", "algo-1"]}
    resources = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "instance_groups": [group]}
    resources |= {"current_instance_type": "ml.g5.12xlarge", "current_group_name": "homogeneousCluster"}
    describe(root, "resourceconfig", resources | {"topology": None})
    environment = Environment.read(root, {})
    assert (environment.host_rank, environment.instance_type) == (1, "ml.g5.12xlarge")


@pytest.mark.parametrize("current", ["algo-1", "algo-10", "algo-2"])
def test_hosts_are_sorted_so_that_all_agree_on_the_ranks(root, current):
    """However the hosts are listed, everyone sorts them alike: by letters, as the platform does."""
    describe(root, "resourceconfig", {"current_host": current, "hosts": ["algo-2", "algo-10", "algo-1"]})
    environment = Environment.read(root, {})
    assert environment.hosts == ("algo-1", "algo-10", "algo-2")
    assert environment.hosts[environment.host_rank] == current


@pytest.mark.parametrize(
    ("resources", "hosts", "current"),
    [
        ({}, ("localhost",), "localhost"),
        ({"network_interface_name": "eth0"}, ("localhost",), "localhost"),
        ({"hosts": [], "current_host": None}, ("localhost",), "localhost"),
        ({"current_host": "algo-1"}, ("algo-1",), "algo-1"),
        ({"hosts": ["algo-1"]}, ("algo-1",), "algo-1"),
        ({"hosts": ["b", "a", "b"], "current_host": "b"}, ("a", "b"), "b"),
    ],
)
def test_missing_keys_mean_one_host(root, resources, hosts, current):
    """What resourceconfig.json leaves out is taken as a job of one host."""
    describe(root, "resourceconfig", resources)
    environment = Environment.read(root, {})
    assert (environment.hosts, environment.current_host) == (hosts, current)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"hosts": ["algo-1", "algo-2"]}, "current_host None is not among hosts"),
        ({"hosts": ["algo-1"], "current_host": "algo-3"}, "current_host 'algo-3' is not among hosts"),
        ({"hosts": ["algo-1"], "current_host": ["algo-1"]}, "is not among hosts"),
        ({"hosts": "algo-1", "current_host": "algo-1"}, "hosts must be a list of names"),
        ({"hosts": [1, 2], "current_host": 1}, "hosts must be a list of names"),
        ({"hosts": ["", "a"], "current_host": "a"}, "hosts must be a list of names"),
        ({"current_host": 7}, "hosts must be a list of names"),
    ],
)
def test_contradictory_hosts_are_refused(root, resources, expected):
    """A host that cannot find itself stops with the reason instead of training as somebody else."""
    describe(root, "resourceconfig", resources)
    assert expected in refusal(root)


def test_outputs_are_made_and_proven_writable(root):
    """The output folders exist afterwards and hold nothing of the proof."""
    environment = Environment.read(root, {})
    environment.prepare_outputs()
    assert list(environment.model_dir.iterdir()) == []
    assert list(environment.output_dir.iterdir()) == []


def test_outputs_of_an_earlier_run_survive_the_proof(root):
    """Proving that the folders can be written touches nothing that is there."""
    (root / "model").mkdir()
    (root / "model" / "config.json").write_text("{}")
    Environment.read(root, {}).prepare_outputs()
    assert (root / "model" / "config.json").read_text() == "{}"


def test_what_an_interrupted_copy_has_left_is_removed(root):
    """It would become part of the model's archive; in the checkpoint folder it may be another run's."""
    environment = Environment.read(root, {})
    for folder in (root / "checkpoints", environment.model_dir, environment.output_dir):
        folder.mkdir(parents=True)
        (folder / "model.safetensors.sagemaker-ignore").write_bytes(b"half")
    environment.prepare_outputs()
    assert [*environment.model_dir.iterdir(), *environment.output_dir.iterdir()] == []
    assert len(list((root / "checkpoints").iterdir())) == 1


@pytest.mark.parametrize("blocked", ["model", "output"])
def test_output_that_cannot_be_a_folder_fails_at_the_start(root, blocked):
    """A file in an output folder's place is reported before any work, naming it, as the platform's fault."""
    (root / blocked).write_text("in the way")
    with pytest.raises(PlatformError, match=f"Cannot write to .*{blocked}") as caught:
        Environment.read(root, {}).prepare_outputs()
    assert "writable" in caught.value.remedy


def test_failure_is_written_and_cleared(root):
    """The reason lands where SageMaker looks, and a later run in the same folder removes it."""
    write_failure(root, "UserError: Größe …")
    assert (root / "output" / "failure").read_text(encoding="utf-8") == "UserError: Größe …"
    clear_failure(root)
    clear_failure(root)
    assert not (root / "output" / "failure").exists()


def test_failure_with_half_a_surrogate_pair_is_written(root):
    """A reason that names an unspeakable file is written all the same, at the same length."""
    write_failure(root, "UserError: \udcff.csv")
    assert (root / "output" / "failure").read_text(encoding="utf-8") == "UserError: ?.csv"


def test_failure_that_cannot_be_written_is_only_logged(root, caplog):
    """A disk that refuses the reason raises nothing: the first failure must not be hidden by a second."""
    (root / "output").write_text("in the way")
    write_failure(root, "UserError: first.")
    clear_failure(root)
    assert "cannot write" in caplog.text
