"""What the emulator calls a fault in the eyes of Hugging Face's clients."""

import json
from typing import Any

import pytest

from sagemaker_emulator.client import Answer
from sagemaker_emulator.hugging_face import (
    ALL,
    LIST,
    NULL,
    OPTIONS,
    PLAIN,
    bodies_of,
    depth_of,
    first_input,
    function_of,
    judge_hugging_face,
)

FILM, SONG = {"label": "Film", "score": 0.5}, {"label": "Song", "score": 0.25}
GOOD: dict[str, Any] = {
    PLAIN: [FILM],
    NULL: [FILM],
    OPTIONS: [FILM],
    ALL: [FILM, SONG],
    LIST: [[FILM], [FILM]],
}


def answers(changes: dict[str, Any]) -> dict[str, Answer]:
    """Return the answers of a good server, some of them changed."""
    bodies = {name: json.dumps(value).encode() for name, value in {**GOOD, **changes}.items()}
    return {name: Answer(200, body, {}, 0.1, 1.0, 1.1) for name, body in bodies.items()}


def test_a_pipeline_in_a_container_passes():
    """Flat for one string, a list per text for a list; a lone object without top_k is nobody's fault."""
    assert judge_hugging_face(answers({}))[0] is True
    assert judge_hugging_face(answers({PLAIN: FILM, NULL: FILM, OPTIONS: FILM}))[0] is True
    assert judge_hugging_face({}) == (None, "no request of application/json with inputs is known")
    assert GOOD.keys() == bodies_of("a text").keys()


def test_pairs_are_sent_as_the_pipeline_takes_them():
    """An object of two strings is an input too; one of another kind is not."""
    pair = {"text": "a", "text_pair": "b"}
    assert first_input(json.dumps({"inputs": [pair, pair]}).encode()) == pair
    assert first_input(b'{"inputs": {"text": "a", "n": 1}}') is None
    assert bodies_of(pair)[LIST]["inputs"] == [pair, pair]


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({ALL: [FILM]}, "fewer than two classes"),  # top_k null ignored
        ({ALL: [FILM, FILM]}, "fewer than two classes"),
        ({ALL: [SONG, FILM]}, "its first class is 'Song', not 'Film'"),
        ({ALL: [[FILM, SONG]]}, "2 lists around a class of one string"),
        ({ALL: "Film"}, "0 lists around a class of one string"),
        ({ALL: []}, "fewer than two classes"),
        ({PLAIN: [], NULL: [], OPTIONS: [], ALL: []}, "no parameters: no label in 200: []"),
        ({NULL: [SONG]}, "parameters null: 200"),
        ({NULL: []}, "parameters null: 200"),
        ({OPTIONS: []}, "options: 200"),
        ({LIST: [FILM, FILM]}, "1 for a list of strings"),
        ({LIST: [[FILM]]}, "not 'Film' alone for each text"),
        ({LIST: [[FILM, SONG], [FILM, SONG]]}, "not 'Film' alone for each text"),
        ({LIST: [[SONG], [SONG]]}, "not 'Film' alone for each text"),
        ({LIST: [[FILM], FILM]}, "not 'Film' alone for each text"),
        ({LIST: [[FILM], None]}, "not 'Film' alone for each text"),
    ],
)
def test_each_other_answer_is_a_fault(changes, seen):
    """The classes of one request must be those of the others, not only their nesting."""
    holds, said = judge_hugging_face(answers(changes))
    assert holds is False
    assert seen in said


def test_a_refusal_is_quoted():
    """With the request that was refused."""
    refused = {**answers({}), ALL: Answer(400, b"top_k", {}, 0.1, 1.0, 1.1)}
    assert judge_hugging_face(refused) == (False, f"{ALL}: 400: top_k")


def test_a_text_is_taken_from_a_body_with_inputs():
    """And from no other."""
    assert first_input(json.dumps({"inputs": ["a", "b"]}).encode()) == "a"
    assert first_input(b'{"inputs": "a"}') == "a"
    for body in (b'{"inputs": []}', b'{"instances": ["a"]}', b'["a"]', b'{"inputs": [7]}', b"\xff"):
        assert first_input(body) is None


def test_lists_are_counted_around_the_first_object():
    """An empty list has no object, and counts as one list."""
    values: list[Any] = [{}, [{}], [[{}]], [], None]
    assert list(map(depth_of, values)) == [0, 1, 2, 1, 0]


SET: dict[str, Any] = {"labels": [SONG]}
SEVERAL: dict[str, Any] = {
    PLAIN: [SET],
    NULL: [SET],
    OPTIONS: [SET],
    ALL: [FILM, SONG],
    LIST: [[FILM], [FILM]],
}


def of_no_parameters(answer: Any) -> dict[str, Any]:
    """Return an answer to each of the requests without parameters."""
    return {PLAIN: [answer], NULL: [answer], OPTIONS: [answer]}


def test_a_model_with_several_labels_passes():
    """Its labels over the thresholds, or none, are among all classes; the first of these is the best."""
    assert judge_hugging_face(answers(SEVERAL))[0] is True
    both = {"labels": [FILM, SONG]}
    none: dict[str, Any] = {"labels": []}
    for each in (both, none):
        changed = {**SEVERAL, **of_no_parameters(each)}
        assert judge_hugging_face(answers(changed))[0] is True
    assert function_of(answers(SEVERAL)[PLAIN]) == "sigmoid"
    assert function_of(answers({})[PLAIN]) == "softmax"
    assert bodies_of("a text", "sigmoid")[LIST]["parameters"]["function_to_apply"] == "sigmoid"


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({NULL: [{"labels": [FILM]}]}, "parameters null: 200"),
        (
            of_no_parameters({"labels": [SONG, FILM]}),
            "do not have the labels ['Song', 'Film']",
        ),
        (
            of_no_parameters({"labels": [{"label": "Play"}]}),
            "do not have the labels ['Play']",
        ),
        ({LIST: [[SONG], [FILM]]}, "not 'Film' alone for each text"),
    ],
)
def test_faults_of_a_model_with_several_labels(changes, seen):
    """Labels in another order than all classes, or that are none of them."""
    holds, found = judge_hugging_face(answers({**SEVERAL, **changes}))
    assert (holds, seen in found) == (False, True), found
