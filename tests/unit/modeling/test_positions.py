"""How many tokens each family takes, by its tables of positions, and the hint that stands for them without torch."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from bert_classifier.job.encoder_folder import positions_of
from bert_classifier.job.encoder_types import ENCODER_TYPES
from bert_classifier.modeling.positions import positions_of_model

# Whose config.json sets no limit.
UNLIMITED = {"funnel"}
BEHIND_PADDING = {
    "camembert", "data2vec-text", "esm", "ibert", "longformer", "luke", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
}  # fmt: skip


@pytest.mark.parametrize("family", sorted(ENCODER_TYPES))
def test_the_hint_without_torch_is_what_the_model_says(family):
    """The launcher and the first check of a job know a family's limit only by its name."""
    settings = {"vocab_size": 100, "pad_token_id": 3} | (
        {} if family in UNLIMITED else {"num_hidden_layers": 1}
    )
    config = AutoConfig.for_model(family, **settings)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    found = positions_of_model(model)
    assert found == positions_of(model.config.to_dict())
    written = getattr(config, "max_position_embeddings", None)
    assert (found is None) == (family in UNLIMITED) == (written is None)
    if written is None:
        return
    if family == "mpnet":  # whose padding id is 1 whatever its config.json says
        assert found == written - 2
    else:
        assert found == (written - 4 if family in BEHIND_PADDING else written)
