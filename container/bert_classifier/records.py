"""The readers of records, under the name by which Dataset classes import them."""

from bert_classifier.data.records import *  # noqa: F403
