"""The model as the HTTP side sees it: loading, ready or failed. Owns the loading thread and the batcher."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from bert_classifier.errors import RequestError
from bert_classifier.serving.batcher import MicroBatcher

if TYPE_CHECKING:
    from bert_classifier.serving.predictor import Prediction, Predictor  # it loads torch

logger = logging.getLogger(__name__)

PASS_BUDGETS = (
    4  # forward passes' worth of tokens that a batch sorts by length: less padding, still soon done
)


class ModelService:
    """One model, loaded in the background so that the socket answers meanwhile.

    Args:
        load: returns the predictor once it has proved to work.
        on_failure: told, in the loading thread, what `load` raised.
        max_batch_tokens: most tokens, padding counted, in one forward pass.
        max_waiting: requests at the same time.
    """

    def __init__(
        self,
        load: "Callable[[], Predictor]",
        on_failure: Callable[[Exception], None],
        *,
        max_batch_tokens: int,
        max_waiting: int,
    ) -> None:
        self._load = load
        self._on_failure = on_failure
        self._max_cost = PASS_BUDGETS * max_batch_tokens
        self._max_waiting = max_waiting
        self._batcher: MicroBatcher[Prediction] | None = None
        self._loader = threading.Thread(target=self._start_model, name="loader", daemon=True)
        self.labels: Sequence[str] = ()

    def start(self) -> None:
        """Begin to load the model and return at once."""
        self._loader.start()

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered: the model is loaded and its thread lives."""
        return self._batcher is not None and self._batcher.is_alive

    def submit(self, texts: Sequence[str], deadline: float) -> "Future[list[Prediction]]":
        """Queue texts for classification; see MicroBatcher.submit.

        Raises:
            RequestError: 503 while the model is not ready, 429 when too many requests wait.
        """
        if self._batcher is None:
            raise RequestError(503, "not_ready", "The model is still being loaded.", "Try again in a moment.")
        return self._batcher.submit(texts, deadline)

    def close(self, timeout: float) -> bool:
        """Answer what waits and stop; say whether no thread is left after at most `timeout` seconds."""
        is_stopped = self._batcher is None or self._batcher.close(timeout)
        return is_stopped and not self._loader.is_alive()

    def _start_model(self) -> None:
        try:
            predictor = self._load()
        except Exception as error:  # noqa: BLE001 - whatever it is, a server without a model must not live on
            self._on_failure(error)
            return
        self.labels = predictor.labels
        self._batcher = MicroBatcher(
            predictor.predict,
            cost_of=predictor.cost_of,
            max_cost=self._max_cost,
            max_waiting=self._max_waiting,
        )
