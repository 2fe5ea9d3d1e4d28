"""What a report shows only where it is known, what it leaves out of very large results, and its first sentence."""

import dataclasses
import html
import re

import pytest

from bert_classifier.evaluation.report.training_report import render_training_report
from support.reports import full_report_context, report_context


@pytest.fixture(scope="module")
def page() -> str:
    """Return a report with everything in it."""
    return render_training_report(full_report_context())


def words_of(page: str) -> str:
    """Return the words of a page."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())


def section(page: str, name: str) -> str:
    """Return the words of a section."""
    start = page.index(f'<section id="{name}"')
    return words_of(page[start : page.index("</section>", start)])


def test_the_first_sentence_is_that_of_the_log_and_the_floor_stands_beside_it(page):
    """By cross-validation where it is so; the simpler answers have their accuracies, and the floor its texts."""
    top = section(page, "result")
    headline = full_report_context().headline
    assert "right by 2-fold cross-validation (95 % interval" in top
    assert top.startswith(headline.sentence)
    rows = top[top.index("accuracy of") :]
    assert re.search(r"this model \d+\.\d % .* logistic regression on the frozen encoder \d+\.\d %", rows)
    floor = full_report_context().floor
    assert floor is not None
    compared = floor.channels["validation"].compare(full_report_context().result)
    assert "fitted on 40 training texts and asked for 30 of these texts" in top
    assert f"it alone is right on {compared.only_first}, the model alone on {compared.only_second}." in top


def test_warnings_stand_below_the_sentence_and_above_the_contents(page):
    """Nobody has to scroll for them."""
    warning = page.index("&lt;em&gt;Hardly&lt;/em&gt; moved. Change learning_rate.")
    assert page.index('id="result"') < warning < page.index('<nav id="contents"')


def test_the_head_is_the_group_about_and_versions_come_last(page):
    """It is not repeated among the facts of the run; long groups of settings are a click away."""
    head, _, body = page.partition("</header>")
    assert "<dt>encoder</dt><dd>&lt;s&gt;bert&lt;/s&gt;</dd>" in head
    assert "&lt;s&gt;bert" not in body
    assert "<details><summary>Settings left at their defaults <small>(30)</small></summary>" in body


def test_seeds_and_folds_are_listed(page):
    """Each with its number and value, its score; which one is exported, and which has learned nothing."""
    words = section(page, "repeats")
    assert "the model is of seed 1" in words
    assert "1 7 50.0 % 1.2500 exported 2 9 25.0 % 2.5000 collapsed" in words
    assert "3 seeds were asked for." in words
    assert (
        "by 2-fold cross-validation on 60 texts: each text was judged by a model trained without it." in words
    )


def test_no_threshold_is_promised_by_the_scores_of_other_models(page):
    """Those of a cross-validation's folds; a model's own scores give a table, without intervals of suggestions."""
    told = section(page, "abstention")
    assert "None can be promised here" in told
    assert "confidence in each row" not in told
    own = section(render_training_report(report_context()), "abstention")
    assert "None can be promised here" not in own
    assert re.search(r"90\.0 % (\S+ \S+ % \d+ of \d+|– – –) – none: ", own)


def test_words_that_matter_are_marked_in_the_text(page):
    """The text is whole and escaped, with the factor beside each word; where nothing was examined, nothing is said."""
    context = full_report_context()
    (index,) = context.occlusions
    text = context.records.texts[index]
    marked = re.search(r"<mark style=.*?</blockquote>", page, re.DOTALL)
    assert marked is not None
    assert words_of(re.sub(r"<sub>.*?</sub>", "", marked[0])).replace(" ", "") == re.sub(r"\s", "", text)
    assert re.findall(r"<sub> ×(.*?)</sub>", marked[0]) == ["12.5", "1.1"]
    assert "words are marked" not in render_training_report(report_context())


def test_words_of_classes_are_shown_with_their_counts(page):
    """Each with the texts that hold it, of the class and of all others."""
    context = full_report_context()
    counts = [int((context.result.targets == number).sum()) for number in range(3)]
    for number, count in enumerate(counts):
        assert f"word{number} ({count} : 0)" in section(page, "words")


def test_what_is_not_known_is_not_shown():
    """No heading without content, and no entry of the contents without a section."""
    context = report_context()
    evaluation = dataclasses.replace(context.evaluation, cross_validation=None)
    bare = dataclasses.replace(context, evaluation=evaluation, curve=None, data={}, understood={}, facts={})
    page = render_training_report(bare)
    assert re.findall(r'<a href="#(\w+)">', page) == [
        "classes", "confusions", "mistakes", "labels", "calibration", "abstention",
    ]  # fmt: skip
    assert "None" not in words_of(page)
    assert "logistic regression" not in page


def test_a_thousand_classes_stay_a_few_megabytes():
    """What is left out is named, with the file that has it."""
    page = render_training_report(full_report_context(1000, 3000))
    assert len(page.encode()) < 1_500_000
    words = words_of(page)
    assert "The other 800 are in per_class.csv." in words
    assert "more are in errors.csv." in words
    assert "The numbers are in confusion_matrix.csv." in words
