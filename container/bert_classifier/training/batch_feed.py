"""The batches of a run in their order, planned and assembled ahead while the GPU computes."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from bert_classifier.training.batch_plan import BatchPlan

# Plans the batch of an optimizer step: (step, token budget, number of gradient groups) → plan.
Planning = Callable[[int, int, int], BatchPlan]
_Key = tuple[int, int, int]


class BatchFeed:
    """Gives each step its batch.

    Args:
        plan: called in one thread only.
        total_steps: of the run.
        is_ahead: whether to prepare the next batch in a thread meanwhile; on a CPU it would take the cores away from
            the current one.
    """

    def __init__(self, plan: Planning, total_steps: int, *, is_ahead: bool) -> None:
        self._plan = plan
        self._total_steps = total_steps
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches") if is_ahead else None
        self._next: tuple[_Key, Future[BatchPlan]] | None = None

    def get(self, step: int, token_budget: int, num_gradient_groups: int) -> BatchPlan:
        """Return the batch of a step, and begin with that of the next one."""
        key = (step, token_budget, num_gradient_groups)
        if self._thread is None:
            return self._plan(*key)
        ready = (
            self._next[1]
            if self._next and self._next[0] == key
            else self._thread.submit(self._prepared, *key)
        )
        self._next = None
        plan = ready.result()
        if step + 1 < self._total_steps:
            key = (step + 1, token_budget, num_gradient_groups)
            self._next = (key, self._thread.submit(self._prepared, *key))
        return plan

    def _prepared(self, step: int, token_budget: int, num_gradient_groups: int) -> BatchPlan:
        plan = self._plan(step, token_budget, num_gradient_groups)
        plan.stage()
        return plan
