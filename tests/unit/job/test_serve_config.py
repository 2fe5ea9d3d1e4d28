"""ServeConfig: the server's settings from its environment variables."""

import dataclasses

import pytest

from bert_classifier.errors import UserError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.job.settings import specs
from bert_classifier.job.variables import near_misses, without_effect


def test_serve_defaults():
    """An empty environment serves on 8080 with 25 MB bodies."""
    config = ServeConfig.from_environ({})
    assert config == ServeConfig()
    assert (config.sagemaker_bind_to_port, config.max_body_bytes) == (8080, 25 * 1024 * 1024)


def test_serve_settings_come_from_capitals_only():
    """A setting is read from the variable of its name in capitals; an empty one counts as unset."""
    words = {"serving_precision": "bf16", "serving_access_log": "false", "serving_abstain_below": "0.64"}
    words["sagemaker_container_log_level"] = "30"
    others = {"sagemaker_batch", "sagemaker_multi_model", "sagemaker_inference_output"}
    for name in set(specs(ServeConfig)) - others:
        value = words.get(name, "64")
        config = ServeConfig.from_environ({name.upper(): value, "PATH": "/bin"})
        assert str(getattr(config, name)).lower() == value
        assert dataclasses.replace(config, **{name: getattr(ServeConfig(), name)}) == ServeConfig()
        assert ServeConfig.from_environ({name.upper(): ""}) == ServeConfig()


def test_serve_answers_as_the_environment_says():
    """The number of classes may be all, and AWS' fields of an answer are a list in its order."""
    fields = {"SAGEMAKER_INFERENCE_OUTPUT": "probabilities, Predicted_Label"}
    assert ServeConfig.from_environ(fields).sagemaker_inference_output == ("probabilities", "predicted_label")
    assert ServeConfig.from_environ({"SERVING_TOP_K": "All"}).serving_top_k == "all"
    with pytest.raises(UserError, match="one replaces the other"):
        ServeConfig.from_environ({**fields, "SERVING_TOP_K": "2"})
    for name, wrong in (
        ("SERVING_TOP_K", "0"),
        ("SERVING_TOP_K", "-1"),
        ("SERVING_TOP_K", "²"),
        ("SAGEMAKER_INFERENCE_OUTPUT", "label"),
        ("SAGEMAKER_INFERENCE_OUTPUT", "labels,labels"),
    ):
        with pytest.raises(UserError, match=name):
            ServeConfig.from_environ({name: wrong})


def test_serve_body_limit_zero_means_the_platform_limit():
    """SageMaker's 0 for the payload means no limit of one's own: 100 MB."""
    assert ServeConfig.from_environ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}).max_body_bytes == 100 * 1024 * 1024


def test_serve_names_every_wrong_variable_as_it_is_set():
    """Wrong variables are reported all at once, under their names in the model's environment."""
    with pytest.raises(UserError) as caught:
        ServeConfig.from_environ({"SAGEMAKER_BIND_TO_PORT": "70000", "SERVING_THREADS": "all"})
    assert caught.value.cause == (
        "Environment variable SAGEMAKER_BIND_TO_PORT='70000' is not a whole number from 1 to 65535; "
        "environment variable SERVING_THREADS='all' is not a whole number from 1 to 256."
    )


@pytest.mark.parametrize("spelling", ["true", "True"])
def test_serve_in_batch_transform(spelling):
    """SAGEMAKER_BATCH, in either spelling in use, gives a mini-batch's defaults; what is set still counts."""
    config = ServeConfig.from_environ({"SAGEMAKER_BATCH": spelling})
    assert (config.serving_max_records, config.sagemaker_model_server_timeout) == (1_000_000, 3600)
    chosen = {"SAGEMAKER_BATCH": spelling, "SERVING_MAX_RECORDS": "5", "SAGEMAKER_MODEL_SERVER_TIMEOUT": "7"}
    config = ServeConfig.from_environ(chosen)
    assert (config.serving_max_records, config.sagemaker_model_server_timeout) == (5, 7)
    assert ServeConfig.from_environ({"SAGEMAKER_BATCH": "false"}) == ServeConfig()


