"""The words that speak for each class, found in its training texts.

Source: Monroe, Colaresi and Quinn 2008, Fightin' Words, section 3.5.1: the log-odds ratio of a word in a class against
all others, with the words of all texts as an informative Dirichlet prior, divided by its standard deviation. A word
counts once per text, so that one long text decides nothing.
"""

import array
import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from bert_classifier.data.strata import strata_of
from bert_classifier.data.words import words_of
from bert_classifier.job.task import Task

_MOST_TEXTS = 20_000
_MOST_CHARS = 10_000_000  # of all texts looked at
_MOST_DISTINCT = 200_000  # words; of more, such as numbers of orders, the first are counted
_LEAST_CHARS = 500  # of each of these
_LONGEST_WORD = 40  # characters
_LEAST_TEXTS = 3  # a word in fewer texts speaks for nothing
_MOST_WORDS = 12  # of a class
_FEWEST_WORDS = 3
_MOST_OF_ALL = 2000  # words of all classes together
_LEAST_Z = 1.96  # a word below it may stand there by chance
# A word decides a class if it is in this share of its texts at least, and of all other texts at most.
_TELLING, _ELSEWHERE = 0.95, 0.01
_TELLING_TEXTS = 20  # of a class


@dataclasses.dataclass(frozen=True)
class Word:
    """A word that speaks for a class.

    Attributes:
        word: in its most frequent spelling; spellings that differ by case count as one.
        z: its log-odds ratio in standard deviations.
        texts: texts of the class that hold it, among those looked at.
        share: their fraction, from 0 to 1.
        elsewhere: texts of all other classes that hold it.
        elsewhere_share: their fraction.
    """

    word: str
    z: float
    texts: int
    share: float
    elsewhere: int
    elsewhere_share: float

    @property
    def is_telling(self) -> bool:
        """Whether this word alone tells the class: it is in nearly all of its texts, and in hardly any other."""
        is_frequent = self.texts >= _TELLING * _TELLING_TEXTS and self.share >= _TELLING
        return is_frequent and self.elsewhere_share <= _ELSEWHERE


@dataclasses.dataclass(frozen=True)
class ClassWords:
    """The words that speak for each class, in training texts.

    Attributes:
        texts: all training texts.
        looked_at: those whose words are counted: all, or as many of each class as there is room for.
        by_class: for each class, in the order of the labels, words by descending z; may be empty.
    """

    texts: int
    looked_at: int
    by_class: Sequence[Sequence[Word]]

    def telling(self, labels: Sequence[str]) -> list[str]:
        """Return one sentence per class whose texts a single word gives away."""
        found = (next((word for word in words if word.is_telling), None) for words in self.by_class)
        return [_sentence(label, word) for label, word in zip(labels, found, strict=True) if word]

    def as_json(self) -> dict[str, Any]:
        """Return the fields, with each word as a list."""
        words = [[list(dataclasses.astuple(word)) for word in words] for words in self.by_class]
        return {"texts": self.texts, "looked_at": self.looked_at, "by_class": words}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Undo as_json."""
        by_class = [[Word(*word) for word in words] for words in fields["by_class"]]
        return cls(fields["texts"], fields["looked_at"], by_class)


def _sentence(label: str, word: Word) -> str:
    return (
        f"The word “{word.word}” alone decides class {label}: it is in {word.share:.0%} of its training texts and in"
        f" {word.elsewhere_share:.1%} of all others. If it comes from how the texts were collected, new texts will lack"
        " it: remove it from the data."
    )


def class_words(texts: Sequence[str], targets: np.ndarray, num_classes: int) -> ClassWords:
    """Return the words that speak for each class; the same texts give the same words.

    Args:
        texts: n texts; at most _MOST_TEXTS are looked at, at most _MOST_CHARS characters of them.
        targets: int64 (n,); or uint8 (n, classes), where a text speaks for each of its labels.
    """
    chosen = _chosen(strata_of(targets))
    counts = _Counts.of(texts, targets, chosen)
    sizes = _sizes(targets[chosen], num_classes)
    most = min(_MOST_WORDS, max(_FEWEST_WORDS, _MOST_OF_ALL // max(1, num_classes)))
    by_class = [counts.words_for(target, sizes, most) for target in range(num_classes)]
    return ClassWords(len(targets), len(chosen), by_class)


def _sizes(targets: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the number of texts of each class, int64 (classes,)."""
    if Task.of(targets) is Task.MULTI:
        sums: np.ndarray = targets.sum(axis=0, dtype=np.int64)
        return sums
    return np.bincount(targets, minlength=num_classes)


