"""The model whose traffic is compared: its classes, its tokenizer, its baseline."""

import dataclasses
import math
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.artifact.contents import read_contents
from bert_classifier.artifact.profile import ABSTAINED, BASELINE, PREDICTIONS, Profile, read_profile
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.errors import UserError, cannot_read
from bert_classifier.job.task import Task

_NAME_ONE = "Name the model's folder or its model.tar.gz: ARTIFACT=my_run/model."
NO_BASELINE = (
    "Train it again with this version (a finished run only exports its model), or name what to compare with, such as a"
    " file of texts or an earlier week: BASELINE=validation.csv."
)


@dataclasses.dataclass(frozen=True)
class Model:
    """What the drift report needs of a model.

    Attributes:
        folder: of the artifact; None if only its baseline is there.
        info: training.json; empty if only the baseline is there.
        encoder: of its texts; None if only the baseline is there.
        unknown_id: of its tokenizer's unknown token; None without one.
        baseline: None if an earlier version has trained it.
    """

    folder: Path | None
    labels: Sequence[str]
    info: Mapping[str, Any]
    encoder: TextEncoder | None
    unknown_id: int | None
    baseline: Profile | None

    @property
    def abstains(self) -> bool:
        """Whether texts may get no label."""
        kept = self.baseline.measures if self.baseline else {}
        return bool(self.info.get("abstain_below")) or ABSTAINED in kept or self.thresholds is not None

    @property
    def thresholds(self) -> list[float] | None:
        """The score of each class from which a text has its label, infinite where it never has; None: it has one."""
        if self.info.get("task") != Task.MULTI:
            return None
        found = self.info["thresholds"]
        return [math.inf if found.get(label) is None else float(found[label]) for label in self.labels]

    @property
    def abstain_below(self) -> float | None:
        """Score below which a text gets no label; None where only the baseline is there, and the model abstains."""
        return None if self.abstains and not self.info else float(self.info.get("abstain_below") or 0.0)


def open_model(path: Path, scratch: Path) -> Model:
    """Open a model's folder, the model.tar.gz of one, or its baseline.json alone.

    Args:
        scratch: an empty folder, for what an archive holds.
    Raises:
        UserError: when it is none of these, or has been altered.
    """
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise UserError(f"There is no model {path}.", _NAME_ONE)
    if path.suffix == ".json":
        baseline = read_profile(path, _NAME_ONE)
        labels = baseline.measures[PREDICTIONS].names if PREDICTIONS in baseline.measures else ()
        return Model(None, labels, {}, None, baseline.unknown_id, baseline)
    try:
        with tarfile.open(path) as archive:
            archive.extractall(scratch, filter="data")
    except tarfile.TarError as error:
        raise UserError(f"{path} is no archive of a model ({error}).", _NAME_ONE) from error
    except OSError as error:
        raise cannot_read(path, error, _NAME_ONE) from error
    return _of_folder(scratch)


def _of_folder(folder: Path) -> Model:
    contents = read_contents(folder)
    info, tokenizer = contents.info, contents.tokenizer
    kept = contents.folder / BASELINE
    baseline = read_profile(kept, NO_BASELINE) if kept.exists() else None
    encoder = TextEncoder.from_settings(tokenizer, info["pad_token_id"], info)
    unknown = getattr(
        tokenizer.model, "unk_token", None
    )  # tokens by SentencePiece's unigrams have no name for it
    unknown_id = baseline.unknown_id if baseline else tokenizer.token_to_id(unknown) if unknown else None
    return Model(contents.folder, info["labels"], info, encoder, unknown_id, baseline)
