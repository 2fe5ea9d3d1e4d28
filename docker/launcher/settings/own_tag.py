"""The tag of everything that the launcher creates: `clean-up` removes nothing without it."""

KEY, VALUE = "bert-classifier:made-by", "launcher"
MOST_TAGS = 50  # of one resource


def with_own(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the tags with the launcher's own; without it where there is no room."""
    others = [tag for tag in tags if tag["Key"] != KEY]
    return [*others, {"Key": KEY, "Value": VALUE}] if len(others) < MOST_TAGS else others


def has_own(tags: list[dict[str, str]]) -> bool:
    """Return whether the launcher's own tag is among them."""
    return {"Key": KEY, "Value": VALUE} in tags
