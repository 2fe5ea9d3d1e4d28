"""What the image alone shows, without starting it."""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker_emulator.checks import names_of
from sagemaker_emulator.engine import Container
from sagemaker_emulator.level import Level
from sagemaker_emulator.rehearsal import Rehearsal

_SHELLS = {"sh", "bash", "dash", "ash"}
_INIT_PROGRAMS = {"tini", "dumb-init", "docker-init", "catatonit"}
_MOUNTED = ("input", "model", "output", "checkpoints")
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LARGEST = 10e9  # bytes of a serverless endpoint's image
IMAGE_CHECKS = names_of("image")


def check_image(rehearsal: Rehearsal) -> None:
    """Judge the image's configuration and the files that SageMaker depends on."""
    image = rehearsal.engine.image(rehearsal.image)
    config = image.get("Config") or {}
    _check_configuration(rehearsal, image, config)
    with rehearsal.engine.made(rehearsal.image) as container:
        _check_programs(rehearsal, container, config)
        members = [info.name for info, _ in container.read("/opt/ml") if not info.isdir()]
        rehearsal.report.judge("image.reserved-tree", *judge_reserved(members))


def judge_reserved(members: Sequence[str]) -> tuple[bool, str, Level]:
    """Judge the files that an image has below /opt/ml, by their paths from `ml` on: which of them disappear."""
    hidden = [name for name in members if name.split("/")[1] in _MOUNTED]
    others = [name for name in members if name.split("/")[1] not in (*_MOUNTED, "code")]
    if found := hidden or others:
        seen = f"/opt/{found[0]} and {len(found) - 1} more"
        return (
            False,
            f"{seen}, hidden by a mount" if hidden else seen,
            Level.COSTS if hidden else Level.PRACTICE,
        )
    seen = f"{len(members)} files in /opt/ml/code, where the toolkit reads them" if members else "no file"
    return True, seen, Level.PRACTICE


def _check_configuration(rehearsal: Rehearsal, image: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    report = rehearsal.report
    platform = f"{image.get('Os')}/{image.get('Architecture')}"
    only_serves = "train" not in rehearsal.programs
    fits = platform == "linux/amd64" or (platform == "linux/arm64" and only_serves)
    report.judge(
        "image.platform", fits, platform if platform == "linux/amd64" else f"{platform}: Graviton only"
    )
    fault = entrypoint_fault(config.get("Entrypoint") or [])
    report.judge("image.entrypoint", not fault, fault or f"ENTRYPOINT {config.get('Entrypoint') or 'absent'}")
    report.judge(
        "image.manifest", *judge_manifest(image, has_containerd_store=rehearsal.engine.has_containerd_store)
    )
    report.judge("image.size", image["Size"] <= _LARGEST, f"{image['Size'] / 1e9:.2f} GB unpacked")
    traps = trap_instructions(config)
    report.judge("image.instructions", not traps, "; ".join(traps) or "none of them")
    user = config.get("User") or "root"
    report.judge("image.user", user.partition(":")[0] in {"root", "0"}, f"USER {user}")


def judge_manifest(image: Mapping[str, Any], *, has_containerd_store: bool) -> tuple[bool, str]:
    """Judge what a push of the image would send, as far as the engine knows before it."""
    media_type = str((image.get("Descriptor") or {}).get("mediaType", ""))
    if media_type:
        return media_type == _DOCKER_MANIFEST, media_type
    if has_containerd_store:
        return False, "the engine's containerd store does not say, and pushes OCI manifests by default"
    return True, "the engine's own store, which pushes Docker's schema 2"


def entrypoint_fault(entrypoint: Sequence[str]) -> str:
    """Return what is wrong with an ENTRYPOINT; empty when nothing is."""
    program = posixpath.basename(entrypoint[0]) if entrypoint else ""
    if program in _SHELLS and "-c" in entrypoint[1:2]:
        return f"shell form ({' '.join(entrypoint)[:80]}): the words are lost and the shell keeps SIGTERM"
    return f"{program} starts it" if program in _INIT_PROGRAMS else ""


def trap_instructions(config: Mapping[str, Any]) -> list[str]:
    """Return the instructions of a Dockerfile that mean something else on SageMaker."""
    traps = [f"VOLUME {path}" for path in config.get("Volumes") or {}]
    if config.get("Healthcheck") and (config["Healthcheck"].get("Test") or ["NONE"]) != ["NONE"]:
        traps.append("HEALTHCHECK")
    if config.get("StopSignal", "") not in {"", "SIGTERM", "15", None}:
        traps.append(f"STOPSIGNAL {config['StopSignal']}")
    return traps + ["ONBUILD"] * bool(config.get("OnBuild"))


def _check_programs(rehearsal: Rehearsal, container: Container, config: Mapping[str, Any]) -> None:
    report = rehearsal.report
    if config.get("Entrypoint"):
        seen = f"the ENTRYPOINT {config['Entrypoint'][0]} takes the words"
        report.judge("image.programs", bool(_find(container, config, config["Entrypoint"][0])), seen)
        report.skip("image.shebang", seen)
        return
    found = {program: _find(container, config, program) for program in rehearsal.programs}
    missing = [f"no program {program} on PATH" for program, file in found.items() if file is None]
    files = {program: file for program, file in found.items() if file}
    if len(missing) == 1 and len(found) > 1:
        missing.append(
            f"--role {'train' if found['train'] else 'serve'} for an image that does one of the two"
        )
    seen = "; ".join(missing) or ", ".join(file[0] for file in files.values())
    report.judge("image.programs", not missing, seen)
    faults = [
        f"{name}: {fault}" for name, file in files.items() if (fault := _shebang(container, config, file[1]))
    ]
    if files:
        report.judge("image.shebang", not faults, "; ".join(faults) or "the interpreters are there")
    else:
        report.skip("image.shebang", "there is no program")


def _find(container: Container, config: Mapping[str, Any], program: str) -> tuple[str, bytes] | None:
    """Return path and content of an executable file, looked up as `execvp` does."""
    folders = [""] if "/" in program else _path_of(config)
    for folder in folders:
        path = posixpath.join(folder, program)
        for info, content in container.read(path)[:1]:
            if info.isfile() and info.mode & 0o001:
                return path, content
    return None


def _path_of(config: Mapping[str, Any]) -> list[str]:
    """Return the folders of PATH, the engine's own where the image sets none."""
    values = [str(text).removeprefix("PATH=") for text in config.get("Env") or [] if text.startswith("PATH=")]
    return (values or ["/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])[0].split(":")


def _shebang(container: Container, config: Mapping[str, Any], content: bytes) -> str:
    """Return what is wrong with a program's first line; empty when nothing is, or when it is no script."""
    if not content.startswith(b"#!"):
        return "" if content.startswith(b"\x7fELF") else "neither a script with #! nor a Linux program"
    line = content.partition(b"\n")[0]
    if line.endswith(b"\r"):
        return f"the first line ends in a carriage return: {line.decode('utf-8', 'replace')!r}"
    words = line[2:].decode("utf-8", "replace").split()
    if words and posixpath.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-")]
    return "" if words and _find(container, config, words[0]) else f"the image has no {' '.join(words[:1])}"
