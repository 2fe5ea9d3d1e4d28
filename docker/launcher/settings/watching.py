"""Settings of `watch` and `clean-up`."""

import dataclasses

from bert_classifier.job.settings import boolean
from launcher.settings.account import AccountSettings
from launcher.settings.fields import names, s3_uri, share, text
from launcher.settings.inference import endpoint_name
from launcher.settings.rollout import max_errors, max_p99

_TOPIC = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[\w-]{1,256}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class WatchSettings(AccountSettings):
    """The settings of `watch`."""

    endpoint: str = endpoint_name("Name of the endpoint.")
    max_errors: float = max_errors()
    max_p99: int = max_p99()
    max_abstained: float | None = share(
        None,
        "Share of texts without a label (score below the threshold) above which an alarm is raised; default: none.",
    )  # fmt: skip
    notify: tuple[str, ...] = names(
        "ARNs of SNS topics, separated by commas", "Topics that are told of every alarm.", _TOPIC, most=5
    )
    off: bool = boolean(False, "Remove the alarms that watch has made for the endpoint.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CleanUpSettings(AccountSettings):
    """The settings of `clean-up`."""

    prefix: str = text(
        "", "1 to 63 letters, digits and hyphens",
        "What to remove: names that are PREFIX or begin with PREFIX and a hyphen; required.",
        r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    )  # fmt: skip
    confirm: str = text("", "yes", "yes removes what is shown; default: show it only.", r"yes|no")
    s3: bool = boolean(
        False, "Also the objects in S3 of what is removed: models, checkpoints, captures, predictions."
    )
    s3_prefix: str = s3_uri(
        "", "S3 folder of the jobs; default: s3://sagemaker-REGION-ACCOUNT/bert-classifier."
    )
