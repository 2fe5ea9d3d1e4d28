"""A training job's progress and log, shown until the job ends."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from launcher.aws.account import Account
from launcher.aws.errors import code_of
from launcher.command import say

_GROUP = "/aws/sagemaker/TrainingJobs"
_POLL_S = 10.0
_ENDED = ("Completed", "Failed", "Stopped")


def follow(name: str, account: Account) -> None:
    """Show a job's phases and log on standard error until the job ends."""
    log, phases, ended = _Log(name, account), 0, False
    while True:
        job = account.client("sagemaker").describe_training_job(TrainingJobName=name)
        for phase in job.get("SecondaryStatusTransitions", ())[phases:]:
            phases += 1
            say(f"{_clock(phase['StartTime'])} {phase['Status']}: {phase.get('StatusMessage') or '–'}")
        log.show_new()
        if ended:
            return
        ended = job["TrainingJobStatus"] in _ENDED
        if ended and job.get("TrainingEndTime") and log.is_settled(job["TrainingEndTime"]):
            return
        time.sleep(_POLL_S)


def _clock(moment: datetime | str) -> str:
    return f"{moment:%H:%M:%S}" if isinstance(moment, datetime) else str(moment)


class _Log:
    """The streams of a job's instances, each read from where it was left."""

    def __init__(self, name: str, account: Account) -> None:
        self._name, self._client = name, account.client("logs")
        self._tokens: dict[str, str] = {}

    def show_new(self) -> None:
        """Show the lines that have come since the last call, with the host's name where there are several."""
        try:
            streams = self._streams()
            for stream in streams:
                host = f"{stream.partition('/')[2].rpartition('-')[0]}: " if len(streams) > 1 else ""
                for line in self._new_lines(stream):
                    say(f"{host}{line}")
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":  # nothing has been logged yet
                raise

    @staticmethod
    def is_settled(end: datetime) -> bool:
        """Return whether the last lines of a job that has ended then can be taken to be there."""
        return (datetime.now(end.tzinfo) - end).total_seconds() > _POLL_S

    def _streams(self) -> list[str]:
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=_GROUP, logStreamNamePrefix=f"{self._name}/"
        )
        return sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])

    def _new_lines(self, stream: str) -> Iterator[str]:
        while True:
            known = self._tokens.get(stream)
            where: dict[str, Any] = {"nextToken": known} if known else {"startFromHead": True}
            page = self._client.get_log_events(logGroupName=_GROUP, logStreamName=stream, **where)
            for event in page["events"]:
                yield event["message"]
            self._tokens[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == known:
                return
