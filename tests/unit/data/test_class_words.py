"""The words that speak for each class: Monroe's z-scores, bounded, the same in every process, and leaks by name."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from bert_classifier.data import class_words as module
from bert_classifier.data.class_words import ClassWords, class_words, log_odds_z
from support.fakes import toy_rows
from support.patience import PATIENCE_S
from support.source_tree import CONTAINER


def words_of(found: ClassWords, target: int) -> dict[str, tuple[float, int, int]]:
    """Return z, texts of the class and texts elsewhere by word."""
    return {word.word: (word.z, word.texts, word.elsewhere) for word in found.by_class[target]}


def of(texts: Sequence[str], targets: Sequence[int], classes: int = 2) -> ClassWords:
    """Return the words of labelled texts."""
    return class_words(texts, np.array(targets, dtype=np.int64), classes)


def test_scores_are_those_of_the_paper():
    """Two classes of 30 texts, worked out by hand: counts per text, a prior of one class's words, z-scores."""
    texts = ["good film good"] * 20 + ["fair film"] * 10 + ["bad film"] * 25 + ["good film"] * 5
    found = of(texts, [0] * 30 + [1] * 30)

    def z(here: int, there: int) -> float:
        # 120 words in all, 60 per class, so the prior has 60 words: half of each word's count.
        own, other, n = here + (here + there) / 2, there + (here + there) / 2, 60 + 60
        ratio = math.log(own / (n - own)) - math.log(other / (n - other))
        return round(ratio / math.sqrt(1 / own + 1 / other), 3)

    assert words_of(found, 0) == {"good": (z(20, 5), 20, 5), "fair": (z(10, 0), 10, 0)}
    assert [word.word for word in found.by_class[1]] == ["bad"]
    (bad,) = found.by_class[1]
    assert (bad.texts, bad.share, bad.elsewhere, bad.elsewhere_share) == (25, 25 / 30, 0, 0.0)
    assert (found.texts, found.looked_at) == (60, 60)


def test_the_formula_is_antisymmetric_and_shrinks_rare_words():
    """A word speaks for one side as much as against the other, and ten times the counts speak louder."""
    here, there = np.array([8, 80, 3]), np.array([2, 20, 0])
    prior, strength = (here + there) / 2, 200.0
    z = log_odds_z(here, there, 200, 200, prior, strength)
    assert log_odds_z(there, here, 200, 200, prior, strength) == pytest.approx(-z)
    assert z[1] > 2 * z[0] > 0
    assert z[2] < z[1]


def test_case_does_not_divide_a_word_and_its_usual_spelling_is_shown():
    """Paris and PARIS are one word, counted once per text."""
    texts = ["Paris is PARIS"] * 2 + ["Paris is"] * 6 + ["PARIS was"] + ["Rome is", "ROME was"] * 5
    found = words_of(of(texts, [0] * 9 + [1] * 10), 0)
    assert found["Paris"][1:] == (9, 0)
    assert "PARIS" not in found


def test_classes_without_texts_or_peculiar_words_have_none():
    """No class is made up: where nothing differs, nothing speaks."""
    found = of(["the same words"] * 40, [0, 2] * 20, classes=4)
    assert [list(words) for words in found.by_class] == [[], [], [], []]
    assert of([], [], classes=2).by_class == [[], []]


def test_a_word_in_two_texts_speaks_for_nothing():
    """Names that occur once or twice would fill the table."""
    texts = ["alpha unique"] * 2 + ["alpha"] * 28 + ["beta"] * 30
    assert "unique" not in words_of(of(texts, [0] * 30 + [1] * 30), 0)


def test_the_markers_of_toy_texts_are_found():
    """Of texts in which some words decide, the words that decide come first."""
    rows = toy_rows(300, classes=3)
    names = sorted({label for label, _ in rows})
    found = of([text for _, text in rows], [names.index(label) for label, _ in rows], classes=3)
    first = [{word.word.lower() for word in words[:3]} for words in found.by_class]
    assert first == [
        {"apple", "cherry", "lemon"},
        {"river", "ocean", "harbour"},
        {"engine", "wheel", "piston"},
    ]


def test_however_many_texts_the_sample_is_bounded_and_even(monkeypatch):
    """Rare classes are looked at whole, frequent ones in part, evenly over the data."""
    monkeypatch.setattr(module, "_MOST_TEXTS", 100)
    sizes = [500, 30, 10]
    targets = np.repeat([0, 1, 2], sizes)
    texts = [f"{'abc'[target]}word t{number}" for number, target in enumerate(targets.tolist())]
    found = class_words(texts, targets, 3)
    assert (found.texts, found.looked_at) == (540, 100)
    assert {word.word: word.texts for word in found.by_class[0]} == {"aword": 60}
    assert {word.word: word.texts for word in found.by_class[2]} == {"cword": 10}
    chosen = module._chosen(targets)[:60]
    assert chosen[0] == 0
    assert set(np.diff(chosen).tolist()) <= {8, 9}


