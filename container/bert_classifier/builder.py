"""The one place to change for your own data: the Dataset that reads the files and the label mapper.

Import your classes here and change the two functions marked ←; no other code refers to them.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.artifact.provenance import describe_encoder
from bert_classifier.data.cross_validated import require_suitable_number
from bert_classifier.data.examples import (
    Examples,
    distinct_labels,
    read_examples,
    require_rows,
    stratified_split,
)
from bert_classifier.data.examples_alike import log_task, require_alike
from bert_classifier.data.job_files import data_files, model_source, read_class_list
from bert_classifier.data.reader_settings import DataFiles
from bert_classifier.dbpedia import DbpediaDataset, DbpediaLabelMapper
from bert_classifier.errors import UserError
from bert_classifier.job.config import TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.task import Task
from bert_classifier.label_mapper import LabelMapperBase, class_names, positive_index
from bert_classifier.modeling.heads import keep_head_of
from bert_classifier.modeling.hub import pinned
from bert_classifier.modeling.pooling import use_pooling
from bert_classifier.modeling.pretrained import freeze_encoder, load_config, load_pretrained
from bert_classifier.modeling.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)


def build_dataset(files: Sequence[Path]) -> Any:
    """Return a Dataset whose items are (text, raw label), or (text, list of raw labels).  ← your Dataset here.

    Args:
        files: paths; those of a job also carry its settings for reading them (reader_settings.DataFiles).
    """
    return DbpediaDataset(files)


def build_label_mapper(names: Sequence[str] | None, dataset: Any) -> LabelMapperBase:
    """Return the label mapper.  ← your LabelMapperBase subclass here.

    Args:
        names: the lines of classes.txt; None without that file.
        dataset: the training data, for mappers that collect the labels from it.
    """
    if names is not None:
        return DbpediaLabelMapper(names)
    return DbpediaLabelMapper.from_labels(distinct_labels(dataset))


@dataclasses.dataclass(frozen=True)
class Data:
    """The examples of a job.

    Attributes:
        labels: class names in the order of their indices.
        validation: None with cross_validation, which judges the training texts instead.
        test: None without a test channel.
        is_held_out: whether validation was split off the train channel.
        has_class_file: whether a class file gives the order of the classes.
    """

    mapper: LabelMapperBase
    labels: Sequence[str]
    train: Examples
    validation: Examples | None
    test: Examples | None
    is_held_out: bool
    has_class_file: bool

    @property
    def channels(self) -> dict[str, Examples]:
        """The examples by channel: train, validation and, if there is one, test."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: examples for name, examples in named.items() if examples is not None}


def build_data(config: TrainConfig, environment: Environment) -> Data:
    """Read and check the channels.

    Raises:
        UserError: for an invalid channel, file, row or label.
    """
    names = read_class_list(config, environment)
    files = data_files(config, environment, names or ())
    dataset = build_dataset(files["train"])
    require_rows(dataset, "train")
    mapper = build_label_mapper(names, dataset)
    labels = class_names(mapper)
    positive_index(mapper)
    train = read_examples(dataset, mapper, "train", None if config.task == "auto" else Task(config.task))
    log_task(train, config.task)
    validation = _optional(files, mapper, "validation", train)
    is_held_out = validation is None and not config.cross_validation
    if is_held_out:
        train, validation = stratified_split(train, config.validation_split, config.seed)
        logger.info(
            "no validation channel: holding out %d texts of train, stratified by class", len(validation)
        )
    elif validation is None:
        require_suitable_number(len(train), config.cross_validation)
    if (train.targets == train.targets[0]).all():
        if train.task is Task.MULTI:
            raise UserError(
                "All training texts have the same labels.", "Give texts that differ in their labels."
            )
        raise UserError("The training data hold only one class.", "Give rows of at least two classes.")
    test = _optional(files, mapper, "test", train)
    return Data(mapper, labels, train, validation, test, is_held_out, has_class_file=names is not None)


def build_model(
    config: TrainConfig,
    environment: Environment,
    labels: Sequence[str] | None,
    task: Task = Task.SINGLE,
) -> tuple[Any, Any]:
    """Return the model and its tokenizer, from the `model` channel or else by model_name.

    Args:
        labels: class names in the order of the logits; None before the data are read, for a look at the model.
        task: whether a text has one label or any number.
    Raises:
        UserError: when they cannot be loaded or do not fit together.
    """
    source = model_source(config, environment)
    revision = pinned(source, config.revision)
    model_config = load_config(source, revision)  # first: transformers' tokenizers read its file too
    tokenizer = load_tokenizer(source, revision)
    keep_head = keep_head_of(config, model_config, source)
    model = load_pretrained(
        source, labels, tokenizer, config.max_seq_length, task=task, keep_head=keep_head, revision=revision
    )
    use_pooling(model, config.pooling, source)
    if config.freeze_encoder:
        freeze_encoder(model)
    return model, tokenizer


def encoder_of(config: TrainConfig, environment: Environment, model: Any) -> dict[str, Any]:
    """Describe the origin of build_model's encoder, for the artifact and the report."""
    is_channel = "model" in environment.channels
    if is_channel and config.model_name != TrainConfig.model_name:
        logger.warning("model_name=%s is not used: the job has a model channel", config.model_name)
    source = model_source(config, environment)
    return describe_encoder(source, model, is_channel=is_channel, revision=config.revision)


def _optional(
    files: Mapping[str, DataFiles], mapper: LabelMapperBase, name: str, train: Examples
) -> Examples | None:
    """Read a channel as the training texts were understood; None without it."""
    if name not in files:
        return None
    examples = read_examples(build_dataset(files[name].with_task(train.task)), mapper, name, train.task)
    require_alike(examples, name, train)
    return examples
