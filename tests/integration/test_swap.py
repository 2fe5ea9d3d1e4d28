"""Data of one's own in three steps: a Dataset, a label mapper, and two functions of builder.py changed."""

import json
import shutil
from pathlib import Path

import pytest

from bert_classifier.model import load_artifact
from fakes import make_ml_root, toy_rows
from train_process import CONTAINER, Outcome, train_as_process

# Step 1 and 2: what a user writes, for tab-separated rows of text and yes or no.
OWN_MODULE = '''
"""Complaints: is a message one or not?"""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from bert_classifier.label_mapper import LabelMapperBase


class ComplaintDataset(Dataset[tuple[str, str]]):
    def __init__(self, files: Sequence[Path]) -> None:
        lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
        self._rows = [tuple(line.split("\\t")) for line in lines]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[str, str]:
        text, label = self._rows[index]
        return text, label


class ComplaintLabelMapper(LabelMapperBase):
    _names = {"n": "praise", "y": "complaint"}

    def map(self, label: str) -> int:
        return list(self._names).index(label)

    def reverse_map(self, index: int) -> str:
        return list(self._names.values())[index]

    @property
    def num_classes(self) -> int:
        return len(self._names)

    @property
    def positive_label(self) -> str:
        return "y"
'''
# Step 3: the changes in builder.py that its docstring asks for.
BUILDER_CHANGES = {
    "from bert_classifier.dbpedia import DbpediaDataset, DbpediaLabelMapper\n": (
        "from bert_classifier.complaints import ComplaintDataset, ComplaintLabelMapper\n"
    ),
    "    return DbpediaDataset(files)\n": "    return ComplaintDataset(files)\n",
    """\
    if names is not None:
        return DbpediaLabelMapper(names)
    return DbpediaLabelMapper.from_labels(label for _, label in (dataset[i] for i in range(len(dataset))))
""": "    return ComplaintLabelMapper()\n",
}


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """Return a copy of container/ with the user's three steps done, and the worked example gone."""
    copy = Path(
        shutil.copytree(CONTAINER, tmp_path / "container", ignore=shutil.ignore_patterns("__pycache__"))
    )
    package = copy / "bert_classifier"
    (package / "complaints.py").write_text(OWN_MODULE)
    (package / "dbpedia.py").unlink()
    source = (package / "builder.py").read_text(encoding="utf-8")
    for before, after in BUILDER_CHANGES.items():
        assert source.count(before) == 1
        source = source.replace(before, after)
    (package / "builder.py").write_text(source, encoding="utf-8")
    return copy


def train_on(container: Path, root: Path, labels: tuple[str, ...]) -> Outcome:
    """Run the job on tab-separated files, which settings name since their suffix is not a usual one."""
    data = root / "input" / "data"
    for seed, channel in enumerate(("train", "validation")):
        rows = [(text, labels[label != "Alpha"]) for label, text in toy_rows(48, 2, seed)]
        shutil.rmtree(data / channel)
        (data / channel).mkdir()
        (data / channel / "rows.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    for channel in ("test", "class"):
        shutil.rmtree(data / channel)
    (root / "input" / "config" / "inputdataconfig.json").write_text("{}")
    return train_as_process(root, container=container)


def test_own_dataset_and_mapper_train_and_load(container, tmp_path):
    """The job learns the user's task without the worked example; the artifact has the names of reverse_map."""
    settings = {"train_file": "rows.tsv", "validation_file": "rows.tsv", "num_train_epochs": "20"}
    root = make_ml_root(tmp_path / "ml", hyperparameters=settings)
    outcome = train_on(container, root, ("n", "y"))
    assert (outcome.code, outcome.failure) == (0, ""), outcome.log
    artifact = load_artifact(root / "model")
    assert artifact.labels == ("praise", "complaint")
    assert artifact.info["metrics"]["validation"]["accuracy"] > 0.8
    told = json.loads((root / "output" / "data" / "evaluation.json").read_text())
    assert set(told["multiclass_classification_metrics"]["confusion_matrix"]) == {"praise", "complaint"}


def test_label_that_the_own_mapper_refuses_is_named(container, tmp_path):
    """What a mapper of one's own raises becomes the failure's sentence, with the item it is about."""
    settings = {"train_file": "rows.tsv", "validation_file": "rows.tsv"}
    root = make_ml_root(tmp_path / "ml", hyperparameters=settings)
    outcome = train_on(container, root, ("n", "maybe"))
    assert outcome.code == 2
    assert outcome.failure.startswith("UserError: 24 row(s) of the data cannot be used: item ")
    assert "'maybe' is not in list" in outcome.failure
    assert "Traceback" not in outcome.log
