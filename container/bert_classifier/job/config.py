"""The settings of `train`: frozen, parsed once from strings, all mistakes reported at once.

Standard library only, so that the launcher can check hyperparameters before a job is billed.
"""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any, Self

from bert_classifier.job.automatic_lengths import LARGEST_AUTOMATIC_LENGTH
from bert_classifier.job.contradictions import contradictions
from bert_classifier.job.former_names import ALIASES, current_name, translated
from bert_classifier.job.settings import (
    boolean,
    choice,
    integer,
    number,
    parse_values,
    refuse,
    separator,
    string,
    text_encoding,
)

logger = logging.getLogger(__name__)

# The names under which fingerprints and training.json record settings, since the first version.
_RECORDED_AS = {"num_gradient_groups": "gradient_shards"}
# Settings of the first version that are gone, as they were by default: equal fingerprints stay equal.
RECORDED_STILL = {"compile": "false"}
# How data files are read; their effect is in the data, so a run without them is the same as before they existed.
READER_SETTINGS = (
    "text_column", "text_pair_column", "label_column", "label_columns", "label_separator", "title_column", "header",
    "delimiter", "encoding", "missing_labels", "task",
)  # fmt: skip
# Settings that did not exist in the first version.
_LATER = (
    *READER_SETTINGS, "reproducible", "page_examples", "seeds", "cross_validation", "head_init", "pooling",
    "keep_head", "revision", "multi_label_score", "label_threshold", "target_precision", "pair_truncation",
)  # fmt: skip


