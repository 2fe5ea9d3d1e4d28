"""The artifact's own description: what it is, how good, and how plain transformers gives the server's probabilities."""

from collections.abc import Mapping
from typing import Any

from bert_classifier.artifact.agreement import int8_sentence
from bert_classifier.data.text_pair import LONGEST_FIRST
from bert_classifier.job.task import Task
from bert_classifier.job.wording import counted

MODEL_CARD = "README.md"

_CARD = """\
---
library_name: transformers
pipeline_tag: text-classification
---

# A text classifier

`serve` of the image that trained this model answers requests with it. `config.json` names its classes (`id2label`),
`training.json` says how it was made and how well it did on texts that it was not trained on, and `manifest.json` has
the digests of all other files: `serve` refuses the folder when one of those has been altered. This page is
yours to edit.
{quality}
## With plain transformers

The scores of `serve` are calibrated: the logits are divided by `temperature` of `training.json` (here {temperature:g})
before {pipeline}. These
lines give the probabilities that `serve` gives:

```python
import json

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "."  # this one
{texts}

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder)
with open(f"{{folder}}/training.json", encoding="utf-8") as file:
    training = json.load(file)
inputs = tokenizer({arguments}, max_length=training["max_seq_length"], padding=True, return_tensors="pt")
with torch.inference_mode():
    probabilities = {function}
```

`probabilities[i][j]` is that of text `i` and class `model.config.id2label[j]`. {threshold}{cut}
"""

_SINGLE_TEXTS = {
    "texts": 'texts = ["the first text", "the second"]',
    "arguments": "texts, truncation=True",
}

_PIPELINE = (
    "softmax. transformers does not know that number: its `pipeline` gives the same labels with other scores"
)
_SOFTMAX = 'torch.softmax(model(**inputs).logits / training["temperature"], dim=-1)'
# Where a text may have several labels.
_LABEL_PIPELINE = """\
the sigmoid. transformers does not know that number, nor the thresholds: its `pipeline` with `top_k=None`
gives all labels with other scores"""
_SIGMOID = 'torch.sigmoid(model(**inputs).logits / training["temperature"])'
_LABEL_THRESHOLDS = (
    "A text may have any number of labels: `serve` gives each one whose probability is at least its own in `thresholds`"
    " of `training.json` (`null`: never)."
)

_QUALITY = """
## How good it is

{headline}{promise}{int8}
"""


def model_card(info: Mapping[str, Any]) -> str:
    """Return the content of README.md for an artifact with this training.json."""
    abstain_below, truncation = info.get("abstain_below", 0), info["truncation"]
    threshold = (
        f"Where the highest is below {abstain_below:g} (`abstain_below`), `serve` gives no label."
        if abstain_below
        else "The class with the highest is the label that `serve` gives."
    )
    cut = (
        ""
        if truncation == "head"
        else f"\n\nThis holds for texts of up to {info['max_seq_length']} tokens. `serve` does not cut longer ones at"
        f" their head: `truncation` is `{truncation}`."
    )
    is_multi = info.get("task") == Task.MULTI
    return _CARD.format(
        temperature=info.get("temperature", 1.0),
        threshold=_LABEL_THRESHOLDS if is_multi else threshold,
        cut=cut,
        quality=_quality(info),
        pipeline=_LABEL_PIPELINE if is_multi else _PIPELINE,
        function=_SIGMOID if is_multi else _SOFTMAX,
        **(_pairs(info) if info.get("is_paired") else _SINGLE_TEXTS),
    )


def _pairs(info: Mapping[str, Any]) -> dict[str, str]:
    """Return what the lines of code call pairs of texts, and how they are cut."""
    how = "True" if info["pair_truncation"] == LONGEST_FIRST else '"only_second"'
    return {
        "texts": 'texts = ["the first text of a pair", "of another one"]\n'
        'pairs = ["the second text of the pair", "of the other one"]',
        "arguments": f"texts, pairs, truncation={how}",
    }


def _quality(info: Mapping[str, Any]) -> str:
    """Return the section on how good the model is; "" for a model that was not evaluated."""
    headline = info.get("headline", "")
    if not headline:
        return ""
    promise, int8 = _promise(info.get("guarantee", {})), int8_sentence(info)
    return _QUALITY.format(
        headline=headline,
        promise=promise,
        int8=f"\n\nServed in int8 (`SERVING_PRECISION`), {int8}." if int8 else "",
    )


def _promise(guarantee: Mapping[str, Any]) -> str:
    if not guarantee:
        return ""
    if "target_precision" in guarantee:
        return _promise_of_labels(guarantee)
    target, threshold = guarantee["target_accuracy"], guarantee["threshold"]
    if threshold is None:
        return f"\n\n`target_accuracy={target:g}` cannot be guaranteed: every text gets a label."
    which = f" with a probability of {threshold:g} or more" if threshold else ""
    return (
        f"\n\nOn texts like those of validation, at least {100 * target:g} % of the labels{which} are right, with"
        f" {100 * guarantee['confidence']:g} % confidence. On validation, {guarantee['right']:,} of the"
        f" {guarantee['answered']:,} labels that {guarantee['validation_texts']:,} texts got were right."
    )


def _promise_of_labels(guarantee: Mapping[str, Any]) -> str:
    target, labels = guarantee["target_precision"], guarantee["labels"]
    never = [label for label, facts in labels.items() if facts["threshold"] is None]
    if len(never) == len(labels):
        return (
            f"\n\n`target_precision={target:g}` cannot be promised for any of {counted(len(labels), 'label')}, with"
            f" {guarantee['validation_texts']:,} validation texts: `serve` never gives one."
        )
    rest = f" The other {counted(len(never), 'label')} cannot be promised that: `serve` never gives them."
    promised = f"{len(labels) - len(never)} of {counted(len(labels), 'label')}"
    return (
        f"\n\nFor {promised}, on texts like those of validation, at least {100 * target:g} % of the answers with the"
        f" label are right, with {100 * guarantee['confidence']:g} % confidence in each label by itself."
        f"{rest if never else ''}"
    )
