"""Files of labelling tools."""

import json
from typing import Any

from support.tool_files.made import (
    LETTERS,
    NAMES,
    objects,
    read,
    refused,
    table,
)

_STUDIO = "annotation_id,annotator,created_at,id,lead_time,sentiment,text,updated_at"
_WHEN = "2026-09-21T09:50:00.123456Z"


def _studio_csv(labels: list[str]) -> str:
    rows = [
        [str(i + 1), "1", _WHEN, str(i + 1), "4.288", label, text, _WHEN]
        for i, (label, (_, text)) in enumerate(zip(labels, LETTERS, strict=True))
    ]
    return table(_STUDIO, rows)


def _studio_json() -> str:
    def task(i: int, label: str, text: str) -> dict[str, Any]:
        choice = {
            "value": {"choices": [label]},
            "id": f"c{i}",
            "from_name": "sentiment",
            "to_name": "text",
            "type": "choices",
            "origin": "manual",
        }
        return {
            "id": i,
            "annotations": [{"id": i, "completed_by": 1, "result": [choice], "was_cancelled": False}],
            "data": {"text": text},
            "project": 1,
        }

    return json.dumps([task(i, label, text) for i, (label, text) in enumerate(LETTERS)])


_STUDIO_MIN = [
    {
        "text": text,
        "id": i,
        "sentiment": label,
        "annotator": 1,
        "annotation_id": i,
        "created_at": _WHEN,
        "updated_at": _WHEN,
        "lead_time": 4.288,
    }
    for i, (label, text) in enumerate(LETTERS)
]
_TWO = json.dumps({"choices": list(NAMES[:2])})


def _prodigy(*answers: str) -> str:
    return objects(
        {
            "text": text,
            "label": label,
            "_input_hash": i,
            "_task_hash": i,
            "_view_id": "classification",
            "answer": answers[i % len(answers)],
        }
        for i, (label, text) in enumerate(LETTERS)
    )


_PRODIGY_CHOICES = objects(
    {
        "text": text,
        "options": [{"id": name, "text": name} for name in NAMES],
        "_input_hash": i,
        "_view_id": "choice",
        "accept": [label],
        "answer": "accept",
    }
    for i, (label, text) in enumerate(LETTERS)
)
LABELLING_TOOLS = [
    read("label-studio-csv", "project-1.csv", _studio_csv([label for label, _ in LETTERS])),
    read(
        "label-studio-csv-choices",
        "project-1.csv",
        _studio_csv([_TWO if i % 5 == 1 else label for i, (label, _) in enumerate(LETTERS)]),
        [(NAMES[:2] if i % 5 == 1 else (label,), text) for i, (label, text) in enumerate(LETTERS)],
    ),
    read("label-studio-json-min", "project-1.json", json.dumps(_STUDIO_MIN)),
    refused("label-studio-json", "project-1.json", _studio_json(), "annotations"),
    read(
        "doccano-jsonl",
        "all.jsonl",
        objects(
            {"id": i, "text": text, "label": [label], "Comments": []}
            for i, (label, text) in enumerate(LETTERS)
        ),
    ),
    read(
        "doccano-jsonl-two-labels",
        "all.jsonl",
        objects(
            {"id": i, "text": text, "label": [label, "urgent"][: 1 + i % 2]}
            for i, (label, text) in enumerate(LETTERS)
        ),
        [((label, "urgent") if i % 2 else (label,), text) for i, (label, text) in enumerate(LETTERS)],
    ),
    refused(
        "doccano-jsonl-unlabelled",
        "all.jsonl",
        objects(
            {"id": i, "text": text, "label": [label][: i % 6]} for i, (label, text) in enumerate(LETTERS)
        ),
        "label",
    ),
    read(
        "doccano-csv",
        "all.csv",
        table("id,text,label", [[str(i), text, label] for i, (label, text) in enumerate(LETTERS)]),
    ),
    read("prodigy", "letters.jsonl", _prodigy("accept")),
    refused("prodigy-rejected", "letters.jsonl", _prodigy("accept", "reject", "accept", "ignore"), "answer"),
    refused("prodigy-choices", "letters.jsonl", _PRODIGY_CHOICES, "accept", "label_column"),
    read("prodigy-choices-given", "letters.jsonl", _PRODIGY_CHOICES, label_column="accept"),
]
