"""How lists of labels are written, in every sentence alike."""

from bert_classifier.job.wording import enumerated, listed


def test_names_are_quoted_and_the_rest_counted():
    """A comma within a label is none between two."""
    assert listed(["late, again", "rude"]) == "'late, again', 'rude'"
    assert listed(["a", "b", "c"], 2) == "'a', 'b' and 1 more"
    assert listed([str(number) for number in range(1012)]).endswith("'9' and 1,002 more")
    assert listed([]) == ""


def test_items_that_are_only_the_first_of_many():
    """Their number is given then."""
    assert enumerated(["a 3", "b 2"], 10, 5) == "a 3, b 2 and 3 more"
    assert enumerated(["a 3", "b 2"], 1) == "a 3 and 1 more"
