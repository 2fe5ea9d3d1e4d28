"""On a server's PYTHONPATH: its model hangs, dies or fails at certain words. All else is the real thing."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from bert_classifier.serving.model.batcher import MicroBatcher

_start = MicroBatcher.__init__


def _sabotaged(predict: Callable[[Sequence[str]], Any]) -> Callable[[Sequence[str]], Any]:
    def predict_or_fail(texts: Sequence[str]) -> Any:
        if "hang" in texts:
            time.sleep(1000)
        if "die" in texts:
            raise SystemExit
        if any(text.startswith("fail") for text in texts):
            raise RuntimeError(" ".join(texts))
        return predict(texts)

    return predict_or_fail


def _start_sabotaged(self: Any, predicts: Sequence[Callable[[Sequence[str]], Any]], **settings: Any) -> None:
    quick = settings.pop("quick_predicts", ())
    _start(self, [*map(_sabotaged, predicts)], quick_predicts=[*map(_sabotaged, quick)], **settings)


MicroBatcher.__init__ = _start_sabotaged  # type: ignore[method-assign]
