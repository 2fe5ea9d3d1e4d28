"""ServeConfig: the server's settings from its environment variables."""

import dataclasses

import pytest

from bert_classifier.config import ServeConfig
from bert_classifier.errors import UserError
from bert_classifier.fields import specs


def test_serve_defaults():
    """An empty environment serves on 8080 with 25 MB bodies."""
    config = ServeConfig.from_environ({})
    assert config == ServeConfig()
    assert (config.sagemaker_bind_to_port, config.max_body_bytes) == (8080, 25 * 1024 * 1024)


def test_serve_settings_come_from_capitals_only():
    """A setting is read from the variable of its name in capitals; an empty one counts as unset."""
    words = {"serving_precision": "bf16", "serving_access_log": "false", "serving_abstain_below": "0.64"}
    for name in set(specs(ServeConfig)) - {"sagemaker_batch", "sagemaker_multi_model"}:
        value = words.get(name, "64")
        config = ServeConfig.from_environ({name.upper(): value, name: "80", "PATH": "/bin"})
        assert str(getattr(config, name)).lower() == value
        assert dataclasses.replace(config, **{name: getattr(ServeConfig(), name)}) == ServeConfig()
        assert ServeConfig.from_environ({name.upper(): ""}) == ServeConfig()


def test_serve_body_limit_zero_means_the_platform_limit():
    """SageMaker's 0 for the payload means no limit of one's own: 100 MB."""
    assert ServeConfig.from_environ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}).max_body_bytes == 100 * 1024 * 1024


def test_serve_names_every_wrong_variable_as_it_is_set():
    """Wrong variables are told all at once, under the names they have in the model's environment."""
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
