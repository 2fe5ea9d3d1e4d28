"""The SageMaker SDK, quiet: nothing on standard output, no advice, no report to its makers.

Import it inside a function: that takes seconds, which a wrong setting should not wait for.
"""

import contextlib
import sys
from collections.abc import Iterator

import sagemaker
from sagemaker.config import load_sagemaker_config

from launcher.account import Account


def make_session(account: Account) -> sagemaker.Session:
    """Return an SDK session of this account that reports nothing to the SDK's makers.

    Defaults of your own SDK configuration still hold, such as a VPC that your organisation demands.
    """
    config = load_sagemaker_config() or {"SchemaVersion": "1.0"}
    modules = config.setdefault("SageMaker", {}).setdefault("PythonSDK", {}).setdefault("Modules", {})
    modules.setdefault("TelemetryOptOut", True)
    return sagemaker.Session(
        boto_session=account.session, sagemaker_client=account.client("sagemaker"), sagemaker_config=config
    )


@contextlib.contextmanager
def told_to_the_person() -> Iterator[None]:
    """Send what the SDK prints to standard error: standard output is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
