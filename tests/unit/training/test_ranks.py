"""How a host's ranks ended, told from what they have left."""

import signal
from pathlib import Path

import pytest

from bert_classifier.training.cluster import RankPlan
from bert_classifier.training.failures import Outcome, outcome_file
from bert_classifier.training.ranks import _raise_outcome, _RankProcesses
from bert_classifier.training.signals import Stopped, StopSignal


@pytest.mark.parametrize(
    ("outcomes", "is_done"),
    [
        ((Outcome(), Outcome()), True),
        ((Outcome(), Outcome(stopped="SIGTERM")), False),
        ((Outcome(), None), False),
    ],
)
def test_a_stop_that_comes_when_all_is_done_changes_nothing(
    tmp_path: Path, outcomes: tuple[Outcome | None, ...], is_done: bool
) -> None:
    """Told to stop while the first rank writes model and reports, the job is complete, as it is with one rank."""
    plan = RankPlan(["localhost"], 0, len(outcomes), 1, "lo")
    for rank, outcome in enumerate(outcomes):
        if outcome is not None:
            outcome.save(outcome_file(tmp_path, rank))
    stop = StopSignal()
    stop.number = signal.SIGTERM
    context = _RankProcesses(plan, tmp_path, 0.0, {})
    if is_done:
        _raise_outcome(plan, tmp_path, context, stop)
    else:
        with pytest.raises(Stopped, match="SIGTERM"):
            _raise_outcome(plan, tmp_path, context, stop)
