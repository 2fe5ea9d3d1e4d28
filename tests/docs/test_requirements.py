"""The dependencies: all locked with hashes, torch kept apart, and the same ones in every file."""

import importlib.metadata
import re
import tomllib

from support.source_tree import CONTAINER

HOST_SIDE = CONTAINER.parent / "docker"
LOCKS = sorted([*CONTAINER.glob("requirements*.txt"), *HOST_SIDE.glob("requirements*.txt")])
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
REQUIREMENT = re.compile(r"(?m)^([A-Za-z0-9][\w.-]*)==([\w.+!]+)")


def normalised(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names_in(file_name: str) -> set[str]:
    """Return the names of the distributions in a requirements file or its input."""
    text = re.sub(r"\\\n", " ", (CONTAINER / file_name).read_text(encoding="utf-8"))
    words = (re.match(r"[A-Za-z0-9][\w.-]*", line) for line in text.splitlines())
    return {normalised(word[0]) for word in words if word}


def pins_in(file_name: str) -> set[tuple[str, str]]:
    """Return names and versions in a requirements file or its input; one name may have a version per Python."""
    return set(REQUIREMENT.findall((CONTAINER / file_name).read_text(encoding="utf-8")))


def test_every_requirement_is_pinned_with_a_hash() -> None:
    """Each requirement names one version and at least one sha256, so a changed file is never installed."""
    assert len(LOCKS) > 5
    for lock in LOCKS:
        text = re.sub(r"\\\n", " ", lock.read_text(encoding="utf-8"))
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert lines, lock
        loose = [line for line in lines if not (REQUIREMENT.match(line) and HASH.search(line))]
        assert loose == [], lock


def test_torch_is_only_in_its_own_file() -> None:
    """No other lock brings torch or a CUDA package along: each flavour has its own, of the same release."""
    assert names_in("requirements-torch.txt") == {"torch"}
    releases = {
        re.split(r"[+ ]", line)[0]
        for name in ("requirements-torch.txt", "requirements-torch-gpu.txt")
        for line in (CONTAINER / name).read_text(encoding="utf-8").splitlines()
        if line.startswith("torch==")
    }
    assert len(releases) == 1
    for lock in LOCKS:
        if lock.parent == CONTAINER and not lock.name.startswith("requirements-torch"):
            assert not {
                name for name in names_in(lock.name) if re.match(r"(torch|triton|nvidia|cuda)\b", name)
            }


def test_what_torch_needs_is_locked() -> None:
    """Torch is installed without its dependencies, so the lock must name all of them."""
    needed = [entry for entry in importlib.metadata.requires("torch") or [] if "extra ==" not in entry]
    on_cpu = {
        normalised(re.split(r"[ <>=!;\[]", entry)[0]) for entry in needed if "platform_system" not in entry
    }
    assert on_cpu
    assert on_cpu <= names_in("requirements.txt")


def test_the_package_declares_what_the_lock_is_made_from() -> None:
    """pyproject.toml names the packages of requirements.in and torch, each with an upper bound."""
    project = tomllib.loads((CONTAINER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {normalised(re.split(r"[<>=]", entry)[0]) for entry in project["dependencies"]}
    direct = (CONTAINER / "requirements.in").read_text(encoding="utf-8").split("\n\n")[0]
    written = {
        normalised(re.split("==", line)[0]) for line in direct.splitlines() if not line.startswith("#")
    }
    assert declared == written | {"torch"}
    assert all(",<" in entry for entry in project["dependencies"])


def test_the_lock_holds_everything_asked_for() -> None:
    """Nobody edits a .in file without compiling it."""
    for name in ("requirements", "requirements-dev", "requirements-torch-gpu"):
        assert names_in(f"{name}.in") <= names_in(f"{name}.txt")
        assert pins_in(f"{name}.in") <= pins_in(f"{name}.txt")


def test_shared_packages_have_one_version() -> None:
    """What two locks name has the same version in both, so that the tests run what the image runs."""
    runtime = pins_in("requirements.txt")
    names = {name for name, _ in runtime}
    for other in ("requirements-dev.txt", "requirements-torch-gpu.txt"):
        shared = {(name, version) for name, version in pins_in(other) if name in names}
        assert shared
        assert shared - runtime == set(), other
