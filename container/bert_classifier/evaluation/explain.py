"""Ask an exported model which words its worst mistakes hang on, for the report."""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import numpy as np

from bert_classifier.artifact.contents import Artifact
from bert_classifier.evaluation.calibration import softmax
from bert_classifier.evaluation.evaluate import device_for_inference, logits_for
from bert_classifier.evaluation.occlusion import Occlusion, occlude
from bert_classifier.evaluation.quoted_texts import are_pairs
from bert_classifier.evaluation.report.any_context import AnyContext
from bert_classifier.evaluation.report.context import ReportContext

logger = logging.getLogger(__name__)

# A few seconds on two cores or on a GPU; counted rather than timed, so that the same run gives the same report.
_MOST_TOKENS = 40_000
_MOST_OPERATIONS = {"cpu": 6e11, "cuda": 3e13}


def explained(context: AnyContext, load: Callable[[], Artifact]) -> AnyContext:
    """Return a context with_occlusions, or as it is where words speak for some labels and against others."""
    return with_occlusions(context, load) if isinstance(context, ReportContext) else context


def with_occlusions(context: ReportContext, load: Callable[[], Artifact]) -> ReportContext:
    """Return the context with the words that its worst mistakes hang on.

    A failure is only a warning: the report is worth more than this part of it.

    Args:
        load: returns the model that made the predictions, in a copy that nothing else uses.
    """
    if not context.mistakes or are_pairs(context.records.texts):
        return context  # the words of a pair are not tried
    try:
        return dataclasses.replace(context, occlusions=_occlusions(context, load()))
    except Exception as error:  # noqa: BLE001 - the report must not be lost for a part of it
        logger.warning(
            "the report does not say which words the worst mistakes hang on (%s: %s)",
            type(error).__name__,
            error,
        )
        return context


def _occlusions(context: ReportContext, artifact: Artifact) -> dict[int, Occlusion]:
    order = [artifact.labels.index(label) for label in context.labels]

    def probabilities_of(texts: Sequence[str]) -> np.ndarray:
        logits = logits_for(artifact, texts, are_alike=True)[:, order]
        return softmax(logits, context.evaluation.temperature.value)

    parameters = artifact.model.num_parameters(exclude_embeddings=True)
    operations = _MOST_OPERATIONS[device_for_inference().type]
    most_tokens = min(_MOST_TOKENS, int(operations / (2 * parameters)))
    return occlude(context.mistakes, context.records.texts, artifact.encoder, probabilities_of, most_tokens)
