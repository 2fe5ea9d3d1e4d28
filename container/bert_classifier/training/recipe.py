"""The default recipe: batch, epochs and learning rate that fit the data and the encoder, where nobody sets them.

A pure function of settings, data size, encoder and ranks: all ranks, and every start of a run, choose alike.
"""

import dataclasses
from typing import Any

from bert_classifier.job.config import TrainConfig

_BATCH_BELOW = ((200, 8), (1000, 16))  # training texts below which a smaller batch is taken
_LARGEST_BATCH = 32
_LEAST_STEPS = 120
_LEAST_EPOCHS = 3
_RATE, _RATE_WIDTH = 2e-4, 384  # what suits an encoder of this width
_RATE_RANGE = (2e-5, 2e-4)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of a run as they are used.

    Attributes:
        global_batch_size: texts per optimizer step, over all ranks.
        num_texts: for training, after the hold-out.
        width: of the encoder's hidden vectors.
        automatic: names of the settings that were chosen here, not set by hand.
    """

    global_batch_size: int
    num_train_epochs: int
    learning_rate: float
    num_texts: int
    width: int
    automatic: tuple[str, ...]

    def description(self, total_steps: int) -> str:
        """Say what was chosen, from what, and how to decide otherwise."""
        values = {
            "global_batch_size": f"batch {self.global_batch_size}",
            "num_train_epochs": f"{self.num_train_epochs} epochs ({total_steps} steps)",
            "learning_rate": f"learning rate {self.learning_rate:g}",
        }
        chosen = ", ".join(values[name] for name in self.automatic)
        return (
            f"chosen from {self.num_texts} training texts and an encoder {self.width} wide: {chosen}; set"
            f" {', '.join(self.automatic)} to override"
        )


def choose_recipe(config: TrainConfig, *, num_texts: int, width: int, world_size: int) -> Recipe:
    """Return the recipe of a run; each setting that is set by hand stays as it is.

    - Batch: 8 below 200 training texts, 16 below 1,000, else 32. Few texts make few steps, and a smaller batch more.
    - Epochs: as many as make about 120 steps, and at least 3. With fewer steps the loss hardly leaves its start: the
      learning rate rises over the first tenth of them and falls over the rest. A batch of more texts than there are
      is the whole epoch, one step.
    - Learning rate: 2e-4 at a width of 384, less for wider encoders by the square of the ratio (5e-5 at BERT base's
      768, as Devlin et al. 2019), and never outside 2e-5 to 2e-4.

    Args:
        num_texts: for training, after the hold-out.
        width: of the encoder's hidden vectors.
        world_size: ranks, for a batch that is given per device.
    """
    given = {
        "global_batch_size": config.resolve_global_batch_size(world_size),
        "num_train_epochs": config.num_train_epochs,
        "learning_rate": config.learning_rate,
    }
    batch = config.resolve_global_batch_size(world_size) or _batch_of(num_texts)
    return Recipe(
        global_batch_size=batch,
        num_train_epochs=config.num_train_epochs or _epochs_of(num_texts, batch),
        learning_rate=config.learning_rate or _learning_rate_of(width),
        num_texts=num_texts,
        width=width,
        automatic=tuple(name for name, value in given.items() if value is None),
    )


def _batch_of(num_texts: int) -> int:
    return next((batch for limit, batch in _BATCH_BELOW if num_texts < limit), _LARGEST_BATCH)


def _epochs_of(num_texts: int, batch: int) -> int:
    return max(_LEAST_EPOCHS, round(_LEAST_STEPS * min(batch, num_texts) / num_texts))


def _learning_rate_of(width: int) -> float:
    """Return the rate with as many digits as the log shows: set by hand, what it shows is the same run."""
    low, high = _RATE_RANGE
    return float(f"{min(high, max(low, _RATE * (_RATE_WIDTH / width) ** 2)):g}")


def encoder_width(model: Any) -> int:
    """Return the width of a model's hidden vectors, as its configuration says; else that of its embeddings."""
    width = getattr(model.config, "hidden_size", None)  # transformers maps it to dim, d_model or emb_dim
    return int(width or model.get_input_embeddings().embedding_dim)
