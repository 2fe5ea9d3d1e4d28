"""What the report says of a run: what was trained, where and when, and which settings were changed."""

import datetime
from collections.abc import Mapping
from typing import Any

from bert_classifier.artifact.agreement import int8_sentence
from bert_classifier.artifact.provenance import encoder_facts, encoder_name
from bert_classifier.evaluation.report.context import ABOUT
from bert_classifier.job.config import RECORDED_STILL, TrainConfig
from bert_classifier.job.environment import Environment
from bert_classifier.job.wording import counted, moment_text
from bert_classifier.training.exported_weights import ExportedWeights
from bert_classifier.training.prepare import PreparedData
from bert_classifier.training.trainer import Trainer

BY_HAND, AUTOMATIC, DEFAULT = (
    "Settings set by hand",
    "Settings chosen automatically",
    "Settings left at their defaults",
)


def facts_of(
    config: TrainConfig,
    environment: Environment,
    prepared: PreparedData,
    trainer: Trainer,
    info: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return the groups of facts, in the order in which the report shows them.

    Args:
        config: of the job.
        info: training.json.
    """
    settings = _settings(config, info)
    return {
        ABOUT: _about(environment, prepared, info, settings),
        "Run": _run(trainer, info),
        **settings,
        "Encoder": encoder_facts(info["encoder"]),
        "Data": {name: _spoken(value) for name, value in info["data"].items()},
        "Versions": info["versions"],
    }


def _spoken(value: Any) -> Any:
    is_mapping = isinstance(value, Mapping)
    return ", ".join(f"{name}: {each}" for name, each in value.items()) if is_mapping else value


def _about(
    environment: Environment,
    prepared: PreparedData,
    info: Mapping[str, Any],
    settings: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    first, *_, last = (info["lives"] or [{}]) * 2
    changed = ", ".join(f"{name}={value}" for name, value in settings[BY_HAND].items())
    facts = {
        "encoder": encoder_name(info["encoder"]),
        "trained on": _texts(prepared),
        "job": environment.job_name or "local run",
        "run": info["run_fingerprint"],
        "began": moment_text(datetime.datetime.fromisoformat(first["began"])) if first.get("began") else "",
        "where": f"{last['instance_type'] or 'no instance type'}, {last['ranks']} × {last['device']}"
        if last
        else "",
        "settings set by hand": changed or "none",
    }
    return {name: value for name, value in facts.items() if value}


def _texts(prepared: PreparedData) -> str:
    """Return the files and how many texts and classes they have, such as "a.csv: 90 texts for training, …"."""
    train = prepared.splits["train"]
    counts = [
        f"{len(split.targets):,} for {_PURPOSE[name]}"
        for name, split in prepared.splits.items()
        if name == "train" or split is not train  # which cross-validation judges
    ]
    classes = counted(len(prepared.labels), "class", "classes")
    groups = prepared.data_report.get("understood", {}).get("train", {}).get("groups", [])
    names = [of_file["file"] for group in groups for of_file in group["files"]]
    files = f"{names[0]}{' and other files' if len(names) > 1 else ''}: " if names else ""
    return f"{files}texts of {classes}, {', '.join(counts)}"


_PURPOSE = {"train": "training", "validation": "validation", "test": "the test"}


def _run(trainer: Trainer, info: Mapping[str, Any]) -> dict[str, Any]:
    attempts, seconds = info["lives"], trainer.history.seconds
    return {
        "steps": f"{info['steps']} of {trainer.total_steps}",
        "exported weights": ExportedWeights(trainer).description,
        "precision": info["precision"],
        **({"served in int8": int8} if (int8 := int8_sentence(info)) else {}),
        "reproducible": "true" if info["reproducible"] else "false",
        "tokens per micro-batch": f"at most {info['token_budget']}",
        "training time": f"{seconds / 60:.0f} minutes" if seconds > 120 else f"{seconds:.0f} seconds",
        "interruptions": max(0, len(attempts) - 1),
        **{
            f"attempt {number}": f"from step {attempt['from_step']}, {attempt['ranks']} × {attempt['device']}"
            f" ({attempt['instance_type'] or 'no instance type'}), {attempt['threads']} thread(s),"
            f" {attempt['shards']} gradient group(s)"
            for number, attempt in enumerate(attempts, start=1)
        },
    }


def _settings(config: TrainConfig, info: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings by who chose them; one that was set to its default counts as left at it."""
    defaults = TrainConfig().recorded()
    automatic = info["automatic_hyperparameters"]
    groups: dict[str, dict[str, Any]] = {BY_HAND: {}, AUTOMATIC: {}, DEFAULT: {}}
    recorded = config.recorded()
    for name, value in info["hyperparameters"].items():
        if value in (None, "") or name in RECORDED_STILL:
            continue
        is_by_hand = name not in defaults or recorded.get(name) != defaults[name]
        group = AUTOMATIC if name in automatic else BY_HAND if is_by_hand else DEFAULT
        groups[group][name] = value
    return groups
