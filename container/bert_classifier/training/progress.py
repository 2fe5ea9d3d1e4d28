"""The progress of a run: on a terminal a bar, elsewhere one metric line per interval."""

import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from bert_classifier.job.terminal import bar_stream, bar_width, redraw_with
from bert_classifier.log import METRICS

logger = logging.getLogger(__name__)

LOG_INTERVAL_SECONDS = 10.0


class Bar(tqdm):  # type: ignore[misc] # tqdm has no types
    """A bar at the bottom of the terminal, as wide as it is at the moment, that is gone when it is closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(file=bar_stream(), leave=False, **options)
        redraw_with(self.refresh)

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the bar is drawn from."""
        return {**super().format_dict, "ncols": bar_width()}

    def close(self) -> None:
        """Remove the bar."""
        redraw_with(None)
        super().close()


@dataclasses.dataclass
class StepReport:
    """The result of one optimizer step; `grad_norm` is the norm before clipping, the seconds are BatchReport's."""

    loss: float
    grad_norm: float
    learning_rate: float
    examples: int
    tokens: int
    padded_tokens: int
    data_seconds: float = 0.0
    sync_seconds: float = 0.0
    mean_sync_seconds: float = 0.0


class Progress:
    """Collects step reports and logs them.

    Args:
        total_steps: number of steps in the whole run.
        first_step: step at which this attempt starts.
        log_every: steps between lines; 0 = a line every LOG_INTERVAL_SECONDS.
        bar: whether to draw a progress bar.
        name: which training of the job this is; "" for the only one.
    """

    def __init__(
        self,
        total_steps: int,
        steps_per_epoch: int,
        first_step: int = 0,
        *,
        log_every: int = 0,
        bar: bool = False,
        name: str = "",
    ) -> None:
        self._name = name
        self._log_every = log_every
        self._total = total_steps
        self._per_epoch = steps_per_epoch
        description = name or "training"
        self._bar = Bar(total=total_steps, initial=first_step, desc=description, unit="step") if bar else None
        self._pending: list[StepReport] = []
        self._started = self._logged = time.monotonic()
        self._first = self._step = first_step

    def update(self, step: int, report: StepReport) -> None:
        """Add the report of optimizer step `step` (counted from 1); log if a line is due."""
        self._pending.append(report)
        self._step = step
        if self._bar is not None:
            self._bar.update()
        if step == self._total or step == self._first + 1 or self._is_time(step):
            self._log(step)

    def _is_time(self, step: int) -> bool:
        if self._log_every:
            return step % self._log_every == 0
        return time.monotonic() - self._logged >= LOG_INTERVAL_SECONDS

    def exclude(self, seconds: float) -> None:
        """Exclude time that was not spent on steps, such as an evaluation, from the rates of this interval."""
        self._logged += seconds

    def close(self) -> None:
        """Log the remaining steps and remove the bar."""
        if self._pending:
            self._log(self._step)
        if self._bar is not None:
            self._bar.close()

    def _log(self, step: int) -> None:
        now = time.monotonic()
        seconds = max(now - self._logged, 1e-9)
        reports, self._pending, self._logged = self._pending, [], now
        examples, tokens, padded = (
            sum(getattr(report, name) for report in reports)
            for name in ("examples", "tokens", "padded_tokens")
        )
        rest = (now - self._started) / (step - self._first) * (self._total - step)
        values = {
            "step": step,
            "total_steps": self._total,
            "epoch": step / self._per_epoch,
            "train_loss": sum(r.loss * r.examples for r in reports) / examples,
            "grad_norm": reports[-1].grad_norm,
            "learning_rate": reports[-1].learning_rate,
            "examples_per_second": examples / seconds,
            "tokens_per_second": tokens / seconds,
            "padding_share": 1 - tokens / padded,
            "data_share": sum(report.data_seconds for report in reports) / seconds,
            "sync_share": sum(report.sync_seconds for report in reports) / seconds,
            "scaling": 1 - sum(report.mean_sync_seconds for report in reports) / seconds,
            "eta_seconds": int(rest),
        }
        log_metrics(values, self._name)


class TextProgress:
    """Shows the progress of tokenising a channel's texts: as a bar, or as a log line every LOG_INTERVAL_SECONDS.

    Args:
        total: number of texts in the channel.
        bar: whether to draw a progress bar.
    """

    def __init__(self, channel: str, total: int, *, bar: bool = False) -> None:
        self._channel = channel
        self._total = total
        self._bar = Bar(total=total, desc=f"tokenising {channel}", unit="text") if bar else None
        self._started = self._logged = time.monotonic()

    def update(self, done: int) -> None:
        """Note that `done` texts are done; log if a line is due."""
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif now - self._logged >= LOG_INTERVAL_SECONDS:
            rest = (now - self._started) / done * (self._total - done)
            logger.info(
                "%s: %d of %d texts tokenised, about %.0f s to go", self._channel, done, self._total, rest
            )
            self._logged = now

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def log_metrics(values: Mapping[str, float | int], of: str = "") -> None:
    """Log values for metric services; see metric_line."""
    logger.info("%s", metric_line(values, of), extra=METRICS)


def metric_line(values: Mapping[str, float | int], of: str = "") -> str:
    """Return `name=value` pairs for the log, without exponents: regexes of metric services would cut them off.

    Args:
        of: what they are about, put before them; "" = the job's only training.
    """
    pairs = " ".join(f"{name}={_plain(value)}" for name, value in values.items())
    return f"{of}: {pairs}" if of else pairs


def _plain(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    if value and abs(value) < 0.001:
        return f"{value:.10f}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.0f}"