def _chosen(classes: np.ndarray) -> np.ndarray:
    """Return the indices of the texts to look at, int64, ascending: as many of each class (n,), evenly spread."""
    sizes = np.bincount(classes)
    most = _room_per_class(sizes)
    order = np.argsort(classes, kind="stable")
    parts = np.split(order, np.cumsum(sizes)[:-1])
    kept = [
        part[np.arange(min(len(part), most)) * len(part) // max(1, min(len(part), most))] for part in parts
    ]
    return np.sort(np.concatenate(kept))


def _room_per_class(sizes: np.ndarray) -> int:
    """Return the largest number of texts per class with which all together are at most _MOST_TEXTS, at least 1."""
    low, high = 1, _MOST_TEXTS
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(sizes, middle).sum() <= _MOST_TEXTS else (low, middle - 1)
    return low


@dataclasses.dataclass(frozen=True)
class _Counts:
    """Texts by word and class.

    Attributes:
        spelling: of each of w words.
        words: int64 (k,), a word of each pair of word and class that occurs.
        classes: int64 (k,), its class, ascending.
        texts: int64 (k,), texts of the class with the word.
        totals: int64 (w,), texts with each word.
        looked_at: number of texts.
    """

    spelling: Sequence[str]
    words: np.ndarray
    classes: np.ndarray
    texts: np.ndarray
    totals: np.ndarray
    looked_at: int

    @classmethod
    def of(cls, texts: Sequence[str], targets: np.ndarray, chosen: np.ndarray) -> Self:
        """Count the words of the chosen texts."""
        limit = max(_LEAST_CHARS, _MOST_CHARS // max(1, len(chosen)))
        number_of: dict[str, int] = {}
        spellings: Counter[str] = Counter()
        numbers, lengths = array.array("q"), array.array("q")
        for index in chosen.tolist():
            found = [word for word in words_of(texts[index][:limit]) if len(word) <= _LONGEST_WORD]
            if len(number_of) >= _MOST_DISTINCT:
                found = [word for word in found if word.lower() in number_of]
            spellings.update(found)
            folded = {word.lower() for word in found}
            # Sorted, since the order of a set differs from process to process.
            numbers.extend(number_of.setdefault(word, len(number_of)) for word in sorted(folded))
            lengths.append(len(folded))
        flat = np.frombuffer(numbers, dtype=np.int64)
        width = max(1, len(number_of))
        classes, places = _by_class(targets[chosen], np.frombuffer(lengths, dtype=np.int64))
        pairs, counts = np.unique(classes * width + flat[places], return_counts=True)
        totals = np.bincount(flat, minlength=len(number_of))
        return cls(_spelt(number_of, spellings), pairs % width, pairs // width, counts, totals, len(chosen))

    def words_for(self, target: int, sizes: np.ndarray, most: int) -> list[Word]:
        """Return the words that speak for a class, at most `most`, by descending z.

        Args:
            sizes: int64 (classes,), texts of each class.
        """
        of_class = slice(*np.searchsorted(self.classes, [target, target + 1]).tolist())
        words, here = self.words[of_class], self.texts[of_class]
        is_frequent = here >= _LEAST_TEXTS
        words, here = words[is_frequent], here[is_frequent]
        all_words, own = int(self.totals.sum()), int(self.texts[of_class].sum())
        strength = all_words / max(1, int(np.count_nonzero(sizes)))  # as many words as a class has on average
        there = self.totals[words] - here
        prior = strength * self.totals[words] / max(1, all_words)
        z = log_odds_z(here, there, own, all_words - own, prior, strength)
        order = [place for place in np.lexsort((words, -z)).tolist() if z[place] >= _LEAST_Z][:most]
        size, others = int(sizes[target]), max(1, self.looked_at - int(sizes[target]))
        columns = (words[order], z[order].round(3), here[order], there[order])
        return [
            Word(self.spelling[word], score, own, own / size, other, other / others)
            for word, score, own, other in zip(*(column.tolist() for column in columns), strict=True)
        ]


def _by_class(targets: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray | slice]:
    """Return the class of each word of texts, and its place among all: once for each label of its text.

    Args:
        targets: of the texts.
        lengths: their numbers of words, int64 (n,).
    """
    if Task.of(targets) is Task.SINGLE:
        return np.repeat(targets, lengths), slice(None)
    texts, labels = np.nonzero(targets)
    own = lengths[texts]
    ends = np.cumsum(own)
    first = (np.cumsum(lengths) - lengths)[texts]  # of a text's words, among all
    return np.repeat(labels, own), np.arange(own.sum()) + np.repeat(first - (ends - own), own)


def log_odds_z(
    here: np.ndarray, there: np.ndarray, words_here: int, words_there: int, prior: np.ndarray, strength: float
) -> np.ndarray:
    """Return the z-scores of words' log-odds ratios, float64 (w,): Monroe et al. 2008, equations 16, 20 and 22.

    Args:
        here: count of each word in one part of the texts, (w,); `there` in the other.
        words_here: all words of that part; `words_there` of the other.
        prior: pseudo-count of each word, (w,); `strength` is their sum over all words.
    """
    own, other = here + prior, there + prior
    ratio = np.log(own / (words_here + strength - own)) - np.log(other / (words_there + strength - other))
    z: np.ndarray = ratio / np.sqrt(1 / own + 1 / other)
    return z


def _spelt(number_of: Mapping[str, int], spellings: Mapping[str, int]) -> list[str]:
    """Return the most frequent spelling of each word, by its number; of equally frequent ones the first in order."""
    best: dict[str, str] = {}
    for spelling in sorted(spellings):
        folded = spelling.lower()
        if folded not in best or spellings[spelling] > spellings[best[folded]]:
            best[folded] = spelling
    return [best[word] for word in number_of]
