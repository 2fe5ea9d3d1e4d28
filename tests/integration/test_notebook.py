"""The notebook, executed from its first to its last cell: a real rehearsal, and moto in the place of AWS."""

import json
import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from launcher.revision import tree_tag
from support.aws import BUCKET, HOST_PYTHON, REPOSITORY, SDK3_PYTHON, TRUST
from support.aws_stand_in import Answer
from support.fakes import toy_rows
from support.patience import PATIENCE_S

QUOTAS = {"ml.m5.2xlarge for spot training job usage": 1.0, "ml.m5.2xlarge for training job usage": 1.0}


def small(notebook: nbformat.NotebookNode, settings: dict[str, str]) -> None:
    """Give the notebook other settings than its own; without the image, which has tests of its own."""
    (parameters,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    assert set(re.findall(r'os\.environ\["(\w+)"\]', parameters.source)) == settings.keys()
    parameters.source = f"import os\nos.environ.update({settings!r})"
    notebook.cells = [cell for cell in notebook.cells if "docker" not in cell.metadata.get("tags", ())]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_cell_runs(aws, pretrained, tmp_path, monkeypatch):
    """Rehearsal, training, endpoint, question, whole files, clean-up: no cell fails, and nothing is left that costs."""
    if not (HOST_PYTHON.exists() and SDK3_PYTHON.exists()):
        pytest.skip("the SDK is not installed: `make test` does that")
    rows = list(toy_rows(60))
    data, classes = tmp_path / "data.csv", tmp_path / "classes.txt"
    data.write_text("\n".join(f'{label},"{text}"' for label, text in rows) + "\n", encoding="utf-8")
    classes.write_text("\n".join(sorted({label for label, _ in rows})) + "\n", encoding="utf-8")
    for use in ("training", "serving"):
        role = {"RoleName": f"bert-classifier-{use}", "AssumeRolePolicyDocument": json.dumps(TRUST)}
        aws.client("iam").create_role(**role)
    aws.put_image("bert-classifier", tree_tag("cpu"))
    aws.put("mine/jobs/bert-classifier-1/output/model.tar.gz", "an archive")
    notebook = nbformat.read(REPOSITORY / "BertTextClassification.ipynb", as_version=4)
    small(notebook, {
        "NAME": "bert-classifier", "DATA": str(data), "CLASSES_FILE": str(classes), "BUCKET_FOLDER": f"s3://{BUCKET}/mine",
        "WHERE": "ml.m5.2xlarge", "FLAVOUR": "cpu", "SETTINGS": "num_train_epochs=1", "JOB_ID": "bert-classifier-1",
        "REHEARSAL": f"MODEL={pretrained}", "REHEARSAL_FOLDER": str(tmp_path / "run"),
        "POLICIES": str(tmp_path / "policies"), "ALSO_BY_SDK": "yes",
    })  # fmt: skip
    quotas = {"Quotas": [{"QuotaName": name, "Value": value} for name, value in QUOTAS.items()]}
    with aws.answering(ListServiceQuotas=Answer.json(quotas)) as here:
        for name, value in {**here.environ, "ENGINE": "process"}.items():
            monkeypatch.setenv(name, value)
        client = nbclient.NotebookClient(
            notebook, timeout=PATIENCE_S, resources={"metadata": {"path": str(REPOSITORY)}}
        )
        client.execute()
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()
    assert _told(tmp_path / "run-labels", "task") == "multi"
    assert _told(tmp_path / "run-pairs", "is_paired") is True
    assert _operations(aws) == [
        *["CreateTrainingJob"] * 3, "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "CreateModel",
        "CreateTransformJob", "DeleteModel", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel",
    ]  # fmt: skip
    assert len(aws.invocations()) == 1
    _check_jobs(*aws.requests("CreateTrainingJob"))
    assert aws.client("sagemaker").list_endpoints()["Endpoints"] == []


def _told(run: Path, name: str) -> Any:
    """Return what the model of a rehearsal says of its task."""
    return json.loads((run / "model" / "training.json").read_text(encoding="utf-8")).get(name)


def _check_jobs(by_make, by_estimator, by_trainer) -> None:
    """Check that the cells in Python ask for the job that make has asked for, under names of their own."""
    own = ("TrainingJobName", "CheckpointConfig")
    shared = {name: value for name, value in by_make.items() if name not in own}
    by_sdk = [by_estimator, by_trainer]
    assert len({request["TrainingJobName"] for request in (by_make, *by_sdk)}) == 3
    assert len({request["CheckpointConfig"]["S3Uri"] for request in (by_make, *by_sdk)}) == 3
    for request in by_sdk:
        for name in (
            "RoleArn",
            "HyperParameters",
            "StoppingCondition",
            "AlgorithmSpecification",
            "ResourceConfig",
        ):
            assert request[name] == shared[name]
        assert [_source(channel) for channel in request["InputDataConfig"]] == [
            _source(channel) for channel in shared["InputDataConfig"]
        ]


def _source(channel) -> tuple[str, str]:
    return channel["ChannelName"], channel["DataSource"]["S3DataSource"]["S3Uri"]


def _operations(aws) -> list[str]:
    return [name for name in aws.operations() if name.startswith(("Create", "Delete")) and "Repo" not in name]
