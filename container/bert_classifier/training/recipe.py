"""The default recipe: batch size, epochs and learning rate that suit the data and the encoder, unless they are set.

A pure function of settings, data size, encoder and ranks: all ranks and all attempts of a run choose the same.
"""

import dataclasses
from typing import Any

from bert_classifier.job.config import TrainConfig

FEW_TEXTS = 1000
_BATCH_BELOW = ((200, 8), (FEW_TEXTS, 16))  # number of training texts, batch size below it
_LARGEST_BATCH = 32
LEAST_STEPS = 120  # warmup and decay leave the loss little time to fall in fewer
_LEAST_EPOCHS = 3
_WARMUP = 0.1
_RATE, _RATE_WIDTH = 2e-4, 384  # a good rate for an encoder of this width
_RATE_RANGE = (2e-5, 2e-4)
_RATE_SHARE_AHEAD = (
    0.5  # for a head that starts as a regression on what the encoder knows: less to learn, more to lose
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The resolved settings of a run.

    Attributes:
        global_batch_size: texts per optimizer step, over all ranks.
        num_texts: training texts after the hold-out.
        width: size of the encoder's hidden vectors.
        automatic: names of the settings that were chosen automatically.
        is_batch_per_device: whether the batch was set per device.
    """

    global_batch_size: int
    num_train_epochs: int
    learning_rate: float
    warmup_ratio: float
    num_texts: int
    width: int
    automatic: tuple[str, ...]
    is_batch_per_device: bool = False

    def total_steps(self, global_batch_size: int) -> int:
        """Return the steps of the run's epochs with batches of this size."""
        return -(-self.num_texts // global_batch_size) * self.num_train_epochs

    def description(self, total_steps: int) -> str:
        """Say what was chosen, why, and how to override it; empty if nothing was that is worth a line."""
        values = {
            "global_batch_size": f"batch {min(self.global_batch_size, self.num_texts)}",
            "num_train_epochs": f"{self.num_train_epochs} epochs ({total_steps} steps)",
            "learning_rate": f"learning rate {self.learning_rate:g}",
        }
        said = [name for name in self.automatic if name in values]  # warmup is the same for all
        if not said:
            return ""
        return (
            f"chosen for {self.num_texts} training texts and an encoder of width {self.width}:"
            f" {', '.join(values[name] for name in said)}; set {', '.join(said)} to override"
        )


def choose_recipe(config: TrainConfig, *, num_texts: int, width: int, world_size: int) -> Recipe:
    """Return the recipe of a run; explicit settings are kept.

    - Batch: 8 below 200 training texts, 16 below 1,000, else 32. With few texts, a smaller batch gives more steps.
    - Epochs: enough for about 120 steps, and at least 3. With fewer steps, warmup and decay leave the loss little time
      to fall.
    - Learning rate: 2e-4 at a width of 384, lower for wider encoders: below 1,000 training texts by the ratio (1e-4 at
      BERT base's 768), else by its square (5e-5, as in Devlin et al. 2019), between 2e-5 and 2e-4. Half of it where the
      head has a start (pooling=mean and head_init=logistic_regression).
    - Warmup: over the first tenth of the steps.

    Args:
        num_texts: training texts after the hold-out.
        width: size of the encoder's hidden vectors.
        world_size: number of ranks, for a batch size set per device.
    """
    given_batch = config.resolve_global_batch_size(world_size)
    given = {
        "global_batch_size": given_batch,
        "num_train_epochs": config.num_train_epochs,
        "learning_rate": config.learning_rate,
        "warmup_ratio": config.warmup_ratio,
    }
    batch = given_batch or automatic_batch_size(num_texts)
    has_start = config.pooling == "mean" and config.head_init == "logistic_regression"
    return Recipe(
        global_batch_size=batch,
        num_train_epochs=config.num_train_epochs or _epochs_of(num_texts, batch),
        learning_rate=config.learning_rate or _learning_rate_of(width, num_texts, has_start=has_start),
        warmup_ratio=_WARMUP if config.warmup_ratio is None else config.warmup_ratio,
        num_texts=num_texts,
        width=width,
        automatic=tuple(name for name, value in given.items() if value is None),
        is_batch_per_device=config.per_device_batch_size is not None,
    )


def automatic_batch_size(num_texts: int) -> int:
    """Return the texts per step that suit a number of training texts."""
    return next((batch for limit, batch in _BATCH_BELOW if num_texts < limit), _LARGEST_BATCH)


def _epochs_of(num_texts: int, batch: int) -> int:
    return max(_LEAST_EPOCHS, round(LEAST_STEPS * min(batch, num_texts) / num_texts))


def _learning_rate_of(width: int, num_texts: int, *, has_start: bool) -> float:
    """Return the rate rounded as the log shows it, so that setting the logged value gives the same run."""
    low, high = _RATE_RANGE
    power = 1 if num_texts < FEW_TEXTS else 2
    share = _RATE_SHARE_AHEAD if has_start else 1.0
    return float(f"{max(low, share * min(high, _RATE * (_RATE_WIDTH / width) ** power)):g}")


def encoder_width(model: Any) -> int:
    """Return the size of a model's hidden vectors, or else of its embeddings."""
    width = getattr(model.config, "hidden_size", None)  # transformers maps it to dim, d_model or emb_dim
    return int(width or model.get_input_embeddings().embedding_dim)
