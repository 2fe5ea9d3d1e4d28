"""Settings of every command: which AWS account and region."""

import dataclasses

from bert_classifier.job.settings import boolean
from launcher.settings.fields import text


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """Settings that every command has.

    Attributes:
        given: names of the settings that were set anywhere.
        typed: names of those that were set on the command line.
        notes: messages about values that were left out.
    """

    region: str = text(
        "", "an AWS region, such as eu-west-1",
        "Region of all resources; default: the one in your AWS configuration.", r"[a-z]+(-[a-z]+)+-\d+",
    )  # fmt: skip
    profile: str = text(
        "", "the name of a profile", "Profile of your AWS configuration; default: its default.", longest=256
    )
    bucket_owner: str = text(
        "", "12 digits",
        "Account that must own the buckets you name; the default bucket must always be your own.", r"\d{12}",
    )  # fmt: skip
    dry_run: bool = boolean(False, "Run all checks and print the exact requests without sending them.")
    given: frozenset[str] = dataclasses.field(default=frozenset(), compare=False, repr=False)
    typed: frozenset[str] = dataclasses.field(default=frozenset(), compare=False, repr=False)
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False, repr=False)


def chosen(settings: AccountSettings, *names: str) -> tuple[str, ...]:
    """Return the values of settings that exclude each other; where one was typed, only typed ones count."""
    typed = settings.typed & set(names)
    return tuple(getattr(settings, name) if not typed or name in typed else "" for name in names)