# fmt: off
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The hyperparameters of a training job."""

    model_name: str = string(
        "bert-base-uncased", "Pretrained encoder on the model hub; not used when a `model` channel is given.")
    revision: str = string(
        "", "Branch, tag or commit of model_name on the model hub; default: its main branch.")
    max_seq_length: int | None = integer(
        None, 8, 8192,
        "Maximum tokens per text, or per window of it, [CLS] and [SEP] included; auto = what keeps 99 % of the "
        "training texts whole, from 256 to 512 and at most what the model takes.", auto=True)
    pooling: str = choice(
        "auto", ("auto", "cls", "mean"),
        "What the head reads: [CLS], or the mean of the tokens, which takes one more encoder layer; auto = mean where "
        "the encoder is a sentence encoder trained on it and there are fewer than 1,000 training texts.")
    pair_truncation: str = choice(
        "longest_first", ("longest_first", "only_second"),
        "Which part of a pair of texts is shortened where both are too long together: always the longer one, or the "
        "second.")
    truncation: str = choice(
        "head", ("head", "head_tail", "windows"),
        "What to keep of a longer text: its head, its first quarter and its end, or all of it in windows.")
    window_overlap: float = number(
        0.2, 0, 0.9, "With truncation=windows: fraction of a window that overlaps the next one.")
    max_windows: int = integer(
        16, 1, 1024, "With truncation=windows: maximum windows per text; the rest is dropped.")
    num_train_epochs: int | None = integer(
        None, 1, 10_000, "Passes over the data; auto = about 120 steps, at least 3.",
        auto=True)
    learning_rate: float | None = number(
        None, 0, 1, "AdamW's peak learning rate; auto = 2e-4 at width 384; at 768, 1e-4 below 1,000 texts, else 5e-5;"
        " half of it if the head has a start.",
        above=True, auto=True)
    warmup_ratio: float | None = number(
        None, 0, 1, "Fraction of the steps over which the learning rate rises from 0; auto = 0.1.", auto=True)
    weight_decay: float = number(0.01, 0, 1, "AdamW's decay; biases and LayerNorm weights are exempt.")
    max_grad_norm: float = number(1.0, 0, 1e9, "Gradients with a larger norm are scaled down to it; 0 = never.")
    layer_decay: float = number(
        1.0, 0, 1, "Learning rate of each encoder layer relative to the one above it; 1 = all alike.", above=True)
    global_batch_size: int | None = integer(
        None, 1, 1_000_000, "Texts per optimizer step, over all GPUs of all instances; auto = 8 below 200 training "
        "texts, 16 below 1,000, else 32.", auto=True)
    per_device_batch_size: int | None = integer(
        None, 1, 1_000_000, "Instead of global_batch_size: texts per device and micro-batch.")
    gradient_accumulation_steps: int | None = integer(
        None, 1, 100_000, "With per_device_batch_size: micro-batches per device and optimizer step; default 1.")
    max_tokens_per_micro_batch: int | None = integer(
        None, 8, 100_000_000,
        "Maximum tokens per forward pass, padding included; default: 2048 on a CPU, and on a GPU 2048 to 65536 by its "
        "memory, or 16384 where the run is reproducible.")
    precision: str = choice(
        "auto", ("auto", "fp32", "bf16", "fp16"),
        "Arithmetic; auto = bf16 or fp16 depending on the GPU, fp32 on a CPU.")
    freeze_encoder: bool = boolean(False, "Train only the classification head.")
    head_init: str = choice(
        "auto", ("auto", "random", "logistic_regression"),
        "Where the last layer starts; logistic_regression = as one, weakly fitted (C = 0.01) on the frozen encoder; "
        "auto = that where pooling is mean and no head is kept, else random.")
    keep_head: str = choice(
        "auto", ("auto", "true", "false"),
        "Whether an encoder that is a classifier already keeps its head, class by class; true = yes, its classes must "
        "be those of the data; auto = where this program trained it for the same classes, and "
        "neither the new layer of pooling=mean nor head_init=logistic_regression replaces it.")
    class_weights: str = choice(
        "none", ("none", "balanced"), "balanced = rare classes weigh more in the loss.")
    early_stopping_patience: int = integer(
        0, 0, 10_000, "Evaluations without improvement before training stops; 0 = never.")
    keep_weights: str = choice(
        "auto", ("auto", "best", "last"),
        "Weights to export: of the best evaluation or of the last step; auto = last where validation has fewer than "
        "200 texts and early stopping is off, else best.")
    eval_steps: int = integer(0, 0, 1_000_000_000, "Optimizer steps between evaluations; 0 = once per epoch.")
    abstain_below: float = number(
        0.0, 0, 1, "Answer without a label where the score is lower; 0 = every text gets one.")
    target_accuracy: float = number(
        0.0, 0, 1,
        "Instead of abstain_below: pick the lowest threshold above which this fraction of the labels is right on new "
        "texts too, with 95 % confidence.")
    checkpoint_interval_seconds: int = integer(
        300, 1, 86_400,
        "Seconds between checkpoints; longer if saving would take more than 2 % of the time.")
    damaged_checkpoints: str = choice(
        "stop", ("stop", "set_aside"),
        "When none of this run's checkpoints can be used: stop, or rename them and begin at step 0.")
    max_run_seconds: int = integer(
        0, 0, 2_419_200, "The job's max_run: a checkpoint is saved shortly before this time is up; 0 = unknown.")
    logging_steps: int = integer(
        0, 0, 1_000_000_000, "Optimizer steps between log lines; 0 = one line every 10 seconds.")
    validation_split: float = number(
        0.1, 0, 0.5, "Without a validation channel: fraction of the training data to hold out, stratified by class.",
        above=True)
    processes_per_host: int | None = integer(
        None, 1, 64, "Processes (ranks) per instance; default: one per GPU, or one without a GPU.")
    reproducible: str = choice(
        "auto", ("auto", "true", "false"),
        "true = the same bits at every repetition on as many processes (on other numbers: num_gradient_groups), with "
        "deterministic kernels; false = gradients are exchanged while backward computes; auto = true on CPUs and where "
        "num_gradient_groups is set, else false.")
    num_gradient_groups: int | None = integer(
        None, 1, 4096,
        "Number of gradient groups per batch. Results are bit-identical on any number of processes up to this one, if "
        "each has the same number of threads: 8 = the same bits on any number of GPUs up to 8. Default: the number of "
        "processes at the start of the run.")
    peer_timeout_seconds: int = integer(
        120, 2, 3600, "Seconds without a response after which another process counts as lost.")
    seed: int = integer(42, 0, 2**32 - 1, "Seed of everything random.")
    seeds: int = integer(
        1, 1, 20,
        "Trainings with the same data and settings and different seeds, one after the other; the model that is best on "
        "validation is exported.")
    cross_validation: int = integer(
        0, 0, 20,
        "For small data without a validation channel: train the model on all texts, and judge each of them by one of "
        "this many further models, which have not seen it; 0 = hold out validation_split instead.")
    task: str = choice(
        "auto", ("auto", "single", "multi"),
        "single = each text has one label; multi = it has any number of them, or none; auto = multi where the data "
        "have lists of labels, or where label_separator or label_columns is set.")
    multi_label_score: str = choice(
        "micro_f1", ("micro_f1", "mean_average_precision"),
        "With several labels per text: the score of validation that selects the best weights.")
    label_threshold: float | None = number(
        None, 0, 1, "With several labels per text: a label is answered where its score is at least this; auto = for "
        "each label the threshold with the best F1 on validation.", auto=True)
    target_precision: float = number(
        0.0, 0, 1, "Instead of label_threshold: pick for each label the lowest threshold above which this fraction of "
        "its answers is right on new texts too, with 95 % confidence.")
    train_file: str = string("", "Only this file of the train channel; default: all.")
    validation_file: str = string("", "Only this file of the validation channel; default: all.")
    class_file: str = string("classes.txt", "Name of the file that lists the classes, one per line.")
    text_column: str = string(
        "", "Column of the text: its name, or its number from 1. Default: by names in use, such as text or review.")
    text_pair_column: str = string(
        "", "Column of the second text, where each text is a pair: its name, or its number from 1. Default: by names "
        "in use, such as text_pair beside text, or sentence2 beside sentence1; none where text_column alone is set.")
    label_column: str = string(
        "", "Column of the label: its name, or its number from 1. Default: by names in use, such as label or intent.")
    label_separator: str = separator(
        "", "What stands between several labels in one cell, as in a|b. Default: such a cell is one label.")
    label_columns: str = string(
        "", "Columns that are a label each, with 1 where a text has it and 0 where it has not: names or numbers from "
        "1, separated by commas; first..last takes all between, too.", longest=4096)
    title_column: str = string(
        "", "Column to put before the text. Default: none; a column called title replaces an empty text.")
    header: str = choice(
        "auto", ("auto", "true", "false"),
        "Whether the first row of CSV names the columns; auto = recognise it, and refuse what is unclear.")
    delimiter: str = separator(
        "", "Character between the cells of CSV. Default: comma, semicolon, tab or pipe, found from the rows.")
    encoding: str = text_encoding(
        "", "Encoding of data files without a byte order mark, such as cp1252. Default: UTF-8.")
    missing_labels: str = choice(
        "refuse", ("refuse", "keep", "drop"),
        "Rows whose label is empty or a word for a missing value (NaN, null, None, NA): refuse the file, keep such "
        "words as a class, or drop the rows.")
    page_examples: int = integer(
        0, 0, 20,
        "Validation texts to offer as examples on the server's page; 0 = none. They are stored in the artifact, so "
        "everybody who reaches it or the endpoint can read them.")
    # fmt: on

    @classmethod
    def from_hyperparameters(cls, raw: Mapping[str, object]) -> Self:
        """Parse the hyperparameters of a job.

        Raises:
            UserError: naming every unknown name, wrong value and contradiction at once.
        """
        own, mistakes = translated(raw)
        written = {current_name(name, raw): name for name in raw}
        values, wrong = parse_values(cls, own, "hyperparameter", written.__getitem__, ALIASES)
        mistakes += wrong + contradictions(values, written)
        refuse(mistakes, "Correct the hyperparameters of the job.")
        return cls(**values)

    def recorded(self) -> dict[str, Any]:
        """Return the settings by the names under which files record them; those that came later only where set."""
        present = {
            _RECORDED_AS.get(field.name, field.name): getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _LATER or getattr(self, field.name) != field.default
        }
        return {**present, **RECORDED_STILL}

    def is_reproducible(self, device_type: str) -> bool:
        """Return whether a run on "cpu" or "cuda" computes the same bits on any number of processes up to its
        number of gradient groups.
        """
        if self.reproducible != "auto":
            return self.reproducible == "true"
        return device_type == "cpu" or self.num_gradient_groups is not None

    @property
    def largest_seq_length(self) -> int:
        """The maximum of max_seq_length: itself where it is set, else the most that is chosen automatically."""
        budget = self.max_tokens_per_micro_batch or LARGEST_AUTOMATIC_LENGTH
        return self.max_seq_length or min(LARGEST_AUTOMATIC_LENGTH, budget)

    def resolve_global_batch_size(self, world_size: int) -> int | None:
        """Return the texts per optimizer step on `world_size` devices; None if chosen by the data."""
        if self.per_device_batch_size is not None:
            return self.per_device_batch_size * (self.gradient_accumulation_steps or 1) * world_size
        return self.global_batch_size
