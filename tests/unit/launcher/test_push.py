"""Which image `push` may push, and under which name: never an older one under a newer one's."""

import subprocess
from pathlib import Path

import pytest

from bert_classifier.errors import UserError
from launcher.aws.ecr import DOCKER_MANIFEST, Manifest
from launcher.commands.push import say_exists, tag_of
from launcher.revision import ROOT, head_of, tree_digest, tree_tag


def git(folder: Path, *arguments: str) -> None:
    """Run git with a name of its own."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a git repository with a committed program."""
    (tmp_path / "container").mkdir()
    (tmp_path / "container" / "builder.py").write_text("x = 1\n", encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_a_file_that_git_does_not_know_makes_the_revision_dirty(repository):
    """It is in the image all the same; elsewhere, or ignored, it is not."""
    (repository / "notes.txt").write_text("x", encoding="utf-8")
    clean = head_of(repository)
    assert len(clean) == 12
    (repository / "container" / "my_dataset.py").write_text("x = 2\n", encoding="utf-8")
    assert head_of(repository) == f"{clean}-dirty"
    (repository / ".gitignore").write_text("my_dataset.py\n", encoding="utf-8")
    assert head_of(repository) == clean
    (repository / "container" / "builder.py").write_text("x = 3\n", encoding="utf-8")
    assert head_of(repository) == f"{clean}-dirty"
    assert head_of(repository / "container") == f"{clean}-dirty"


def test_the_build_asks_the_same_script():
    """One rule says what is dirty, for the label as for the tag."""
    assert 'revision="$("$repository/docker/revision.sh"' in (ROOT / "docker" / "build.sh").read_text()
    assert head_of() == head_of(ROOT / "docker")
    assert head_of(Path("/")) == ""


def test_another_image_of_uncommitted_files_is_not_taken_for_this_one():
    """Their tag is the same, so “there already” would leave the older one in its place."""
    manifest = Manifest(DOCKER_MANIFEST, "sha256:m", "sha256:old")
    say_exists("host/mine:cpu-abc-dirty", manifest, {"Id": "sha256:old"})
    say_exists("host/mine:cpu-abc", manifest, {"Id": "sha256:new"})
    with pytest.raises(UserError, match="is another image of uncommitted files"):
        say_exists("host/mine:cpu-abc-dirty", manifest, {"Id": "sha256:new"})


def image(revision: str = "0123456789ab", digest: str = "") -> dict[str, object]:
    """Return an image as Docker describes it."""
    labels = {"org.opencontainers.image.version": "cpu", "org.opencontainers.image.revision": revision}
    labels |= {"bert-classifier.program-digest": digest} if digest else {}
    return {"Os": "linux", "Architecture": "amd64", "Config": {"Labels": labels}}


def test_an_image_that_was_built_before_the_last_change_is_refused():
    """The revision alone does not tell: the files may have been changed, uncommitted, before and after the build."""
    dirty = "0123456789ab-dirty"
    now, before = "a" * 64, "b" * 64
    assert tag_of(image(dirty, now), True, dirty, now) == f"cpu-{dirty}-{'a' * 12}"
    for allowed in (True, False):
        with pytest.raises(UserError, match=r"older than the last change|uncommitted changes"):
            tag_of(image(dirty, before), allowed, dirty, now)
    with pytest.raises(UserError, match="older than the last change of the files here"):
        tag_of(image(digest=before), False, "0123456789ab", now)
    assert tag_of(image("ba9876543210", before), True, "0123456789ab", now) == "cpu-ba9876543210"


def test_the_digest_of_the_files_here_is_the_one_of_the_label():
    """The tag of an image of uncommitted files has it; a job then never takes an older one."""
    script = ROOT / "docker" / "program_digest.sh"
    assert (
        tree_digest() == subprocess.run([script], capture_output=True, text=True, check=True).stdout.strip()
    )
    head = head_of(ROOT)
    expected = f"cpu-{head}" + (f"-{tree_digest()[:12]}" if head.endswith("-dirty") else "")
    assert tree_tag("cpu") == expected


def test_an_image_of_another_revision_is_refused():
    """As before."""
    local = image()
    assert tag_of(local, False, "0123456789ab") == "cpu-0123456789ab"
    with pytest.raises(
        UserError, match="built from 0123456789ab, but the files here are at 0123456789ab-dirty"
    ):
        tag_of(local, False, "0123456789ab-dirty")
