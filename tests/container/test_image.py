"""What is in the image, and what is not."""

import json

import duckdb

from support.containers import CONFINED, docker


def output_of(image: str, script: str, *options: str) -> str:
    """Return what a shell script prints in the image."""
    return docker("run", "--rm", *options, image, "sh", "-c", script).stdout


def test_it_is_what_sagemaker_starts(image):
    """amd64, no entry point that would swallow the words train and serve, root, the port's label."""
    (described,) = json.loads(docker("image", "inspect", image).stdout)
    config = described["Config"]
    assert (described["Architecture"], described["Os"]) == ("amd64", "linux")
    assert not config.get("Entrypoint")
    assert config.get("User", "") in {"", "root", "0"}
    assert config["Labels"]["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT-0"
    assert "PYTHONUNBUFFERED=1" in config["Env"]


def test_it_is_small(image):
    """At most 1.0 GB, with the bytecode of what is imported: every start of an instance pulls it."""
    assert int(docker("image", "inspect", "--format", "{{.Size}}", image).stdout) <= 1_000_000_000


def test_train_and_serve_are_programs_on_the_path(image):
    """Executable by everybody, writable by root alone, without carriage returns."""
    modes = "for p in train serve; do stat -L -c '%a %U' $(command -v $p); done"
    assert output_of(image, modes).splitlines() == ["755 root", "755 root"]
    assert "\r" not in output_of(image, "cat $(command -v train) $(command -v serve)")


def test_nothing_lies_where_sagemaker_mounts(image):
    """/opt/ml is the platform's; the driver is the host's; caches are not shipped."""
    names = ("-path /opt/ml", "-name 'libcuda.so*'", "-path '/tmp/*'", "-path '*/.cache'")
    assert output_of(image, f"find / -xdev \\( {' -o '.join(names)} \\) 2>/dev/null") == ""


def test_what_is_inside_can_be_looked_up(image):
    """The inventory names every locked package with its version."""
    packages = json.loads(output_of(image, "cat /opt/program/packages.json"))["installed"]
    versions = {package["metadata"]["name"].lower(): package["metadata"]["version"] for package in packages}
    assert versions["torch"].startswith("2.13.0")
    assert {"transformers", "flask", "gunicorn", "safetensors"} <= versions.keys()


def test_it_carries_its_bill_of_materials(image):
    """CycloneDX, with torch and flask and their package addresses; the tool that made it is not in the image."""
    bill = json.loads(output_of(image, "cat /opt/program/sbom.cdx.json"))
    assert bill["bomFormat"] == "CycloneDX"
    addresses = {part["name"].lower(): part.get("purl", "") for part in bill["components"]}
    assert addresses["torch"].startswith("pkg:pypi/torch@2.13.0")
    assert addresses["flask"].startswith("pkg:pypi/flask@")
    assert "cyclonedx-bom" not in addresses


def test_what_is_imported_at_the_start_is_compiled(image):
    """A read-only file system takes no bytecode, so the image must bring it."""
    script = """python - <<'end'
import os.path, sys, bert_classifier.training.rank, bert_classifier.serving.worker
specs = [module.__spec__ for module in list(sys.modules.values()) if getattr(module, "__spec__", None)]
ours = [spec.cached for spec in specs if spec.cached and spec.origin.startswith(("/opt/program", "/usr/local/lib"))]
print(len(ours), *[path for path in ours if not os.path.exists(path)])
end
"""
    count, *missing = output_of(image, script).split()
    assert int(count) > 1000
    assert missing == []


def test_what_is_never_imported_is_not_compiled(image):
    """Bytecode of modules that no program imports would only be pulled."""
    assert output_of(image, "find / -xdev -path '*/networkx/*.pyc'") == ""
    assert output_of(image, "find / -xdev -path '*/networkx/*.py' | head -1") != ""


def test_torch_is_a_layer_of_its_own(image):
    """So that a change of the other lock leaves the larger part of the image where it is."""
    history = docker(
        "history", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", image
    ).stdout.splitlines()
    copied = [line for line in history if "COPY /layers/" in line]
    assert len(copied) == 4
    (torch,) = (line for line in copied if "COPY /layers/torch" in line)
    assert 300 < float(torch.split("MB")[0]) < 600


def test_parquet_is_read_where_nothing_can_be_written(image, tmp_path):
    """Without rights, network, home and a writable root, DuckDB reads what a file holds."""
    duckdb.sql(f"COPY (SELECT 'a text' AS text, 1 AS label) TO '{tmp_path / 'train.parquet'}'")
    tmp_path.chmod(0o755)
    code = "import pathlib, bert_classifier.data.parquet as p; "
    code += "print(*p.open_parquet(pathlib.Path('/d/train.parquet')).rows())"
    options = (*CONFINED, "--env=HOME=/nonexistent", f"--volume={tmp_path}:/d:ro")
    assert output_of(image, f'python -c "{code}"', *options) == "('a text', 1)\n"


def test_development_tools_are_not_shipped(image):
    """No test runner, no compiler, no tests of torch."""
    assert output_of(image, "find / -xdev -path '*/site-packages/torch/test'") == ""
    assert output_of(image, "find / -xdev -path '*/site-packages/torch/nn' | head -1") != ""
    for probe in ("python -c 'import pytest'", "command -v gcc", "command -v git"):
        ended = docker("run", "--rm", image, "sh", "-c", probe, check=False)
        assert ended.returncode in (1, 127), (probe, ended.stderr)  # 125 is docker's own failure
