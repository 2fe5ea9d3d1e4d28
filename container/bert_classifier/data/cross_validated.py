"""How many texts suit a cross-validation."""

import logging

from bert_classifier.errors import UserError

logger = logging.getLogger(__name__)

_MANY_TEXTS = 3_000  # a tenth of them held out says nearly as much
_MOST_TEXTS = 10_000


def require_suitable_number(texts: int, folds: int) -> None:
    """Refuse a cross-validation of too few or too many training texts; warn where it hardly pays.

    Raises:
        UserError: with fewer texts than folds, or more than 10,000.
    """
    if texts < folds:
        raise UserError(
            f"cross_validation={folds} needs at least {folds} training texts; there are {texts}.",
            "Give more texts, or lower cross_validation.",
        )
    if texts <= _MANY_TEXTS:
        return
    cost = f"cross_validation={folds} trains {folds + 1} models on {texts:,} texts, one after the other"
    instead = f"validation_split=0.1 would judge {texts // 10:,} texts in a single training"
    if texts > _MOST_TEXTS:
        raise UserError(f"{cost}; it is for up to {_MOST_TEXTS:,}.", f"Leave it out: {instead}.")
    logger.warning("%s; %s", cost, instead)
