"""The data of a job: read, checked and tokenised once per host, shared by its ranks through memory maps."""

import contextlib
import dataclasses
import functools
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bert_classifier.builder import Data, build_data, build_model
from bert_classifier.data.class_words import class_words
from bert_classifier.data.doctor.doctor import examine, log_findings, write_report
from bert_classifier.data.doctor.report import DataReport
from bert_classifier.data.doctor.scan import TextFacts, TextScan
from bert_classifier.data.doctor.stats import ChannelStats
from bert_classifier.data.examples import Examples, Records
from bert_classifier.data.examples_alike import labels_per_text
from bert_classifier.data.job_files import data_files, model_source
from bert_classifier.data.text_fields import named_columns
from bert_classifier.data.understood import channel_understood, lines_of
from bert_classifier.encoding.length import log_tokens, require_tokens
from bert_classifier.encoding.token_file import encode_to_file
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.json_files import write_json
from bert_classifier.job.task import Task
from bert_classifier.job.task_settings import require_suitable
from bert_classifier.job.terminal import has_bar
from bert_classifier.label_mapper import positive_index
from bert_classifier.modeling.heads import loaded_head
from bert_classifier.modeling.hub import pinned
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.token_types import has_token_types
from bert_classifier.training.automatic import settings_by_data, text_encoder
from bert_classifier.training.batching import Split
from bert_classifier.training.encoder_check import check_encoder_for
from bert_classifier.training.pairs import pair_settings
from bert_classifier.training.progress import TextProgress
from bert_classifier.training.reading_progress import reading_progress
from bert_classifier.training.signals import StopSignal
from bert_classifier.training.split_files import ids_file, map_split, records_file, save_split

logger = logging.getLogger(__name__)

