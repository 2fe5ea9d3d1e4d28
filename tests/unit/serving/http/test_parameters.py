"""What a request asks for, in transformers' words, AWS' or an Accept header's; what is not honoured is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier.errors import RequestError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving.http.parameters import Wanted, check_options, of_parameters
from bert_classifier.serving.model.facts import ModelFacts

MODEL = ModelFacts(64)
ALL_SCORES = Wanted(in_model_order=True)
BOTH = Wanted(fields=("predicted_label", "probabilities"))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["top_k", "return_all_scores", "output", "truncation", "padding", "max_length", "batch_size"]
)


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        (None, None),
        ({}, None),
        ({"top_k": 2}, Wanted(2)),
        ({"top_k": None}, Wanted("all")),
        ({"top_k": "all"}, Wanted("all")),
        ({"return_all_scores": True}, ALL_SCORES),
        ({"return_all_scores": False}, None),
        ({"return_all_scores": True, "top_k": 1}, Wanted(1)),
        ({"output": "predicted_label, probabilities"}, BOTH),
        ({"output": ["predicted_label", "probabilities"]}, BOTH),
        ({"truncation": True, "padding": "max_length", "batch_size": 8, "num_workers": 0}, None),
        ({"truncation": "only_first", "max_length": 64, "function_to_apply": "SOFTMAX"}, None),
        ({"truncation": None, "padding": None, "function_to_apply": None, "output": None}, None),
    ],
)
def test_what_is_asked_for(parameters, wanted):
    """top_k decides as in transformers; what holds anyway asks for nothing."""
    assert of_parameters(parameters, MODEL) == wanted


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ([], "parameters"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": 2.0}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"top_k": "3"}, "top_k"),
        ({"topk": 2}, "top_k"),
        ({"return_all_scores": 1}, "return_all_scores"),
        ({"function_to_apply": "sigmoid"}, "function_to_apply"),
        ({"function_to_apply": "none"}, "function_to_apply"),
        ({"function_to_apply": ["softmax"]}, "function_to_apply"),
        ({"truncation": False}, "truncation"),
        ({"truncation": "do_not_truncate"}, "truncation"),
        ({"truncation": 1}, "truncation"),
        ({"padding": "sometimes"}, "padding"),
        ({"batch_size": "8"}, "batch_size"),
        ({"batch_size": -8}, "batch_size"),
        ({"max_length": 65}, "max_length"),
        ({"max_length": 64.0}, "max_length"),
        ({"candidate_labels": ["a"]}, "candidate_labels"),
        ({"output": "label"}, "output"),
        ({"output": []}, "output"),
        ({"output": "labels,labels"}, "output"),
        ({"output": [["labels"]]}, "output"),
        ({"output": "labels", "top_k": 2}, "output"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(parameters, named):
    """Ignoring it would give an answer to another question."""
    with pytest.raises(RequestError, match=named) as caught:
        of_parameters(parameters, MODEL)
    assert (caught.value.status, caught.value.code) == (400, "bad_parameters")


@given(parameters=st.dictionaries(NAMES | st.text(max_size=9), ANYTHING, max_size=3) | ANYTHING)
def test_any_parameters_are_read_or_refused(parameters):
    """No value of any type is a bug of ours."""
    with contextlib.suppress(RequestError):
        wanted = of_parameters(parameters, MODEL)
        assert wanted is None or 1 <= wanted.number_of(7) <= 7


def test_options_of_the_hosted_service():
    """They change nothing here; an unknown one is named."""
    check_options({"wait_for_model": True, "use_cache": False, "use_gpu": None})
    check_options(None)
    wrong_ones: tuple[object, ...] = ([], {"wait": True})
    for wrong in wrong_ones:
        with pytest.raises(RequestError):
            check_options(wrong)


def test_the_settings_hold_where_a_request_does_not_say():
    """AWS' fields go before the number of classes."""
    assert Wanted.by_settings(ServeConfig()) == Wanted()
    assert Wanted.by_settings(ServeConfig(serving_top_k="all")) == Wanted("all")
    fields = ServeConfig(serving_top_k=2, sagemaker_inference_output=BOTH.fields)
    assert Wanted.by_settings(fields) == BOTH
