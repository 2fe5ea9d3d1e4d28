"""A training job as it will be requested."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from launcher.aws.request_fields import read
from launcher.aws.s3 import Location
from launcher.aws.training_request import OPERATION, training_request, with_extra
from launcher.checks.account import Needs
from launcher.inputs.channels import Channel, S3Channel
from launcher.settings.training import TrainSettings


@dataclasses.dataclass(frozen=True)
class Job:
    """A training job as it will be requested.

    Attributes:
        channels: where its data is now; local files are uploaded.
        prefix: the folder for uploads and outputs.
    """

    settings: TrainSettings
    spot: bool
    name: str
    image_uri: str
    prefix: Location
    channels: tuple[Channel, ...]

    @property
    def checkpoints(self) -> Location:
        """The folder of its checkpoints."""
        own = self.settings.checkpoint_s3_uri
        return Location.of(own).as_folder() if own else self.prefix.below("checkpoints", self.name)

    @property
    def output(self) -> Location:
        """The folder in which SageMaker makes one of the job's name for its outputs."""
        return self.prefix.below("jobs")

    @property
    def needs(self) -> Needs:
        """What the job's role must be permitted."""
        given = [channel.location for channel in self.channels if isinstance(channel, S3Channel)]
        reads = [self.prefix.below("data"), self.checkpoints, *given]
        return Needs("training-role.json", reads, [self.output, self.checkpoints])

    def location_of(self, channel: Channel) -> Location:
        """Return where a channel is, or will be, in S3."""
        if isinstance(channel, S3Channel):
            return channel.location
        return self.prefix.below("data", channel.name, channel.digest)

    @functools.cached_property
    def extra(self) -> Mapping[str, Any]:
        """The fields of REQUEST.

        Raises:
            UserError: when the file cannot be read.
        """
        return read(self.settings.request, [OPERATION]).get(OPERATION, {})

    def own_request(self, role_arn: str) -> dict[str, Any]:
        """Return the fields of its CreateTrainingJob that follow from the settings."""
        return training_request(
            self.settings,
            name=self.name,
            image_uri=self.image_uri,
            role_arn=role_arn,
            channels={channel.name: self.location_of(channel) for channel in self.channels},
            output=self.output,
            checkpoints=self.checkpoints,
            spot=self.spot,
        )

    def request(self, role_arn: str) -> dict[str, Any]:
        """Return the fields of its CreateTrainingJob, those of REQUEST among them; `check_settings` checks them."""
        return with_extra(self.own_request(role_arn), self.extra)
