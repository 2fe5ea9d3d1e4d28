"""The validation texts that the server's page offers as examples, where the job asks for them."""

import heapq
import itertools
import logging
from collections.abc import Sequence

import numpy as np

from bert_classifier.data.strata import strata_of
from bert_classifier.data.text_pair import TextPair
from bert_classifier.job.wording import counted

logger = logging.getLogger(__name__)

_LONGEST = 2000  # characters; longer texts are no examples
_COMFORTABLE = (40, 300)  # characters of a text that says something and is read at a glance


def choose_examples(texts: Sequence[str], targets: np.ndarray, most: int) -> list[str]:
    """Return up to `most` texts, one of each class in turn in the order of the classes: always the same ones.

    Args:
        texts: n texts.
        targets: the index of each one's class, int64 (n,); or uint8 (n, classes), where the rarest label counts.
    """
    classes = strata_of(targets)
    usable = np.fromiter((len(text) <= _LONGEST for text in texts), dtype=bool, count=len(texts))
    by_class = [
        heapq.nsmallest(
            most, (texts[i] for i in np.flatnonzero(usable & (classes == target)).tolist()), _preference
        )
        for target in np.unique(classes[usable])[:most].tolist()
    ]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*by_class))
    return list(dict.fromkeys(text for text in in_turn if text is not None))[:most]


def as_json(text: str) -> str | dict[str, str]:
    """Return a text as training.json has it: a pair with both texts, as a request has it."""
    return {"text": text.first, "text_pair": text.second} if isinstance(text, TextPair) else text


def log_examples(chosen: Sequence[str], wanted: int) -> None:
    """Log how many texts become part of the artifact, and who can read them."""
    found = counted(len(chosen), "validation text")
    few = "" if len(chosen) == wanted else f"; no others of up to {_LONGEST} characters were found"
    readers = "everybody who reaches it or its endpoint can read them"
    logger.info("page_examples=%d: the artifact holds %s: %s%s", wanted, found, readers, few)


def _preference(text: str) -> tuple[int, int, str]:
    """Return a key by which texts of a comfortable length come first, the shortest of them before all."""
    low, high = _COMFORTABLE
    return max(low - len(text), 0, len(text) - high), len(text), text
