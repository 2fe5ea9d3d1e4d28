"""Hyperparameters that contradict each other. Standard library only."""

from collections.abc import Mapping

from bert_classifier.job.automatic_lengths import LEAST_AUTOMATIC_LENGTH
from bert_classifier.job.task_settings import contradictions_of_labels


def contradictions(values: Mapping[str, object], written: Mapping[str, str]) -> list[str]:
    """Return what is wrong with valid hyperparameters together.

    Args:
        values: those given, by name.
        written: how each name was written.
    """
    found = []
    pair = [n for n in ("per_device_batch_size", "gradient_accumulation_steps") if n in values]
    if pair and "global_batch_size" in values:
        found.append(f"global_batch_size and {pair[0]} both set the batch: give one of the two forms")
    elif pair == ["gradient_accumulation_steps"]:
        found.append(
            "gradient_accumulation_steps needs per_device_batch_size (global_batch_size alone needs neither)"
        )
    if "abstain_below" in values and "target_accuracy" in values:
        found.append("abstain_below and target_accuracy both say when to abstain: give one of the two")
    budget, length = (
        values.get("max_tokens_per_micro_batch"),
        values.get("max_seq_length", LEAST_AUTOMATIC_LENGTH),
    )
    if isinstance(budget, int) and isinstance(length, int) and budget < length:
        found.append(f"max_tokens_per_micro_batch={budget} is below max_seq_length={length}")
    if values.get("reproducible") == "false" and "num_gradient_groups" in values:
        groups = written["num_gradient_groups"]
        found.append(f"{groups} implies reproducible=true: leave one of the two out")
    found += _unsuitable_labels(values)
    found += _unsuitable_for_kept_head(values)
    found += _unsuitable_for_cross_validation(values)
    if values.get("cross_validation") and values.get("target_accuracy"):
        found.append(
            "target_accuracy cannot be promised with cross_validation, whose scores are those of other models than the"
            " exported one: leave one of the two out (abstain_below sets a threshold by hand)"
        )
    found += contradictions_of_labels(values)
    alone = [n for n in ("window_overlap", "max_windows") if n in values]
    if alone and values.get("truncation") != "windows":
        found.append(f"{alone[0]} needs truncation=windows")
    return found


def _unsuitable_labels(values: Mapping[str, object]) -> list[str]:
    """Return what contradicts itself in how the labels are written."""
    found = []
    several = [name for name in ("label_separator", "label_columns") if values.get(name)]
    if several and values.get("task") == "single":
        found.append(
            f"{several[0]} gives a text several labels, and task=single allows one: leave one of the two out"
        )
    beside = [name for name in ("label_column", "label_separator") if values.get(name)]
    if beside and values.get("label_columns"):
        found.append(f"{beside[0]} and label_columns both say where the labels are: give one of the two")
    return found


def _unsuitable_for_kept_head(values: Mapping[str, object]) -> list[str]:
    """Return what contradicts keep_head=true, after which the last layer is not another one's start."""
    if values.get("keep_head") != "true" or values.get("head_init") != "logistic_regression":
        return []
    return [
        "head_init=logistic_regression replaces the head that keep_head=true keeps: leave one of the two out"
    ]


def _unsuitable_for_cross_validation(values: Mapping[str, object]) -> list[str]:
    """Return what contradicts cross_validation, whose exported model has no validation texts of its own."""
    if not values.get("cross_validation"):
        return []
    if values["cross_validation"] == 1:
        return ["with cross_validation=1 nothing is left to train on: give 2 to 20, or 0 for a hold-out"]
    others = ("early_stopping_patience", "eval_steps", "validation_split", "validation_file")
    needing = [name for name in others if values.get(name)]
    needing += ["keep_weights=best"] if values.get("keep_weights") == "best" else []
    seeds = values.get("seeds")
    needing += [f"seeds={seeds}"] if isinstance(seeds, int) and seeds > 1 else []
    if not needing:
        return []
    return [
        f"with cross_validation the model is trained on all texts, so none are left for {', '.join(needing)}: leave one"
        " of the two out"
    ]
