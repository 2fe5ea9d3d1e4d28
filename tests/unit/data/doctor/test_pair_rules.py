"""The rules about pairs of texts: swapped ones, empty and equal sides; and keys that tell the sides apart."""

import dataclasses

import numpy as np
import pytest

from bert_classifier.data.doctor.context import DataContext
from bert_classifier.data.doctor.pair_rules import empty_sides, equal_sides, swapped_leakage, swapped_pairs
from bert_classifier.data.doctor.scan import TextFacts
from bert_classifier.data.doctor.stats import ChannelStats
from bert_classifier.data.doctor.text_rules import truncation
from bert_classifier.data.examples import Examples
from bert_classifier.data.text_pair import TextPair
from bert_classifier.job.config import TrainConfig
from support.clear_text import assert_clear_text

RULES = (empty_sides, equal_sides, swapped_leakage, swapped_pairs)


def context_of(**channels):
    """Return channels of pairs as rules see them."""
    stats = {}
    for name, sides in channels.items():
        texts = [TextPair(*pair) for pair in sides]
        examples = Examples(texts, np.arange(len(texts)) % 2, f"{name} {{}}".format)
        empty, lengths = np.zeros(0, dtype=np.int64), np.full(len(texts), 9)
        facts = TextFacts.of(texts)
        stats[name] = ChannelStats(
            name, examples, lengths, lengths > 9, 0.0, facts, empty, empty, np.zeros((0, 2), dtype=np.int64)
        )
    return DataContext(stats, ["no", "yes"], TrainConfig(), 32, False)


def findings(**channels):
    """Return message and places of each finding, by code."""
    found = [finding for rule in RULES for finding in rule(context_of(**channels))]
    for finding in found:
        assert_clear_text(finding.message)
        assert_clear_text(finding.remedy)
    return {finding.code: (finding.message, list(finding.places)) for finding in found}


@pytest.mark.parametrize(
    ("longest", "setting", "expected"),
    [
        (32, "longest_first", "Set pair_truncation=only_second to keep the first of a pair whole."),
        (32, "only_second", "Set pair_truncation=longest_first to shorten the longer one of a pair."),
        (64, "longest_first", "Set max_seq_length=64, or pair_truncation=only_second"),
    ],
)
def test_the_remedy_for_cut_pairs_is_one_for_pairs(longest, setting, expected):
    """Windows and ends are for single texts: a job refuses them for pairs."""
    context = context_of(train=GOOD)
    stats = context.stats["train"]
    cut = dataclasses.replace(stats, lengths=stats.lengths + 40, truncated=stats.lengths > 0)
    config = TrainConfig(max_seq_length=32, pair_truncation=setting)
    context = dataclasses.replace(context, stats={"train": cut}, config=config, recommended=longest)
    (found,) = truncation(context)
    assert found.remedy.startswith(expected)
    assert "windows" not in found.remedy
    assert "head_tail" not in found.remedy


GOOD = [(f"the cup is blue {i}", f"there is a cup {i}") for i in range(20)]


def test_good_pairs_have_no_finding():
    """Different pairs, in two channels."""
    assert findings(train=GOOD[:10], validation=GOOD[10:]) == {}


def test_swapped_pair_of_train_is_leakage():
    """Apart from case and blanks; a pair that stands there as it is counts as plain leakage only."""
    found = findings(
        train=GOOD, validation=[("There is  a cup 3", "the cup is BLUE 3"), GOOD[4], ("new", "pair")]
    )
    message, places = found.pop("swapped_leakage")
    assert message.startswith("1 of 3 validation texts (33.3 %) stand in train with their two texts swapped")
    assert places == ["validation 0 is swapped train 3"]
    assert found == {}


def test_swapped_pairs_of_one_channel_are_an_information():
    """Each later one is named with the earlier."""
    found = findings(train=[*GOOD, GOOD[2][::-1]])
    assert [*found] == ["swapped_pairs"]
    assert found["swapped_pairs"][1] == ["train 20 is swapped train 2"]


@pytest.mark.parametrize("pair", [("", "text"), ("text", " \n")])
def test_half_a_pair_is_found(pair):
    """An empty side says nothing."""
    assert findings(train=[*GOOD, pair])["half_pairs"][1] == ["train 20"]


def test_a_text_with_itself_is_found():
    """As where both settings name one column."""
    assert findings(train=[*GOOD, ("Same  text", "same text")])["equal_pairs"][1] == ["train 20"]


def test_keys_tell_the_sides_apart():
    """Words that move from one side to the other make another pair; case and blanks do not."""
    texts = [TextPair("a b", "c"), TextPair("a", "b c"), TextPair("A  b", "c "), TextPair("c", "a b")]
    facts = TextFacts.of(texts)
    one, moved, same, swapped = facts.keys.tolist()
    assert one == same != moved
    assert facts.swapped[0] == swapped != one
    assert not facts.damage.any()  # the separator is none


def test_single_texts_have_no_facts_of_pairs():
    """Their rules find nothing."""
    facts = TextFacts.of(["a", "b"])
    assert (facts.is_paired, len(facts.swapped), len(facts.are_half)) == (False, 0, 0)
