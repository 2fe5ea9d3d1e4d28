"""What build.sh finds out about an image with torch for GPUs; a module of torch's name stands for 5 GB."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.containers import REPOSITORY, docker, engine_problem
from support.patience import PATIENCE_S

_DOCKERFILE = """
FROM python:3.11-slim-bookworm
COPY torch /usr/local/lib/python3.11/site-packages/torch
"""
# What program_digest.sh reads besides the Dockerfile.
_LOCKS = ("requirements.txt", "requirements-torch.txt", "requirements-torch-gpu.txt")
_DIGESTED = (
    *("container/bert_classifier/log.py", "container/train", "container/serve"),
    *(f"container/{name}" for name in _LOCKS),
    *("docker/requirements-sbom.txt", "docker/compile_imported.py", "LICENSE"),
)
_DIGEST = "bert-classifier.program-digest"
_TORCH = """
from torch import _C, version
"""


@pytest.fixture
def image() -> Iterator[str]:
    """Return the name of an image that is removed in the end."""
    if problem := engine_problem():
        pytest.skip(problem)
    name = f"build-labels-test-{uuid.uuid4().hex[:12]}"
    yield name
    docker("rmi", "--force", f"{name}:gpu", check=False)


def build(
    folder: Path, image: str, cuda: str, kernels: str, more: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run build.sh in a repository of its own, whose Dockerfile makes an image with a torch that says this."""
    (folder / "docker").mkdir(parents=True)
    for script in ("build.sh", "program_digest.sh"):
        shutil.copy(REPOSITORY / "docker" / script, folder / "docker")
    for file in _DIGESTED:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    (folder / "docker" / "Dockerfile").write_text(_DOCKERFILE + more, encoding="utf-8")
    package = folder / "torch"
    package.mkdir()
    (package / "__init__.py").write_text(_TORCH, encoding="utf-8")
    (package / "version.py").write_text(f"cuda = {cuda}\n", encoding="utf-8")
    (package / "_C.py").write_text(f"def _cuda_getArchFlags(): return {kernels}\n", encoding="utf-8")
    return subprocess.run(
        [str(folder / "docker" / "build.sh")],
        env={**os.environ, "IMAGE": image, "FLAVOUR": "gpu", "TAG": "gpu"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_the_gpu_image_says_which_cuda_and_which_kernels_it_has(tmp_path, image):
    """As labels, which the launcher reads in ECR, one word for each kind of GPU."""
    built = build(tmp_path, image, "'13.0'", "'sm_75 sm_80 compute_120'")
    assert built.returncode == 0, built.stderr
    labels = json.loads(docker("image", "inspect", f"{image}:gpu").stdout)[0]["Config"]["Labels"]
    assert labels["bert-classifier.cuda-version"] == "13.0"
    assert labels["bert-classifier.cuda-architectures"] == "sm_75 sm_80 compute_120"
    assert "bert-classifier.cuda-least-driver" not in labels
    left = ("--filter=dangling=true", f"--filter=label={_DIGEST}={labels[_DIGEST]}")
    assert docker("images", "--quiet", *left).stdout == "", "the image without labels stays behind"
    assert "CUDA 13.0, with kernels for sm_75 sm_80 compute_120" in built.stderr


def test_an_image_with_nvidias_libraries_says_which_driver_is_enough(tmp_path, image):
    """The launcher then lets it run on hosts whose driver is older than its CUDA."""
    libraries = "RUN mkdir /opt/cuda-compat\n"
    built = build(tmp_path, image, "'13.0'", "'sm_75 sm_80'", libraries)
    assert built.returncode == 0, built.stderr
    labels = json.loads(docker("image", "inspect", f"{image}:gpu").stdout)[0]["Config"]["Labels"]
    assert labels["bert-classifier.cuda-least-driver"] == "535"


def test_a_gpu_image_whose_torch_is_built_for_cpus_is_no_gpu_image(tmp_path, image):
    """Exit code 1 and why, rather than labels that say nothing."""
    built = build(tmp_path, image, "None", "None")
    assert built.returncode == 1
    assert "does not report the GPUs that it supports" in built.stderr