_DESCRIPTION = "prepared.json"
_POLL_SECONDS = 0.02


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """The data as training needs them.

    Attributes:
        labels: names of the classes, by index.
        positive: index of the class whose F1 is the score; None: accuracy is the score.
        splits: train, validation (not with cross-validation) and, if there is one, test.
        fingerprints: SHA-256 of each split's texts and targets.
        data_report: findings of the data doctor, as in data_report.json.
        has_class_file: whether a class file gives the order of the classes.
        columns: names of the training data's columns by role; empty where they have none.
        automatic: settings that the job leaves to the data, with their values.
        records: loaders of the texts of an evaluated channel and their positions in the files, by channel.
        words: the words that speak for each class, as ClassWords.as_json returns them.
        commit: of the model hub, from which the encoder is; None without a revision.
        pairs: how text pairs are encoded, from pair_settings; empty where the texts are single ones.
    """

    labels: Sequence[str]
    positive: int | None
    splits: Mapping[str, Split]
    fingerprints: Mapping[str, str]
    data_report: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    has_class_file: bool = False
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    automatic: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    records: Mapping[str, Callable[[], Records]] = dataclasses.field(default_factory=dict)
    words: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    commit: str | None = None
    pairs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def task(self) -> Task:
        """Whether a text has one label or any number."""
        return Task.of(self.splits["train"].targets)

    def resolved(self, config: TrainConfig) -> TrainConfig:
        """Return the settings of the job with what was left to the data."""
        return dataclasses.replace(config, **self.automatic)

    def save(self, folder: Path) -> None:
        """Write everything into a folder, for other processes of this host; raise an OSError if that fails."""
        for name, split in self.splits.items():
            save_split(folder, name, split)
        for name, records_of in self.records.items():
            records_of().save(records_file(folder, name))
        description = {
            "labels": list(self.labels),
            "positive": self.positive,
            "splits": list(self.splits),
            "fingerprints": dict(self.fingerprints),
            "data_report": dict(self.data_report),
            "has_class_file": self.has_class_file,
            "columns": dict(self.columns),
            "words": dict(self.words),
            "automatic": dict(self.automatic),
            "commit": self.commit,
            "pairs": dict(self.pairs),
        }
        write_json(folder / _DESCRIPTION, description)  # last, and at once: others wait for it

    @classmethod
    def wait_for(cls, folder: Path) -> Self:
        """Load what another process is about to save; that process must end this one if it fails to."""
        while not (folder / _DESCRIPTION).exists():
            time.sleep(_POLL_SECONDS)
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load what another process saved; the arrays are memory-mapped, so all processes share one copy."""
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        splits = {name: map_split(folder, name) for name in description.pop("splits")}
        files = {name: records_file(folder, name) for name in ("validation", *splits)}
        records = {
            name: functools.partial(Records.load, path) for name, path in files.items() if path.exists()
        }
        return cls(**description, splits=splits, records=records)


def prepare(
    config: TrainConfig,
    environment: Environment,
    stop: StopSignal,
    folder: Path,
    meanwhile: Callable[[], None] = lambda: None,
) -> PreparedData:
    """Read, check, tokenise and examine the channels; the first host writes data_report.json.

    Args:
        folder: receives the token ids, which stay mapped from there.
        meanwhile: called once the model is found to be in order, to start what needs no data yet.
    Raises:
        UserError: for an invalid model, channel, row or label, or data that would waste the run.
        PlatformError: when the token ids cannot be written.
        Stopped: as soon as a stop signal comes.
    """
    quiet_transformers()
    with stop.immediately():  # no work would be lost
        preparation = _Preparation(config, environment, folder)
    meanwhile()
    with stop.immediately():
        logger.info("reading the data")
        data = preparation.read()
        preparation.choose(data)
        understood = preparation.understood(data)
        splits, facts = preparation.encode(data)
        report = preparation.examine(data, splits, facts, understood)
        fingerprints = {name: examples.fingerprint() for name, examples in data.channels.items()}
        words = class_words(data.train.texts, data.train.targets, len(data.labels))
    if environment.host_rank == 0:
        write_report(environment, report)
    log_findings(report)
    judged = {"validation": data.train, **data.channels} if config.cross_validation else data.channels
    records = {name: functools.partial(Records.of, judged[name]) for name in judged if name != "train"}
    return PreparedData(
        data.labels,
        positive_index(data.mapper) if data.train.task is Task.SINGLE else None,
        splits,
        fingerprints,
        report.as_json(),
        data.has_class_file,
        named_columns(data.train.understood),
        preparation.automatic,
        records,
        words.as_json(),
        pinned(config.model_name, config.revision),
        preparation.pairs,
    )


class _Preparation:
    """The steps of `prepare`; each is logged, since it takes a minute or more with a million texts."""

    def __init__(self, config: TrainConfig, environment: Environment, folder: Path) -> None:
        self._config = config
        self._environment = environment
        self._folder = folder
        # Built only to report its errors before reading the data.
        model, self._tokenizer = build_model(config, environment, None)
        self._positions = check_encoder_for(config, model, self._tokenizer, model_source(config, environment))
        self._draws_bar = has_bar()
        self._model_config, self._has_types = model.config, has_token_types(model, self._tokenizer)
        self._head = loaded_head(model)
        self._is_head_kept = False  # not known before the data are read
        self.automatic: dict[str, Any] = {}
        self.pairs: dict[str, Any] = {}

    def read(self) -> Data:
        """Return the checked examples of the channels."""
        files = [path for paths in data_files(self._config, self._environment).values() for path in paths]
        with reading_progress(files, bar=self._draws_bar):
            data = build_data(self._config, self._environment)
        require_suitable(self._config, data.train.task)
        self._is_head_kept = self._head.keeps(data.labels, data.train.task)
        return data

    def choose(self, data: Data) -> None:
        """Choose the settings that are left to the training texts, and make the encoder of texts."""
        self.pairs = pair_settings(
            self._config, self._tokenizer, is_paired=data.train.is_paired, has_token_types=self._has_types
        )
        source = model_source(self._config, self._environment)
        self.automatic = settings_by_data(
            self._config, source, self._model_config, self._tokenizer, data.train.texts,
            positions=self._positions, is_head_kept=self._is_head_kept, pairs=self.pairs,
        )  # fmt: skip
        self._config = dataclasses.replace(self._config, **self.automatic)
        self._encoder = text_encoder(self._config, self._tokenizer, self.pairs)

    def understood(self, data: Data) -> dict[str, dict[str, Any]]:
        """Return what was understood of each channel's files, and log it."""
        found = {}
        for name, files in data_files(self._config, self._environment).items():
            examples = data.channels[name]
            parts = [examples]
            if data.is_held_out and data.validation is not None and name == "train":
                parts.append(data.validation)
            classes: Counter[str] = Counter()
            for part in parts:
                classes.update(part.texts_by_class(data.labels))
            names = [files.name_of(path) for path in files]
            found[name] = channel_understood(
                examples.understood, names, examples.num_empty, classes, labels_per_text(parts)
            )
            for line in lines_of(found[name]):
                logger.info("%s: %s", name, line)
        return found

    def encode(self, data: Data) -> tuple[dict[str, Split], dict[str, TextFacts]]:
        """Tokenise the channels, and look at each text; the ids go into the folder."""
        sizes = ", ".join(f"{name} {len(examples)}" for name, examples in data.channels.items())
        logger.info("tokenising the texts: %s", sizes)
        scans = {name: TextScan(examples.texts) for name, examples in data.channels.items()}
        splits = {name: self._encode(data.channels[name], name, scan) for name, scan in scans.items()}
        return splits, {name: scan.facts for name, scan in scans.items()}

    def examine(
        self,
        data: Data,
        splits: Mapping[str, Split],
        facts: Mapping[str, TextFacts],
        understood: Mapping[str, Any],
    ) -> DataReport:
        """Return the findings of the data doctor."""
        logger.info("examining the data")
        unknown = self._tokenizer.unk_token_id
        stats = {
            name: ChannelStats.of(name, examples, self._encoder, splits[name].encoded, unknown, facts[name])
            for name, examples in data.channels.items()
        }
        return examine(
            self._config, stats, data.labels,
            longest=self._positions, is_held_out=data.is_held_out, understood=understood,
        )  # fmt: skip

    def _encode(self, examples: Examples, channel: str, scan: TextScan) -> Split:
        def on_chunk(done: int) -> None:
            scan.look_until(done)  # while other threads tokenise
            progress.update(done)

        path = ids_file(self._folder, channel)
        with contextlib.closing(TextProgress(channel, len(examples), bar=self._draws_bar)) as progress:
            encoded = encode_to_file(self._encoder, examples.texts, path, on_chunk)
        if channel == "train":
            require_tokens(encoded)
        log_tokens(self._encoder, encoded, examples.texts, channel)
        return Split(encoded, examples.targets)
