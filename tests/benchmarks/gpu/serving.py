"""The part `serving`: the server's predictor, tokenising included, without HTTP."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu import project
from benchmarks.gpu.goals import Figure
from benchmarks.gpu.material import Material

_COUNTS = (1, 8, 32, 256)
_ABOUT_64 = (60, 68)  # tokens
_WARM_UP, _ROUNDS = 5, 20


def serving(material: Material) -> Iterator[Figure]:
    """Classify 1 to 256 texts at once, of about 64 tokens and of real lengths; yield the median texts/s."""
    texts, _, labels = material.data
    lengths = project.text_lengths(material.split())
    near = np.flatnonzero((lengths >= _ABOUT_64[0]) & (lengths <= _ABOUT_64[1]))
    kinds = {"64": near, "real": np.arange(len(lengths))}
    with tempfile.TemporaryDirectory() as folder:
        predictor = project.make_predictor(
            material.bert_base().cpu(), material.tokenizer, labels, Path(folder, "model")
        )
        for name, indices in kinds.items():
            for count in _COUNTS:
                chosen = np.resize(indices, count)
                seconds = _median_seconds(predictor, [texts[index] for index in chosen.tolist()])
                yield {
                    "lengths": name,
                    "texts": count,
                    "precision": project.precision_of(predictor),
                    "tokens_per_text": float(lengths[chosen].mean()),
                    "ms": seconds * 1e3,
                    "texts_per_second": count / seconds,
                }


def _median_seconds(predictor: Any, texts: list[str]) -> float:
    taken = []
    for _ in range(_WARM_UP + _ROUNDS):
        started = time.perf_counter()
        predictor.predict(texts)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[_WARM_UP:])
