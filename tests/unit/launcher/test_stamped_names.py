"""Names that the launcher makes new by the time: of their own within a second, short enough, and known again."""

import time

import pytest

from launcher.aws.model import is_stamped, stamp

LONG = "a" * 63


def test_two_names_of_one_second_differ():
    """Otherwise a stopped roll-out would remove the parts of the endpoint that was made in the same second."""
    assert len({stamp("demo") for _ in _with_pauses(5)}) == 5


def _with_pauses(count):
    """Yield numbers, a few milliseconds apart."""
    for number in range(count):
        yield number
        time.sleep(0.003)


@pytest.mark.parametrize("owner", ["demo", LONG, "a" * 38 + "-b"])
def test_a_stamped_name_fits_and_is_known_again(owner):
    """SageMaker takes 63 characters; a name is of its owner, and of no other."""
    name = stamp(owner)
    assert len(name) <= 63
    assert is_stamped(name, owner)
    assert not is_stamped(name, "other")


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("demo-2026-01-31-12-00-00-123", True),
        ("demo-2026-01-31-12-00-00", True),
        ("demo-2026-01-31-12-00", False),
        ("demo-xgboost-2026-01-31-12-00-00", False),
        ("demo-2026-01-31-12-00-00-001-abcdef", False),
    ],
)
def test_names_of_earlier_versions_are_known(name, is_known):
    """They had no milliseconds; clean-up still finds them."""
    assert is_stamped(name, "demo") == is_known


def test_a_long_name_of_earlier_versions_is_known():
    """It kept 43 characters of its owner's."""
    assert is_stamped("a" * 43 + "-2026-01-31-12-00-00", LONG)
