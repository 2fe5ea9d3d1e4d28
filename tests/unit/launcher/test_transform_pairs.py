"""Tables with two texts per row, given to a batch transform."""

import json

from support.transform_texts import look, texts_in, uploaded, write, wrong_in


def test_pairs_are_sent_with_both_texts(tmp_path):
    """As they are beside their columns, or as JSON Lines; a row without one of the texts keeps its place."""
    content = "premise,hypothesis,label\none,two,yes\n,four,no\n"
    found, findings = look(write(tmp_path / "a.csv", content), tmp_path / "a")
    assert (found.content_type, found.columns) == ("text/csv", "premise,hypothesis,label")
    assert [one.message for one in wrong_in(findings)] == [
        "a.csv has 1 row of 2 without a text, each answered with an error: line 3: the text is empty"
    ]
    found, findings = look(write(tmp_path / "b.csv", content.replace(",", ";")), tmp_path / "b")
    (body,) = uploaded(found).values()
    assert [json.loads(line) for line in body.decode().splitlines()] == [
        {"text": "one", "text_pair": "two"},
        {"text": "", "text_pair": ""},
    ]
    found, findings = look(write(tmp_path / "c.csv", content), tmp_path / "c", text_column="hypothesis")
    assert [json.loads(line) for line in uploaded(found)["c.jsonl"].decode().splitlines()] == [
        {"text": "two"},
        {"text": "four"},
    ]
    content = "question;answer\none;two\n"
    found, findings = look(write(tmp_path / "e.csv", content), tmp_path / "e")
    assert texts_in(found) == ["one"]
    assert [one.message for one in wrong_in(findings)] == [
        "e.csv: 'question' and 'answer' could be a pair of texts; TEXT_PAIR_COLUMN=answer reads both"
    ]
    content = '{"premise": "one", "hypothesis": "two"}\n'
    found, findings = look(write(tmp_path / "d.jsonl", content), tmp_path / "d")
    assert uploaded(found) == {"d.jsonl": content.encode()}
    assert not wrong_in(findings)
