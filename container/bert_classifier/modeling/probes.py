"""What a model says: the logits of token ids, and of a few fixed texts that prove it still says the same."""

from collections.abc import Sequence

import numpy as np
import torch
import transformers

from bert_classifier.encoding.text_encoder import TextEncoder

# What training answers these texts is kept in the artifact, so that serving can tell whether a faster arithmetic
# answers alike. They are nobody's data, on purpose: an artifact must not carry texts of the training data along.
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


def logits_of(
    model: torch.nn.Module, input_ids: torch.Tensor, attention_mask: torch.Tensor | None
) -> torch.Tensor:
    """Return the logits, float32 (b, classes), of token ids (b, length)."""
    logits: torch.Tensor = model(input_ids=input_ids, attention_mask=attention_mask).logits
    return logits.float()


def probe_logits(
    model: transformers.PreTrainedModel, encoder: TextEncoder, texts: Sequence[str]
) -> list[list[float]]:
    """Return the model's logits of each text alone, to four decimals: other hardware computes these alike.

    A text of several windows has the mean of their logits, as everywhere.
    """
    was_training = model.training
    model.eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            encoded = encoder.encode_batch([text])
            windows = np.split(encoded.ids.astype("int64"), encoded.offsets[1:-1])
            inputs = [torch.from_numpy(ids)[None].to(model.device) for ids in windows]
            logits = torch.stack([logits_of(model, ids, None)[0] for ids in inputs]).mean(dim=0)
            rows.append([round(value, 4) for value in logits.tolist()])
    model.train(was_training)
    return rows
