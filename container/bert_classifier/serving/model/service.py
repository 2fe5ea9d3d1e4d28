"""The model as the HTTP side sees it (loading, ready or failed), with the loading thread and the batcher."""

import gc
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bert_classifier.data.text_columns import FixedColumns
from bert_classifier.data.text_fields import TextFields
from bert_classifier.errors import RequestError, UserError
from bert_classifier.job.serve_config import ServeConfig
from bert_classifier.serving import memory
from bert_classifier.serving.metrics import Metrics
from bert_classifier.serving.model.batcher import MicroBatcher
from bert_classifier.serving.model.facts import ModelFacts
from bert_classifier.serving.model.pending import Pending

if TYPE_CHECKING:
    from bert_classifier.serving.model.predictor import Prediction, Predictor  # it loads torch

logger = logging.getLogger(__name__)


class ModelService:
    """One model, loaded in the background while the server already answers pings.

    Args:
        load: returns tested predictors, one per model thread.
        on_failure: called in the loading thread with the exception of `load`.
    """

    def __init__(
        self,
        load: "Callable[[], Sequence[Predictor]]",
        on_failure: Callable[[Exception], None],
        config: ServeConfig,
        metrics: Metrics,
    ) -> None:
        self._load = load
        self._on_failure = on_failure
        self._config = config
        self._metrics = metrics
        self._batcher: MicroBatcher[Prediction] | None = None
        self._problem: str | None = None
        self._loader = threading.Thread(target=self._start_model, name="loader", daemon=True)
        self.labels: Sequence[str] = ()
        self.abstain_below = 0.0
        self.fields = TextFields()
        self.about: Mapping[str, Any] = {}
        self.csv_columns: FixedColumns | None = None
        self.facts = ModelFacts()
        self.thresholds: Sequence[float] | None = None

    def start(self) -> None:
        """Start to load the model; return at once."""
        self._loader.start()

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered: the model is loaded, and its threads are alive and not stuck."""
        return self._batcher is not None and self._batcher.is_alive and self.problem() is None

    def problem(self) -> str | None:
        """Return why this process will not answer any more, if so."""
        if self._problem is not None or self._batcher is None:
            return self._problem
        return self._batcher.problem(self._config.serving_stall_timeout)

    def fail(self, problem: str) -> None:
        """Answer no more requests, for a reason that others have found."""
        self._problem = problem

    def submit(self, texts: Sequence[str], deadline: float) -> Pending["Prediction"]:
        """Queue texts for classification; see MicroBatcher.submit.

        Raises:
            RequestError: 503 while the model is not ready, 429 when too much waits.
        """
        if self._batcher is None:
            raise RequestError(503, "not_ready", "The model is still being loaded.", "Try again in a moment.")
        return self._batcher.submit(texts, deadline)

    def abandon(self) -> None:
        """Fail every unfinished request with 503."""
        if self._batcher is not None:
            self._batcher.abandon()

    def close(self, timeout: float) -> bool:
        """Answer queued requests and stop; return whether all threads ended within `timeout` seconds."""
        is_stopped = self._batcher is None or self._batcher.close(timeout)
        return is_stopped and not self._loader.is_alive()

    def _start_model(self) -> None:
        try:
            predictors = self._load()
            _refuse_abstention(self._config.serving_abstain_below, predictors[0].thresholds)
            self.csv_columns = FixedColumns.of(self._config.serving_csv_columns, predictors[0].fields)
        except Exception as error:  # noqa: BLE001 - a server without a model must not stay up
            self._on_failure(error)
            return
        # What is loaded stays: spare the garbage collector from scanning it while all threads wait.
        gc.collect()
        memory.give_back_freed()
        gc.freeze()
        self.labels, self.fields = predictors[0].labels, predictors[0].fields
        self.about = predictors[0].about
        self.facts, self.thresholds = predictors[0].facts, predictors[0].thresholds
        own = self._config.serving_abstain_below
        self.abstain_below = predictors[0].abstain_below if own is None else own
        if self.abstain_below:
            logger.info("answers with a score below %g get no label", self.abstain_below)
        if self.csv_columns is not None:
            logger.info("CSV bodies have the columns of SERVING_CSV_COLUMNS: %s", self.csv_columns.columns)
        self._batcher = MicroBatcher(
            [predictor.predict for predictor in predictors],
            cost_of=predictors[0].cost_of,
            max_cost=predictors[0].max_cost,
            max_waiting_cost=self._config.serving_max_waiting_tokens,
            metrics=self._metrics,
            quick_cost=predictors[0].quick_cost,
            quick_predicts=[partial(predictor.predict, on_one_core=True) for predictor in predictors],
            lanes=[predictor.lane for predictor in predictors],
            probe=predictors[0].probe,
        )


def _refuse_abstention(setting: float | None, thresholds: Sequence[float] | None) -> None:
    """Refuse a threshold for the best class where each class has one of its own."""
    if setting and thresholds is not None:
        raise UserError(
            f"SERVING_ABSTAIN_BELOW={setting:g} is for models that give one label; this one gives each text the labels"
            " over their thresholds.",
            'Remove the setting; a request may give its own "threshold".',
        )