def test_serve_refuses_a_multi_model_endpoint():
    """A multi-model endpoint, whose calls nothing here answers, is refused at the start with the reason."""
    with pytest.raises(UserError, match="SAGEMAKER_MULTI_MODEL"):
        ServeConfig.from_environ({"SAGEMAKER_MULTI_MODEL": "true"})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SERVING_THREDS", "'SERVING_THREDS', did you mean SERVING_THREADS?"),
        ("SERVING_MAX_RECORD", "'SERVING_MAX_RECORD', did you mean SERVING_MAX_RECORDS?"),
        ("serving_threads", "'serving_threads', did you mean SERVING_THREADS?"),
        ("Serving_Precision", "'Serving_Precision', did you mean SERVING_PRECISION?"),
        ("SERVING_", "'SERVING_'"),
    ],
)
def test_an_unknown_variable_of_ours_is_refused(name, hint):
    """A setting that is misspelt, or in small letters, would count for nothing; an empty one is unset anyway."""
    with pytest.raises(UserError) as caught:
        ServeConfig.from_environ({name: "1", "SERVING_THREADS": "2"})
    assert caught.value.cause.startswith(f"Unknown environment variable {hint}")
    assert ServeConfig.from_environ({name: ""}) == ServeConfig()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("SAGEMAKER_MODEL_SERVER_TIMEOT", "SAGEMAKER_MODEL_SERVER_TIMEOUT"),
        ("SAGEMAKER_MODEL_SERVER_WORKER", "SAGEMAKER_MODEL_SERVER_WORKERS"),
        ("SAGEMAKER_MAX_PAYLOAD_MB", "SAGEMAKER_MAX_PAYLOAD_IN_MB"),
        ("SAGEMAKER_BIND_PORT", "SAGEMAKER_BIND_TO_PORT"),
        ("sagemaker_model_server_timeout", "SAGEMAKER_MODEL_SERVER_TIMEOUT"),
    ],
)
def test_a_near_miss_under_sagemakers_prefix_is_doubted(name, near):
    """It may be SageMaker's own, so it gets a warning and is not refused."""
    assert ServeConfig.from_environ({name: "1"}) == ServeConfig()
    assert near_misses({name: "1"}, specs(ServeConfig)) == [f"'{name}' has no effect, did you mean {near}?"]


def test_what_sagemaker_and_its_sdk_set_is_not_doubted():
    """Variables that the platform, its SDK and its own containers set, and our own."""
    platforms = (
        "SAGEMAKER_REGION", "SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY", "SAGEMAKER_CONTAINER_LOG_LEVEL",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "SAGEMAKER_SAFE_PORT_RANGE", "SAGEMAKER_BATCH_STRATEGY",
        "SAGEMAKER_MODEL_SERVER_VMARGS", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "SAGEMAKER_MANAGED_MODEL",
        "SAGEMAKER_MULTI_MODEL_UNIVERSAL_BUCKET", "SAGEMAKER_MAX_REQUEST_SIZE", "SAGEMAKER_MODEL_SERVER",
        "SAGEMAKER_NUM_MODEL_WORKERS", "SAGEMAKER_BASE_DIR", "SAGEMAKER_ENV", "SAGEMAKER_TS_BATCH_SIZE",
    )  # fmt: skip
    own = [name.upper() for name in specs(ServeConfig)]
    assert near_misses(dict.fromkeys([*platforms, *own], "1"), specs(ServeConfig)) == []


@pytest.mark.parametrize("name", ["SERVING_QUUX", "SERVING_FEATURES", "SERVING_LOAD_MODELS"])
def test_a_name_like_none_gets_no_hint(name):
    """The prefix alone is no likeness."""
    with pytest.raises(UserError) as caught:
        ServeConfig.from_environ({name: "1"})
    assert caught.value.cause == f"Unknown environment variable '{name}'."


def test_a_service_of_kubernetes_called_serving_is_passed_over():
    """Its variables stand in every container beside it; a setting that was meant still is refused."""
    links = {
        "SERVING_PORT": "tcp://10.0.0.1:80",
        "SERVING_SERVICE_HOST": "10.0.0.1",
        "SERVING_SERVICE_PORT": "80",
        "SERVING_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "SERVING_PORT_8080_TCP_ADDR": "10.0.0.1",
        "SERVING_BERT_SERVICE_HOST": "10.0.0.2",
        "SERVING_BERT_PORT": "tcp://10.0.0.2:80",
    }
    assert ServeConfig.from_environ(links) == ServeConfig()
    expected = "'SERVING_BERT_PORT' belongs to a Kubernetes service and has no effect here"
    assert near_misses(links, specs(ServeConfig)) == [expected]
    with pytest.raises(UserError, match="SERVING_PORT"):
        ServeConfig.from_environ({"SERVING_PORT": "8081"})


def test_variables_of_other_containers_are_named():
    """They would do something in AWS' own containers, and do nothing here; an empty one is not set."""
    environ = {
        "SAGEMAKER_INFERENCE_INPUT": "text",
        "TS_MAX_REQUEST_SIZE": "1",
        "SAGEMAKER_PROGRAM": "",
        "PATH": "/bin",
    }
    assert without_effect(environ) == [
        "SAGEMAKER_INFERENCE_INPUT has no effect: a request holds texts",
        "'TS_MAX_REQUEST_SIZE' has no effect: it is for another server",
    ]
    assert near_misses(environ, specs(ServeConfig)) == []
