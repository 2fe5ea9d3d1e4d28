"""Sending a training job's request: three ways, the same fields."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from bert_classifier.errors import ContainerError, PlatformError, UserError
from launcher.aws.account import Account
from launcher.aws.errors import AWS_ERRORS
from launcher.aws.training_request import OPERATION, with_defaults
from launcher.command import say
from launcher.interrupts import Interrupts

# Each way's module, whose `create(fields, account)` sends the request.
_MODULES = {"estimator": "estimator", "modeltrainer": "model_trainer", "boto3": "plain_boto3"}
_NEEDS = {"estimator": 2, "modeltrainer": 3}  # major version of the SageMaker SDK


def sdk_version() -> int:
    """Return the major version of the SageMaker SDK that is installed, without importing it; 0 for none."""
    found = importlib.util.find_spec("sagemaker")
    folders = [Path(folder) for folder in (found and found.submodule_search_locations) or ()]
    if any((folder / "estimator.py").is_file() for folder in folders):
        return 2
    return 3 if any((folder / "train" / "model_trainer.py").is_file() for folder in folders) else 0


def choose(via: str) -> str:
    """Return the way to send a request: the given one, or for `auto` what is installed.

    Raises:
        UserError: when the SDK that the given way needs is not installed.
    """
    installed = sdk_version()
    if via == "auto":
        way = next((way for way, needed in _NEEDS.items() if needed == installed), "boto3")
        if not installed:
            say("the SageMaker SDK is not installed, so boto3 sends the request (VIA=boto3)")
        return way
    needed = _NEEDS.get(via, installed)
    if needed != installed:
        there = f"version {installed} is installed" if installed else "it is not installed"
        raise UserError(
            f"VIA={via} needs version {needed} of the SageMaker SDK, and {there} in {sys.prefix}.",
            f"`make train-spot VIA={via}` installs it in an environment of its own; or VIA=boto3 needs none.",
        )
    return via


def send(way: str, fields: Mapping[str, Any], account: Account, typed: Interrupts) -> None:
    """Request a training job, and return once SageMaker has accepted it.

    Args:
        way: estimator, modeltrainer or boto3.
        fields: those of CreateTrainingJob; whatever an SDK makes of them, exactly these are sent.
        typed: Ctrl-C, which the SDKs would swallow.
    Raises:
        KeyboardInterrupt: when it was typed before the request was sent.
        UserError: when the SDK does not take the fields.
        PlatformError: when it is not known whether SageMaker has accepted the request.
    """
    request = _Request(fields, account, typed)
    # SDKs print; standard output is for results.
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(KeyboardInterrupt):
        try:
            importlib.import_module(f"launcher.commands.{_MODULES[way]}").create(fields, account)
        except (ReadTimeoutError, ConnectionClosedError) as error:
            if not request.is_sent:
                raise
            if not request.is_accepted:
                raise unknown(str(fields["TrainingJobName"]), "no answer came") from error
        except Exception as error:
            if not request.is_accepted:  # else it is about what an SDK does afterwards
                raise _meant(error, way) from error
    if request.is_accepted:
        return
    if request.is_sent:
        raise unknown(str(fields["TrainingJobName"]), "the answer was not waited for")
    typed.stop_here()
    raise RuntimeError("no request was sent")


def unknown(name: str, cause: str) -> PlatformError:
    """Return the error for a job that may have been started."""
    return PlatformError(f"{name} may have started: {cause}.", f"Check its status: make status JOB={name}.")


def _meant(error: Exception, way: str) -> Exception:
    """Return what an SDK's refusal means to the user; errors of AWS and of ours as they are."""
    if isinstance(error, (ContainerError, *AWS_ERRORS)) or not isinstance(error, (ValueError, TypeError)):
        return error
    reason = " ".join(str(error).split())[:300].rstrip(".")
    return UserError(f"The SageMaker SDK does not take the job: {reason}.", f"VIA=boto3 does without {way}.")


class _Request:
    """The one request: its fields, and how far it has come; an SDK's function may return when it has sent none."""

    def __init__(self, fields: Mapping[str, Any], account: Account, typed: Interrupts) -> None:
        self.is_sent = self.is_accepted = False
        self._fields, self._typed = fields, typed
        # Estimator and boto3 use the account's client; ModelTrainer makes one of its own from the session.
        for events in (account.session.events, account.client("sagemaker").meta.events):
            events.register(f"provide-client-params.sagemaker.{OPERATION}", self._settle)
            events.register(f"before-call.sagemaker.{OPERATION}", self._send)
            events.register(f"after-call.sagemaker.{OPERATION}", self._receive)

    def _settle(self, params: dict[str, Any], **_: object) -> dict[str, Any]:
        return with_defaults(self._fields, params)

    def _send(self, **_: object) -> None:
        self._typed.stop_here()
        self.is_sent = True

    def _receive(self, http_response: Any, **_: object) -> None:
        self.is_accepted = http_response.status_code < 300
