"""The number of threads for a forward pass."""

import contextlib
import math
import threading
from collections.abc import Iterator

import torch

from bert_classifier.serving.model.plan import Plan

# In multiplications of float32: some 5 ms. With less, two threads take up to twice the CPU time of one, and as long.
WORK_OF_A_THREAD = 1 << 29


class ThreadBudget:
    """Divides the cores among the passes of a process: a pass that starts alone gets all, others a share.

    A pass with little work gets fewer: its threads would wait for each other longer than they compute. A pass is short,
    so it keeps its threads to the end.
    """

    def __init__(self, plan: Plan) -> None:
        self._most = plan.threads
        self._least = plan.threads_shared
        self._fewest = plan.fewest
        self._passes = 0
        self._lock = threading.Lock()

    def most_work_of_one(self) -> float:
        """Return the work up to which a pass has one thread, in multiplications of float32, whatever else runs."""
        if self._most == 1:
            return math.inf
        return 2 * WORK_OF_A_THREAD - 1 if self._fewest == 1 else 0

    @contextlib.contextmanager
    def for_a_pass(self, work: float = math.inf) -> Iterator[None]:
        """Set the calling thread's share.

        Args:
            work: of the pass, in multiplications of float32.
        """
        with self._lock:
            self._passes += 1
            share = max(self._least, self._most // self._passes)
        threads = int(max(self._fewest, min(share, work / WORK_OF_A_THREAD)))
        try:
            torch.get_num_threads()  # a thread's first call of torch would override the number set below
            torch.set_num_threads(threads)  # for this thread only: OpenMP and MKL keep it per thread
            yield
        finally:
            with self._lock:
                self._passes -= 1
