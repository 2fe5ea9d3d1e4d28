"""A few fixed texts whose logits show that a model still predicts as it did in training."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_classifier.data.text_pair import TextPair
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.modeling.forward import Forward
from bert_classifier.modeling.inference import compute_logits

# The artifact keeps the trained model's logits for these texts, so that serving can check whether a lower precision
# predicts the same labels. They are fixed, since an artifact must not hold training texts.
PROBE_TEXTS = (
    "The river rises in the hills and flows through a wide valley to the sea.",
    "The company makes bearings for railway carriages in three factories.",
    "She played as a goalkeeper for eleven seasons and was twice player of the year.",
    "The album is the band's second and was recorded in a single week.",
    "A small brown bird that nests on cliffs and feeds on insects.",
    "The novel tells of a lighthouse keeper and his daughter.",
    "The school was founded by a local teacher and has six hundred pupils.",
    "Please send the invoice again; the amount on the first one is wrong.",
    "I like it very much and would buy it again.",
    "It broke after two days and nobody answers my letters.",
    "yes",
    "12 May, 3 p.m., room 4: budget, staff, any other business.",
)

# For models of text pairs: each text with the next one.
PROBE_PAIRS = tuple(itertools.starmap(TextPair, itertools.pairwise((*PROBE_TEXTS, PROBE_TEXTS[0]))))


def probes_for(encoder: TextEncoder) -> Sequence[str]:
    """Return the texts or TextPairs for a model with this encoder."""
    return PROBE_PAIRS if encoder.is_paired else PROBE_TEXTS


def probe_facts(model: Any, encoder: TextEncoder) -> dict[str, Any]:
    """Return the field of training.json: the texts, a pair as a list of both, and their logits."""
    probes = probes_for(encoder)
    texts = [[pair.first, pair.second] for pair in PROBE_PAIRS] if encoder.is_paired else PROBE_TEXTS
    return {"texts": texts, "logits": probe_logits(model, encoder, probes)}


def texts_of(facts: Mapping[str, Any]) -> list[str]:
    """Return the texts or TextPairs of what probe_facts returned."""
    return [text if isinstance(text, str) else TextPair(*text) for text in facts["texts"]]


def probe_logits(model: Any, encoder: TextEncoder, texts: Sequence[str]) -> list[list[float]]:
    """Return the logits of each text, computed alone, to four decimals, which other hardware reproduces."""
    was_training = model.training
    encoded = encoder.encode_batch(texts)
    alone = np.arange(len(encoded.lengths))[:, None]
    forward = Forward(model.eval(), encoder.pad_id, model.device, "fp32")
    logits = compute_logits(forward, encoded, alone, model.config.num_labels)
    model.train(was_training)
    return [[round(value, 4) for value in row] for row in logits.tolist()]