def test_with_more_classes_than_room_each_has_one_text(monkeypatch):
    """The bound gives way rather than a class."""
    monkeypatch.setattr(module, "_MOST_TEXTS", 10)
    found = of(["a b"] * 60, list(range(30)) * 2, classes=30)
    assert found.looked_at == 30


def test_long_texts_and_long_words_are_cut():
    """A text of a million words costs no more than its beginning; a word of thousands of letters is none."""
    found = of(
        ["start " + "x" * 100 + " " + "word " * 4 * 10**5 + "end"] * 3 + ["other"] * 3, [0] * 3 + [1] * 3
    )
    assert {"end", "x" * 100}.isdisjoint(words_of(found, 0))


def test_of_endless_different_words_the_first_are_counted(monkeypatch):
    """A number in each text must not fill the memory: words that came before go on being counted."""
    monkeypatch.setattr(module, "_MOST_DISTINCT", 50)
    texts = [f"{'early' if number % 2 else 'other'} id{number}" for number in range(500)]
    texts += ["late"] * 40
    found = of(texts, [number % 2 for number in range(500)] + [0] * 40)
    assert words_of(found, 1)["early"][1:] == (250, 0)
    assert "late" not in words_of(found, 0)


def test_a_word_that_gives_a_class_away_is_told():
    """In at least 95 % of a class's texts and at most 1 % of the others; the sentence names word, class and shares."""
    leaked = [f"note{number} VIP" for number in range(97)] + ["plain"] * 3
    others = [f"other{number}" for number in range(199)] + ["vip other"]
    (sentence,) = of(leaked + others, [0] * 100 + [1] * 200).telling(["gold", "usual"])
    assert "“VIP”" in sentence
    assert "class gold" in sentence
    assert "97% of its training texts and in 0.5% of all others" in sentence


@pytest.mark.parametrize(("inside", "outside", "size"), [(94, 0, 100), (100, 3, 100), (18, 0, 18)])
def test_a_word_that_might_be_chance_is_not_told(inside, outside, size):
    """Too few texts hold it, too many others do, or the class is too small."""
    texts = (
        ["vip"] * inside
        + ["plain"] * (size - inside)
        + ["vip"] * outside
        + [f"other{n}" for n in range(200 - outside)]
    )
    assert of(texts, [0] * size + [1] * 200).telling(["gold", "usual"]) == []


def test_it_survives_json():
    """As the launcher hands it to the ranks."""
    rows = toy_rows(90, classes=3)
    names = sorted({label for label, _ in rows})
    found = of([text for _, text in rows], [names.index(label) for label, _ in rows], classes=3)
    assert ClassWords.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_every_process_finds_the_same():
    """Python's order of sets differs from process to process; the words and their spelling do not."""
    code = (
        "import json, numpy as np\n"
        "from bert_classifier.data.class_words import class_words\n"
        "texts = [f'{w} {w.upper()} {w.title()} same' for w in ('one', 'two', 'six', 'ten') for _ in range(9)]\n"
        "print(json.dumps(class_words(texts, np.arange(36) // 18, 2).as_json()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
            env={**os.environ, "PYTHONPATH": str(CONTAINER), "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(3)
    }
    assert len(outputs) == 1
    assert '"ONE"' in outputs.pop()


def test_a_text_speaks_for_each_of_its_labels():
    """Label by label, the counts are those of two classes, with the label and without; a text may have no label."""
    rows = toy_rows(300)
    texts = [text for _, text in rows]
    targets = np.random.default_rng(0).integers(0, 2, (300, 3)).astype(np.uint8)
    found = class_words([*texts[:150], *["piston river apple"] * 150], targets, 3)
    for label in range(3):
        alone = of([*texts[:150], *["piston river apple"] * 150], targets[:, label].tolist())
        wanted = {word.word: (word.texts, word.elsewhere, word.elsewhere_share) for word in alone.by_class[1]}
        for word in found.by_class[label]:
            if word.word in wanted:
                assert (word.texts, word.elsewhere, word.elsewhere_share) == wanted[word.word]


def test_the_words_of_label_sets_are_found():
    """Each label has its own word; that of a pair of labels speaks for both, and no word for a label of no text."""
    parts = {0: "violin", 1: "castle", 2: "falcon"}
    draw = np.random.default_rng(1)
    targets = np.pad(draw.integers(0, 2, (200, 3)), ((0, 0), (0, 1))).astype(np.uint8)
    texts = ["the " + " ".join(word for label, word in parts.items() if row[label]) for row in targets]
    found = class_words(texts, targets, 4)
    assert [words[0].word for words in found.by_class[:3]] == [*parts.values()]
    assert found.by_class[3] == []
    assert found.looked_at == 200
    assert [words[0].share for words in found.by_class[:3]] == [1.0] * 3
    assert [words[0].elsewhere for words in found.by_class[:3]] == [0] * 3
