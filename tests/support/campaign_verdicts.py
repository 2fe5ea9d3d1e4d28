"""What a serving campaign must have met and borne to have shown anything: each function returns what is wrong."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

MOST_GROWTH = 1.1  # of a worker's memory, from the first half of a campaign to the second


class Campaign(NamedTuple):
    """What became of one: a line for people, and what is wrong with it."""

    summary: str
    faults: list[str]


def faults_of_stops(lost: int, codes: Sequence[int], answered_after: Sequence[int]) -> list[str]:
    """Judge stops under load.

    Args:
        lost: requests that were sent and got no answer.
        codes: the servers' exit codes.
        answered_after: for each stop, requests that were answered after SIGTERM: those that were under way.
    """
    idle = sum(not number for number in answered_after)
    wrong = sorted({code for code in codes if code})
    return [
        *([f"{lost} requests were lost"] if lost else []),
        *([f"exit codes {wrong}"] if wrong else []),
        *([f"{idle} of {len(codes)} stops met no request under way"] if idle else []),
        *(["no server was stopped"] if not codes else []),
    ]


def faults_of_kills(count: int, workers: Sequence[int], lost: int) -> list[str]:
    """Judge kills of a worker.

    Args:
        workers: process ids of those killed.
        lost: requests that were under way at a kill.
    """
    different = len(set(workers))
    return [
        *([f"only {different} different workers were killed, not {count}"] if different < count else []),
        *(["no request was under way at any kill"] if not lost else []),
    ]


def faults_of_soak(
    count: int, statuses: Mapping[int, int], memory: Sequence[float], workers: int
) -> list[str]:
    """Judge many requests to one worker.

    Args:
        memory: of the worker, after each part of the campaign.
        workers: how many different ones there were; a new one begins with fresh memory.
    """
    answered = statuses.get(200, 0)
    half = len(memory) // 2
    has_grown = half > 0 and max(memory[half:]) > MOST_GROWTH * max(memory[:half])
    return [
        *(
            [f"only {answered} of {count} requests were answered with 200"]
            if answered < count or not count
            else []
        ),
        *([f"memory grew from {max(memory[:half]):.0f} to {max(memory[half:]):.0f} MB"] if has_grown else []),
        *([f"{workers} workers took turns"] if workers != 1 else []),
    ]


def faults_of_overload(
    unloaded: Mapping[int, int],
    loaded: Mapping[int, int],
    pings: Mapping[int, int],
    wanted: tuple[int, int],
    after: int,
) -> list[str]:
    """Judge an overload by the statuses of its requests, which must include refusals, or it was none.

    Args:
        unloaded: those of the requests by which the capacity was measured.
        wanted: how many requests and pings were to be sent.
        after: status of the first request after it.
    """
    return [
        *([f"the capacity was measured on {dict(unloaded)}"] if set(unloaded) != {200} else []),
        *(
            [f"{sum(loaded.values())} of {wanted[0]} requests were sent"]
            if sum(loaded.values()) < wanted[0]
            else []
        ),
        *(["nothing was refused: it was no overload"] if not loaded.get(429) else []),
        *(["nothing was answered"] if not loaded.get(200) else []),
        *([f"other answers than 200 and 429: {dict(loaded)}"] if set(loaded) - {200, 429} else []),
        *([f"pings: {dict(pings)} of {wanted[1]}"] if dict(pings) != {200: wanted[1]} else []),
        *([f"the first request after it was answered with {after}"] if after != 200 else []),
    ]


def faults_of_slow_clients(
    connected: int, wanted: int, pings: Sequence[float], requests: Mapping[int, int]
) -> list[str]:
    """Judge requests beside clients that hardly send.

    Args:
        connected: slow clients that were still there after the first round.
        pings: seconds of each, infinite where it failed.
        requests: statuses of the others; refusals are fine while slow bodies hold all places.
    """
    failed = sum(seconds == float("inf") for seconds in pings)
    return [
        *([f"only {connected} of {wanted} slow clients were there"] if connected < wanted else []),
        *([f"{failed} of {len(pings)} pings failed"] if failed or not pings else []),
        *(["no request beside them was answered"] if not requests.get(200) else []),
        *([f"requests beside them: {dict(requests)}"] if set(requests) - {200, 429} else []),
    ]
