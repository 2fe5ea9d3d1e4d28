"""Which share of the cores a forward pass computes on."""

import contextlib
import threading
from collections.abc import Iterator

import torch

from bert_classifier.serving.model.plan import Plan


class ThreadBudget:
    """Assigns the cores to the passes of a process: all to one that begins alone, else a part.

    A pass keeps what it began with: it is short.
    """

    def __init__(self, plan: Plan) -> None:
        self._most = plan.threads
        self._least = plan.threads_shared
        self._passes = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def for_a_pass(self) -> Iterator[None]:
        """Let the calling thread compute on its share."""
        with self._lock:
            self._passes += 1
            threads = max(self._least, self._most // self._passes)
        try:
            torch.get_num_threads()  # a thread's first use of torch takes over another's number, whatever was set
            torch.set_num_threads(threads)  # of what this thread computes: OpenMP and MKL count by thread
            yield
        finally:
            with self._lock:
                self._passes -= 1
