"""Files of clouds and of other libraries."""

import json
from typing import Any

from support.tool_files.made import (
    LETTERS,
    NAMES,
    ONE_LINE,
    PLAIN,
    as_objects,
    either,
    labels_first,
    objects,
    read,
    refused,
    table,
    texts_first,
)

_OF_JOB = {
    "confidence": 0.9,
    "type": "groundtruth/text-classification",
    "human-annotated": "yes",
    "creation-date": "2026-09-21T09:50:00.123456",
}


def _manifest(*jobs: str) -> str:
    def record(label: str, text: str) -> dict[str, Any]:
        found: dict[str, Any] = {"source": text}
        for shift, job in enumerate(jobs):
            number = (NAMES.index(label) + shift) % len(NAMES)
            found |= {
                job: number,
                f"{job}-metadata": {
                    "class-name": NAMES[number],
                    "job-name": f"labeling-job/{job}",
                    **_OF_JOB,
                },
            }
        return found

    return objects(record(label, text) for label, text in LETTERS)


def _multi_label_manifest() -> str:
    about = {
        "job-name": "labeling-job/letters",
        **_OF_JOB,
        "class-map": {"0": NAMES[0], "2": NAMES[2]},
        "confidence-map": {"0": 0.9, "2": 0.8},
    }
    return objects({"source": text, "letters": [0, 2], "letters-metadata": about} for _, text in LETTERS)


_VERTEX = table(
    "", [[("training", "test", "training")[i // 8], text, label] for i, (label, text) in enumerate(LETTERS)]
)
_AZURE = {
    "projectFileVersion": "2022-05-01",
    "stringIndexType": "Utf16CodeUnit",
    "metadata": {
        "projectKind": "CustomSingleLabelClassification",
        "projectName": "letters",
        "language": "en-us",
    },
    "assets": {
        "classes": [{"category": name} for name in NAMES],
        "documents": [{"location": "1.txt", "class": {"category": NAMES[0]}}],
    },
}
_JOINED = [("praise|question" if i % 6 == 1 else label, text) for i, (label, text) in enumerate(ONE_LINE)]
_CHAT = objects(
    {
        "messages": [
            {"role": "system", "content": "Classify."},
            {"role": "user", "content": text},
            {"role": "assistant", "content": label},
        ]
    }
    for label, text in LETTERS
)
_COMPLETIONS = objects({"prompt": f"{text}\n\n###\n\n", "completion": f" {label}"} for label, text in LETTERS)

CLOUDS = [
    read("ground-truth", "output.manifest", _manifest("letters")),
    read("ground-truth-named-jsonl", "output.jsonl", _manifest("letters")),
    refused(
        "ground-truth-chained",
        "output.manifest",
        _manifest("letters", "audit"),
        "letters",
        "audit",
        "label_column",
    ),
    read(
        "ground-truth-chained-given", "output.manifest", _manifest("letters", "audit"), label_column="letters"
    ),
    read(
        "ground-truth-multi-label",
        "output.manifest",
        _multi_label_manifest(),
        [((NAMES[0], NAMES[2]), text) for _, text in LETTERS],
    ),
    refused(
        "ground-truth-s3-objects",
        "output.manifest",
        _manifest("letters").replace('"source"', '"source-ref"'),
        "source-ref",
    ),
    read("comprehend", "letters.csv", table("", labels_first(ONE_LINE)), ONE_LINE),
    read("comprehend-multi-label", "letters.csv", table("", labels_first(_JOINED)), _JOINED),
    read(
        "comprehend-multi-label-given",
        "letters.csv",
        table("", labels_first(_JOINED)),
        [(tuple(label.split("|")), text) for label, text in _JOINED],
        label_separator="|",
    ),
    refused("vertex-csv", "letters.csv", _VERTEX, "label_column"),
    read("vertex-csv-given", "letters.csv", _VERTEX, text_column="2", label_column="3", header="false"),
    refused(
        "vertex-jsonl",
        "letters.jsonl",
        objects(
            {
                "classificationAnnotation": {"displayName": label},
                "textContent": text,
                "dataItemResourceLabels": {},
            }
            for label, text in LETTERS
        ),
        "classificationAnnotation",
        "textContent",
    ),
    refused("azure-language", "labels.json", json.dumps(_AZURE), "object"),
    refused("openai-chat", "letters.jsonl", _CHAT, "messages"),
    refused("openai-completions", "letters.jsonl", _COMPLETIONS, "prompt", "completion", "label_column"),
    read(
        "openai-completions-given",
        "letters.jsonl",
        _COMPLETIONS,
        [(label, f"{text}\n\n###\n\n") for label, text in LETTERS],
        label_column="completion",
        text_column="prompt",
    ),
]

LIBRARIES = [
    refused(
        "spacy",
        "train.json",
        json.dumps(
            [[text, {"cats": {name: float(name == label) for name in NAMES}}] for label, text in LETTERS]
        ),
        "object",
    ),
    read(
        "fasttext", "letters.txt", "".join(f"__label__{label} {text}\n" for label, text in ONE_LINE), ONE_LINE
    ),
    read(
        "blazingtext",
        "dbpedia.train.txt",
        "".join(f"__label__{label} , {text}\n" for label, text in PLAIN),
        [(label, f", {text}") for label, text in PLAIN],
    ),
    either(
        "fasttext-named-csv",
        "letters.csv",
        "".join(f"__label__{label} {text}\n" for label, text in ONE_LINE),
        "fastText",
        pairs=ONE_LINE,
    ),
    read(
        "fasttext-two-labels",
        "letters.txt",
        "".join(
            f"__label__{label} {'__label__urgent ' * (i % 2)}{text}\n"
            for i, (label, text) in enumerate(PLAIN)
        ),
        [((label, "urgent") if i % 2 else (label,), text) for i, (label, text) in enumerate(PLAIN)],
    ),
    refused(
        "scikit-learn-folders",
        "",
        {f"{label}/{i}.txt": text.encode() for i, (label, text) in enumerate(LETTERS)},
        "fastText",
    ),
    refused(
        "weka-arff",
        "letters.csv",
        "@relation letters\n\n@attribute text string\n@attribute class {complaint,praise,question}\n\n@data\n"
        + table("", texts_first(PLAIN)),
        "ARFF",
    ),
    refused(
        "libsvm", "letters.csv", "".join(f"{i % 2} {i + 3}:0.5 {i + 9}:1\n" for i in range(24)), "column"
    ),
    read(
        "hugging-face-csv",
        "train.csv",
        table("text,label", [[text, str(NAMES.index(label))] for label, text in LETTERS]),
        [(str(NAMES.index(label)), text) for label, text in LETTERS],
    ),
    read(
        "hugging-face-json",
        "train.json",
        objects({**o, "label": NAMES.index(o["label"])} for o in as_objects()),
        [(str(NAMES.index(label)), text) for label, text in LETTERS],
    ),
]
