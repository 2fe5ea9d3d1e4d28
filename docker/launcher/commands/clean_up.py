"""`clean-up`: show what the launcher has made under a prefix and what it costs; with CONFIRM=yes, remove it."""

from bert_classifier.errors import ContainerError, PlatformError, UserError
from launcher.aws import inventory, stored
from launcher.aws.account import Account
from launcher.aws.dry_run import HeldRequests
from launcher.aws.errors import AWS_ERRORS, explain
from launcher.aws.inventory import Found
from launcher.aws.s3 import prefix_of
from launcher.command import Command, say
from launcher.settings.watching import CleanUpSettings


def run(settings: CleanUpSettings, account: Account) -> int:
    """Print what there is; remove it if the command line confirms that; return 0 if nothing is left.

    Raises:
        ContainerError: when something could not be removed; the rest is.
    """
    if not settings.prefix:
        raise UserError(
            "PREFIX is not set.", "Give the beginning of the names: make clean-up PREFIX=my-trial."
        )
    held = HeldRequests(account.session) if settings.dry_run else None
    there = inventory.take(account, settings.prefix)
    root = prefix_of(settings, account)
    if settings.s3:
        stored.add_folders(account, root, settings.prefix, there)
    if there.others:
        say(f"without the launcher's tag, so it stays: {there.shown_others}")
    for line in there.kept:
        say(line)
    say(f"stays in any case: {root.uri}data/ and {root.uri}transform/input/ (uploads, which jobs share), "
        f"{root.uri}registry/ and model packages, the log groups /aws/sagemaker/…")  # fmt: skip
    if not there.found:
        say(
            f"the launcher has nothing in {account.region} that is called {settings.prefix} or "
            f"{settings.prefix}-… and may go"
        )
        return 0
    print("\n".join(table(there.found)))
    print(_together(there))
    is_confirmed = settings.confirm == "yes" and "confirm" in settings.typed
    if not is_confirmed:
        say(f"nothing is removed; to remove it: make clean-up PREFIX={settings.prefix}"
            f"{' S3=true' if settings.s3 else ''} CONFIRM=yes")  # fmt: skip
        return 0
    _remove(there.found, settings, account)
    if held is not None:
        print(held)
    return 0


def _together(there: inventory.Inventory) -> str:
    unknown = sum(one.hourly is None for one in there.found)
    known = there.hourly > 0 or not unknown
    parts = [f"about ${there.hourly:.2f} per hour on demand"] if known else []
    parts += [f"{unknown} of unknown price"] if unknown else []
    return f"together {' and '.join(parts)}"


def table(found: list[Found]) -> list[str]:
    """Return a line for each thing: kind, name, price per hour, what it is or does now."""
    prices = ["?" if one.hourly is None else f"${one.hourly:.2f}/h" if one.hourly else "–" for one in found]
    kind, name, price = (max(map(len, column)) for column in
                         ([one.kind for one in found], [one.name for one in found], prices))  # fmt: skip
    return [
        f"{one.kind:<{kind}}  {one.name:<{name}}  {cost:>{price}}  {one.detail}".rstrip()
        for one, cost in zip(found, prices, strict=True)
    ]


def _remove(found: list[Found], settings: CleanUpSettings, account: Account) -> None:
    """Remove one after the other; what fails stays, and the rest goes."""
    left: dict[str, ContainerError | None] = {}
    staying: list[Found] = []
    for index, one in enumerate(found):
        user = next((user for user in staying if user.needs(one)), None)
        if user is not None:
            left[f"{one.kind} {one.name}"] = None
            say(f"{one.kind} {one.name} stays: the {user.kind} {user.name} needs it")
            continue
        try:
            one.remove()
        except KeyboardInterrupt:
            names = ", ".join(f"{rest.kind} {rest.name}" for rest in found[index:])
            say(f"not known to be removed: {names}")
            raise
        except (*AWS_ERRORS, ContainerError) as error:
            known = error if isinstance(error, ContainerError) else explain(error)
            left[f"{one.kind} {one.name}"] = known
            staying.append(one)
            say(f"{one.kind} {one.name} stays: {known or error}")
        else:
            verb = "stopped" if one.kind.endswith("job") else "removed"
            say(f"{'would have ' if account.is_dry_run else ''}{verb} {one.kind} {one.name}")
    if left:
        first = next(iter(left.values()))
        family = type(first) if isinstance(first, UserError) else PlatformError
        raise family(
            f"{len(left)} of {len(found)} could not be removed: {', '.join(left)}.",
            f"The reasons stand above; then run it again: make clean-up PREFIX={settings.prefix} CONFIRM=yes.",
        )


COMMANDS = (
    Command("clean-up", "remove everything that the launcher has made under a prefix", CleanUpSettings, run,
            "prefix"),
)  # fmt: skip
