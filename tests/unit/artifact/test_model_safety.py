"""A model folder is data: no pickle in it is opened, no code of it is run, and it is never there by half."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bert_classifier.artifact.artifact import load_artifact
from bert_classifier.artifact.manifest import find_artifact, put_files, verify
from bert_classifier.errors import UserError
from support.doomed import die_at, in_child
from support.patience import PATIENCE_S
from support.toy_artifact import make_artifact

CONTAINER = Path(__file__).parents[3] / "container"
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artifact that nobody may write to; what it was made of lies beside it."""
    return make_artifact(tmp_path_factory.mktemp("artifact") / "model")


def run_python(code: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that finds the package and the toys."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CONTAINER), str(TESTS)])}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, env=environment, **options
    )  # type: ignore[call-overload, no-any-return]


LOAD_UNDER_WATCH = """
    import json, os, sys
    from pathlib import Path

    from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
    from bert_classifier.modeling.tokenizer import load_tokenizer
    from bert_classifier.artifact.artifact import load_artifact

    opened, executed = set(), set()

    def watch(event, args):
        if event == "open" and isinstance(args[0], str):
            opened.add(os.path.realpath(args[0]))
        elif event == "exec":
            executed.add(os.path.realpath(args[0].co_filename))
        elif event in ("pickle.find_class", "subprocess.Popen", "os.system", "socket.connect"):
            executed.add(f"{event} {args}")

    artifact, source = sys.argv[1:]
    sys.path.insert(0, artifact)  # as bad as it can be: the folder shadows every module
    os.chdir(artifact)
    quiet_transformers()
    sys.addaudithook(watch)
    load_artifact(Path(artifact))
    load_pretrained(source, ["a", "b", "c"], load_tokenizer(source), 32)
    print(json.dumps({"opened": sorted(opened), "executed": sorted(executed)}))
"""


def test_loading_opens_no_pickle_and_runs_no_code(artifact, tmp_path):
    """Of a folder full of traps only JSON and safetensors are opened, and nothing of it is executed."""
    folder = Path(shutil.copytree(artifact, tmp_path / "artifact"))
    source = Path(shutil.copytree(artifact.with_name("model-pretrained"), tmp_path / "source"))
    for trapped in (folder, source):
        for name in ("pytorch_model.bin", "training_args.bin", "vocab.pkl", "model.pt"):
            (trapped / name).write_bytes(b"cos\nsystem\n(S'touch stepped-on'\ntR.")
        for name in ("modeling_bert.py", "configuration_bert.py", "sentencepiece.py", "sitecustomize.py"):
            (trapped / name).write_text("open('stepped-on', 'w')\n")
    settings = json.loads((source / "tokenizer_config.json").read_text())
    settings["auto_map"] = {"AutoTokenizer": ["modeling_bert.Evil", "modeling_bert.Evil"]}
    (source / "tokenizer_config.json").write_text(json.dumps(settings))

    result = run_python(LOAD_UNDER_WATCH, folder, source)
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    inside = [Path(name) for name in seen["opened"] if Path(name).is_relative_to(tmp_path)]
    assert {path.name for path in inside} >= {
        "config.json",
        "tokenizer.json",
        "training.json",
        "manifest.json",
    }
    assert {path.suffix for path in inside} <= {".json", ".safetensors", ".md"}
    assert [name for name in seen["executed"] if str(tmp_path) in name and name.endswith(".py")] == []
    assert [
        name for name in seen["executed"] if name.startswith(("pickle", "subprocess", "os.", "socket"))
    ] == []
    assert list(tmp_path.rglob("stepped-on")) == []


SAVE_UNDER_A_LIMIT = """
    import resource, sys
    from pathlib import Path

    from bert_classifier.errors import PlatformError, failure_text
    from bert_classifier.modeling.tokenizer import load_tokenizer
    from bert_classifier.artifact.artifact import load_artifact, save_artifact

    folder, source = Path(sys.argv[1]), sys.argv[2]
    model, tokenizer = load_artifact(folder).model, load_tokenizer(source)
    largest = max(path.stat().st_size for path in folder.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, largest // 2))
    info = {"max_seq_length": 9, "truncation": "head"}
    try:
        save_artifact(folder, model, tokenizer, ["Alpha", "Beta", "Gamma"], info)
    except PlatformError as error:
        print(failure_text(error))
"""


@pytest.mark.slow
def test_disk_that_refuses_leaves_the_old_artifact(artifact, tmp_path):
    """When the weights do not fit on the disk, that is said, and the artifact of before is still whole."""
    folder = Path(shutil.copytree(artifact, tmp_path / "model"))
    result = run_python(SAVE_UNDER_A_LIMIT, folder, artifact.with_name("model-pretrained"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"PlatformError: The model cannot be written to {folder}: ")
    assert result.stdout.endswith("mount the folder writable.\n")
    assert load_artifact(folder).encoder.max_length == load_artifact(artifact).encoder.max_length
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in artifact.iterdir())


def staged_files(folder: Path, letter: str) -> Path:
    """Make a folder of files that all hold one letter."""
    folder.mkdir()
    for name, size in (("config.json", 100), ("model.safetensors", 400_000), ("tokenizer.json", 50_000)):
        (folder / name).write_text(letter * size)
    return folder


def letters_of(folder: Path) -> set[str]:
    """Return the letters that an artifact's files hold, after its manifest was checked."""
    verify(folder, {"config.json", "model.safetensors", "tokenizer.json"})
    return {letter for p in folder.iterdir() if p.name != "manifest.json" for letter in set(p.read_text())}


def test_save_that_fails_half_way_leaves_no_mixture(tmp_path):
    """Stopped with some files replaced, the folder has no manifest and is refused; a new save heals it."""
    folder = tmp_path / "model"
    put_files(staged_files(tmp_path / "a", "a"), folder)
    assert letters_of(folder) == {"a"}
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").mkdir()  # no file can take the place of a folder
    with pytest.raises(OSError, match=r"tokenizer\.json"):
        put_files(staged_files(tmp_path / "b", "b"), folder)
    assert set((folder / "model.safetensors").read_text()) == {"b"}
    with pytest.raises(UserError, match="holds no trained model"):
        find_artifact(folder)
    (folder / "tokenizer.json").rmdir()
    put_files(staged_files(tmp_path / "c", "c"), folder)
    assert letters_of(folder) == {"c"}
    assert not [path for path in folder.iterdir() if "partial" in path.name or "ignore" in path.name]


def test_killed_save_leaves_one_artifact_or_none(tmp_path):
    """Killed before each file operation of a save in turn, the folder is one of both as a whole or is refused."""
    outcomes: list[str] = []
    while not outcomes or outcomes[-1] != "b":
        case = tmp_path / str(len(outcomes))
        case.mkdir()
        old, new, folder = staged_files(case / "a", "a"), staged_files(case / "b", "b"), case / "model"
        put_files(old, folder)
        status = in_child(die_at(len(outcomes), lambda: put_files(new, folder)))  # noqa: B023 - runs before the next
        try:
            letters = letters_of(find_artifact(folder))
        except UserError:
            outcomes.append("refused")
        else:
            (letter,) = letters
            outcomes.append(letter)
        assert os.waitstatus_to_exitcode(status) in (-signal.SIGKILL, 0)
        assert len(outcomes) < 200
    assert [o for o, _ in itertools.groupby(outcomes)] == ["a", "refused", "b"]
