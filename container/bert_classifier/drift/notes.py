"""Sentences about what was not compared, or not wholly."""

from collections.abc import Iterator

from bert_classifier.drift.model import Model
from bert_classifier.drift.observed import MOST_CLASSIFIED, Observed, Tally
from bert_classifier.job.wording import counted

_MANY_REPEATS = 0.2  # of the texts

_UNDATED = "SINCE leaves out nothing of {} of answers or texts: only captured requests have a time."


def notes_on(observed: Observed, model: Model, *, is_since: bool = False) -> list[str]:
    """Return the sentences.

    Args:
        is_since: whether only what is newer than some moment was asked for.
    """
    tally = observed.tally
    undated = [_UNDATED.format(counted(tally.undated, "file"))] if is_since and tally.undated else []
    return [*_unread(tally), *undated, *_one_side(tally, model), *_doubts(tally)]


def _unread(tally: Tally) -> Iterator[str]:
    unread = sum(tally.unreadable.values())
    if unread:
        most, times = tally.unreadable.most_common(1)[0]
        what = counted(unread, "request, record or answer", "requests, records or answers")
        yield f"{what} could not be read, mostly because {most} ({times:,})."


def _one_side(tally: Tally, model: Model) -> Iterator[str]:
    if tally.texts and not tally.answers and model.folder is not None:
        some = f" on a sample of {MOST_CLASSIFIED:,} of them" if tally.texts > MOST_CLASSIFIED else ""
        yield f"The texts came without answers: the model was run on this machine{some}."
    if tally.answers and not tally.texts:
        yield "There are answers only: lengths and unknown tokens of the texts are not compared."
    if tally.texts and model.encoder is None:
        yield "Only the model's baseline is here, and its tokenizer measures the texts: ARTIFACT=folder."


def _doubts(tally: Tally) -> Iterator[str]:
    if tally.repeats > _MANY_REPEATS * tally.texts:
        yield (
            f"{tally.repeats:,} of {tally.texts:,} texts repeat another: a monitor, retries or templates may be in the"
            " traffic. Repeated texts are no independent ones, so chance may give more than is said here."
        )
    if tally.without_time:
        yield f"{counted(tally.without_time, 'captured request has', 'captured requests have')} no inferenceTime."
