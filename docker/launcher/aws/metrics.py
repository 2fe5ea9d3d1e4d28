"""The metrics that SageMaker extracts from a job's log: CloudWatch plots them, `status` shows the last value of each.

`validation_…` and `test_…` describe the exported model and are logged once, at the job's end. The last value of
`eval_…` describes that model too: a tuning job may use either as its objective.
"""

# Names of `name=value` pairs in the log; values are plain decimals, but exponents are read as well.
NAMES = (
    "epoch",
    "train_loss",
    "grad_norm",
    "learning_rate",
    "examples_per_second",
    "tokens_per_second",
    "padding_share",
    "eval_loss",
    "eval_accuracy",
    "eval_macro_f1",
    "validation_loss",
    "validation_accuracy",
    "validation_macro_f1",
    "test_loss",
    "test_accuracy",
    "test_macro_f1",
)
# Beside them where texts have several labels, instead of the accuracy.
OF_SEVERAL_LABELS = tuple(
    f"{of}_{name}"
    for of in ("eval", "validation", "test")
    for name in ("micro_f1", "subset_accuracy", "mean_average_precision")
)
_NUMBER = r"([+-]?[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?)"


def metric_definitions() -> list[dict[str, str]]:
    """Return Name and Regex of each metric; the blank before a name keeps `loss` out of `eval_loss`."""
    return [{"Name": name, "Regex": f" {name}={_NUMBER}"} for name in (*NAMES, *OF_SEVERAL_LABELS)]
