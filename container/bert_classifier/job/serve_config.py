"""The settings of `serve`: frozen, parsed once from environment variables, all mistakes reported at once.

Standard library only.
"""

import dataclasses
from collections.abc import Mapping
from typing import Self

from bert_classifier.job.settings import (
    boolean,
    choice,
    choices,
    count_or_all,
    integer,
    number,
    parse_values,
    refuse,
    specs,
    string,
)
from bert_classifier.job.variables import unknown_variables

# What SageMaker's own containers can answer with, by SAGEMAKER_INFERENCE_OUTPUT, and why a text has no answer.
ANSWER_FIELDS = ("predicted_label", "probability", "probabilities", "labels", "error")
# A request may be 6 MB of short lines, and the caller sets its own timeout.
_IN_BATCH_TRANSFORM = {"sagemaker_model_server_timeout": 3600, "serving_max_records": 1_000_000}


# fmt: off
@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """The settings of the server, from environment variables: the fields' names in capitals."""

    sagemaker_bind_to_port: int = integer(8080, 1, 65535, "Port to listen on.")
    serving_host: str = string("0.0.0.0", "Address to listen on; 127.0.0.1 = only this machine.")  # noqa: S104
    sagemaker_model_server_timeout: int = integer(
        60, 1, 3600, "Seconds after which a request is answered with 504; in batch transform 3600.")
    sagemaker_model_server_workers: int | None = integer(
        None, 1, 64, "Model threads; default: two per GPU, or up to four that share a CPU.")
    sagemaker_max_payload_in_mb: int = integer(25, 0, 100, "Largest request body; 0 = 100.")
    serving_max_batch_tokens: int | None = integer(
        None, 64, 10_000_000,
        "Maximum tokens per forward pass, padding included; default 16384 on a GPU in bf16, 512 where the engine "
        "computes on a CPU, else 4096.")
    serving_max_concurrent_requests: int = integer(
        64, 1, 4096, "Maximum concurrent requests; further ones get 429.")
    serving_max_records: int = integer(
        10_000, 1, 10_000_000, "Maximum texts per request, else 413; in batch transform 1000000.")
    serving_max_waiting_tokens: int = integer(
        1_000_000, 1, 1_000_000_000, "Maximum queued tokens (estimated); further requests get 429.")
    serving_threads: int | None = integer(
        None, 1, 256, "Threads per forward pass; default on a CPU: all cores for a single pass, else its share.")
    serving_precision: str = choice(
        "", ("auto", "fp32", "bf16", "int8"), "Arithmetic; default: bf16 on a GPU that supports it, else fp32. "
        "auto = also int8 on a CPU, if it gains and training measured that the labels stay.")
    serving_abstain_below: float | None = number(
        None, 0, 1, "Answer without a label where the score is lower; 0 = never. Default: what training set.")
    serving_csv_columns: str = string(
        "", "Columns of every CSV body, as a CSV row such as label,text: bodies then have no header.", longest=1024)
    serving_top_k: int | str | None = count_or_all(
        "Classes per text, most likely first, where a request does not say; default: the best one, not in a list.")
    sagemaker_inference_output: tuple[str, ...] = choices(
        ANSWER_FIELDS, "Fields of each answer instead of label and score; probabilities and labels list all classes.")
    sagemaker_default_invocations_accept: str = string(
        "", "Media type of answers where a request has no Accept header, or */*; default: that of the request.")
    serving_stall_timeout: int = integer(
        300, 1, 3600, "Seconds after which a forward pass counts as stuck and the process is replaced.")
    sagemaker_container_log_level: int = integer(
        20, 0, 50, "Least level of the log, as Python numbers them: 10 debug, 20 info, 30 warning, 40 error.")
    serving_access_log: bool = boolean(True, "Log one JSON line per request, without its texts.")
    sagemaker_batch: bool = boolean(False, "Set by batch transform, whose defaults then apply.")
    sagemaker_multi_model: bool = boolean(False, "Set by multi-model endpoints, which are refused.")
    # fmt: on

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            UserError: naming every wrong value and every unknown SERVING_ name at once.
        """
        raw = {name: environ[name.upper()] for name in specs(cls) if environ.get(name.upper())}
        values, mistakes = parse_values(cls, raw, "environment variable", spelling=str.upper)
        mistakes += unknown_variables(environ, specs(cls))
        if values.get("serving_top_k") and values.get("sagemaker_inference_output"):
            mistakes.append("SERVING_TOP_K and SAGEMAKER_INFERENCE_OUTPUT are both set, but one replaces the other")
        if values.get("sagemaker_multi_model"):
            mistakes.append("SAGEMAKER_MULTI_MODEL is set, but this container serves one model per endpoint")
        refuse(mistakes, "Correct the model's environment.")
        return cls(**{**(_IN_BATCH_TRANSFORM if values.get("sagemaker_batch") else {}), **values})

    @property
    def max_body_bytes(self) -> int:
        """Bytes of the largest request body."""
        return (self.sagemaker_max_payload_in_mb or 100) * 1024 * 1024
