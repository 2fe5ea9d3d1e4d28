"""Settings of `invoke`."""

import dataclasses

from bert_classifier.job.settings import boolean, count_or_all, integer
from launcher.settings.account import AccountSettings
from launcher.settings.fields import resource_name
from launcher.settings.fields import text as text_field
from launcher.settings.inference import LONGEST_ANSWER, endpoint_name
from launcher.settings.reading import of_reader


@dataclasses.dataclass(frozen=True, kw_only=True)
class InvokeSettings(AccountSettings):
    """The settings of `invoke`."""

    endpoint: str = endpoint_name("Name of the endpoint.")
    component: str = resource_name(
        "", 63, "Inference component to ask, where the endpoint hosts several models so."
    )
    text: str = text_field("", "a text", "Text to classify.", longest=100_000)
    text_pair: str = text_field(
        "", "a text", "Second text, for a model that reads pairs; TEXT is the first.", longest=100_000
    )
    file: str = text_field(
        "", "a file", "Instead of TEXT: a file of several texts, in any form that training reads."
    )
    content_type: str = text_field(
        "", "a media type", "Media type of the file, which is then sent as it is; default: recognised."
    )
    accept: str = text_field("application/json", "a media type", "Media type of the response.")
    text_column: str = of_reader("text_column")
    text_pair_column: str = of_reader("text_pair_column")
    title_column: str = of_reader("title_column")
    header: str = of_reader("header")
    delimiter: str = of_reader("delimiter")
    encoding: str = of_reader("encoding")
    top_k: int | str | None = count_or_all(
        "Classes to list per text, most likely first; default: the best one."
    )
    raw: bool = boolean(False, "Print the response as it is.")
    invocation_timeout: int = integer(900, 1, LONGEST_ANSWER, "Async: seconds to wait for the response.")
