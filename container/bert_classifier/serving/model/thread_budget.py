"""The number of threads for a forward pass."""

import contextlib
import threading
from collections.abc import Iterator

import torch

from bert_classifier.serving.model.plan import Plan


class ThreadBudget:
    """Divides the cores among the passes of a process: a pass that starts alone gets all, others a share.

    A pass is short, so it keeps its threads to the end.
    """

    def __init__(self, plan: Plan) -> None:
        self._most = plan.threads
        self._least = plan.threads_shared
        self._passes = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def for_a_pass(self) -> Iterator[None]:
        """Set the calling thread's share."""
        with self._lock:
            self._passes += 1
            threads = max(self._least, self._most // self._passes)
        try:
            torch.get_num_threads()  # a thread's first call of torch would override the number set below
            torch.set_num_threads(threads)  # for this thread only: OpenMP and MKL keep it per thread
            yield
        finally:
            with self._lock:
                self._passes -= 1
