"""How a rank's end reaches the launcher, and through it the failure file."""

import pytest

from bert_classifier.errors import ContainerError, PlatformError, UserError, exit_code_of, failure_text
from bert_classifier.training.failures import Outcome, PeerLostError

LOST = PeerLostError("Contact is lost.", "Look.", is_silence=True)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            UserError("The data are odd.", "Mend them."),
            2,
            "UserError: Rank 1 on algo-2: The data are odd. Mend them.",
        ),
        (PlatformError("A disk fails.", "Look."), 3, "PlatformError: Rank 1 on algo-2: A disk fails. Look."),
        (LOST, 3, "PlatformError: Rank 1 on algo-2: Contact is lost. Look."),
        (
            ZeroDivisionError("by zero"),
            1,
            "InternalError: Rank 1 on algo-2: ZeroDivisionError: by zero This is a bug",
        ),
    ],
)
def test_family_cause_and_remedy_survive_the_way_through_the_file(tmp_path, error, code, text):
    """What the rank failed with is what the launcher raises, with the rank's name."""
    Outcome.of_failure(error).save(tmp_path / "outcome")
    found = Outcome.load(tmp_path / "outcome")
    assert found is not None
    told = found.error("Rank 1 on algo-2")
    assert isinstance(told, ContainerError)
    assert exit_code_of(told) == code
    assert failure_text(told).startswith(text)


def test_the_loss_of_another_rank_is_told_apart():
    """A consequence is not the reason; whether it was silence decides who is to blame."""
    assert Outcome.of_failure(LOST) == Outcome(
        "", "PlatformError", "Contact is lost.", "Look.", is_consequence=True, met_silence=True
    )
    gone = PeerLostError("Contact is lost.", "Look.", is_silence=False)
    assert not Outcome.of_failure(gone).met_silence
    assert not Outcome.of_failure(PlatformError("A disk fails.", "Look.")).is_consequence


@pytest.mark.parametrize("content", [None, "", "{", '{"other": 1}', "[]"])
def test_a_rank_without_a_readable_outcome_has_none(tmp_path, content):
    """Killed before or while it wrote: the launcher goes by the exit code."""
    if content is not None:
        (tmp_path / "outcome").write_text(content)
    assert Outcome.load(tmp_path / "outcome") is None


def test_an_outcome_that_cannot_be_written_does_not_hide_the_failure(tmp_path, caplog):
    """A full disk is logged."""
    Outcome(stopped="SIGTERM").save(tmp_path / "missing" / "outcome")
    assert "cannot write" in caplog.text
