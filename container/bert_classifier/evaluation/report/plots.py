"""The report's plots as SVG that takes its colours from the page, so that it fits light, dark and paper.

Importing this loads matplotlib, which takes a second: only the report does, at the end. No plot holds a text or a
class name.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bert_classifier.evaluation.abstention import CoverageCurve
from bert_classifier.evaluation.calibration import BINS, Reliability
from bert_classifier.evaluation.report.context import LearningCurve

# Colours that nothing else has, each put in place of a colour of the page.
_INK, _MUTE, _LINE, _FIRST, _SECOND = (f"#01020{digit}" for digit in range(3, 8))
_OF_PAGE = {_INK: "ink", _MUTE: "mute", _LINE: "line", _FIRST: "first", _SECOND: "second"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": ["DejaVu Sans"], "font.size": 9, "text.color": _INK,
    "axes.labelcolor": _MUTE, "axes.edgecolor": _LINE, "axes.titlesize": 9, "axes.titlelocation": "left",
    "axes.titlecolor": _INK, "xtick.color": _LINE, "ytick.color": _LINE, "xtick.labelcolor": _MUTE,
    "ytick.labelcolor": _MUTE, "axes.grid": True, "grid.color": _LINE, "grid.linewidth": 0.4, "grid.alpha": 0.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none", "figure.facecolor": "none",
    "legend.frameon": False, "legend.fontsize": 8, "axes.axisbelow": True,
}  # fmt: skip
_PERCENT = FuncFormatter(lambda value, _: f"{100 * value:g} %")
FEW_TEXTS = 20  # whose accuracy is not drawn
_WIDTH, _HEIGHT = 8.0, 2.9  # inches of a figure of the page's width


def _drawn(number: int, draw: Any, *, columns: int = 1, size: tuple[float, float] = (_WIDTH, _HEIGHT)) -> str:
    """Return a figure as SVG; `draw` gets its axes. The same numbers give the same bytes."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"figure-{number}"}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(*np.atleast_1d(figure.subplots(1, columns)))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _for_page(out.getvalue())


def _for_page(svg: str) -> str:
    """Return the element alone, as wide as the page lets it be, in the page's colours and without unused names."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", svg)
    for colour, name in _OF_PAGE.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg.replace("'DejaVu Sans'", "system-ui, sans-serif")


def learning_curve(curve: LearningCurve) -> str:
    """Draw the losses of training and validation, and validation's scores, by optimizer step."""
    steps, losses, accuracy, macro_f1 = np.array(curve.evaluations, dtype=float).reshape(-1, 4).T

    def draw(left: Axes, right: Axes) -> None:
        left.set_title("Loss")
        left.plot(
            *np.array(curve.training).reshape(-1, 2).T, color=_MUTE, lw=1, label="training, with dropout"
        )
        left.plot(steps, losses, color=_FIRST, lw=1.5, marker="o", ms=3, label="validation")
        right.set_title("Validation")
        right.plot(steps, accuracy, color=_FIRST, lw=1.5, marker="o", ms=3, label="accuracy")
        right.plot(steps, macro_f1, color=_SECOND, lw=1.5, marker="s", ms=3, label="macro F1")
        right.yaxis.set_major_formatter(_PERCENT)
        for axes in (left, right):
            axes.set_xlabel("optimizer step")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if curve.kept_step:
                axes.axvline(curve.kept_step, color=_LINE, lw=1, ls=":", label="weights kept")
            axes.legend()

    return _drawn(1, draw, columns=2)


def reliability_diagram(before: Reliability | None, after: Reliability) -> str:
    """Draw accuracy against score before and after calibration, and how many texts have which score.

    Args:
        before: None where nothing was calibrated.
    """
    after_label = "after calibration" if before else "not calibrated"
    drawn = [(before, _MUTE, "s", "before calibration")] if before else []
    drawn.append((after, _FIRST, "o", after_label))
    edges = np.linspace(0, 1, BINS + 1)

    def draw(left: Axes, right: Axes) -> None:
        left.set_title("How often is a score right?")
        left.plot([0, 1], [0, 1], color=_LINE, lw=1, ls="--", label="as often as it says")
        for told, colour, mark, label in drawn:
            has_any = told.counts > 0
            left.plot(
                told.confidence[has_any], told.accuracy[has_any],
                color=colour, marker=mark, ms=3.5, lw=1.2, label=label,
            )  # fmt: skip
        left.set(xlabel="mean score", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
        left.legend()
        right.set_title("Texts by score")
        if before:
            right.stairs(before.counts, edges, color=_MUTE, lw=1.2, label="before calibration")
        right.stairs(after.counts, edges, color=_FIRST, fill=True, alpha=0.45, label=after_label)
        right.set(xlabel="score", xlim=(0, 1))
        right.set_yscale("symlog", linthresh=1)
        right.set_ylim(0, 20 * max(*(told.counts.max() for told, *_ in drawn), 1))  # room for the legend
        right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        right.legend(loc="upper left")

    return _drawn(2, draw, columns=2)


def coverage_plot(curve: CoverageCurve, threshold: float) -> str:
    """Draw the accuracy of the answered texts against the share that is answered; empty where that is no line."""
    accepted, right = curve.at(threshold)
    few = curve.accepted < FEW_TEXTS  # the accuracy of a handful jumps about
    if (~few).sum() < 2:
        return ""

    def draw(axes: Axes) -> None:
        axes.plot(curve.coverage[~few], curve.accuracy[~few], color=_FIRST, lw=1.5)
        axes.set(xlabel="texts that get a label, the surest first", ylabel="of these, right")
        if 0 < accepted < curve.accepted[-1]:
            at = accepted / curve.accepted[-1]
            axes.plot([at], [right / accepted], color=_SECOND, marker="o", ms=6)
            axes.axvline(at, color=_SECOND, lw=1, ls=":")
        axes.xaxis.set_major_formatter(_PERCENT)
        axes.yaxis.set_major_formatter(_PERCENT)

    return _drawn(3, draw)


def length_histogram(tokens: Mapping[str, Any], max_seq_length: int) -> str:
    """Draw how many training texts have how many tokens; a grey bar at the end holds all that are longer."""
    edges, counts = tokens["histogram"]["edges"], tokens["histogram"]["counts"]
    width = edges[1] - edges[0]
    lefts = np.array(edges[:-1])
    has_rest = len(edges) > 2 and edges[-1] - edges[-2] > width

    def draw(axes: Axes) -> None:
        colours = [_FIRST] * (len(counts) - has_rest) + [_MUTE] * has_rest
        axes.bar(lefts, counts, width=0.92 * width, align="edge", color=colours)
        # Within the last bar, which holds all that is longer, no line could stand at its place.
        if max_seq_length <= (edges[-2] if has_rest else edges[-1]):
            axes.axvline(max_seq_length, color=_SECOND, lw=1.2, ls="--", label="max_seq_length")
            axes.legend()
        rest = f" (grey: {edges[-2]} and more)" if has_rest else ""
        axes.set(xlabel=f"tokens of a text{rest}", ylabel="texts")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _drawn(4, draw)


def confusion_map(confusion: np.ndarray) -> str:
    """Draw a large confusion matrix: the share of each true class, to the power of a half so that little is seen."""
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    hue: Sequence[float] = (0.14, 0.35, 0.70)
    image = np.concatenate([np.broadcast_to(hue, (*shares.shape, 3)), np.sqrt(shares)[..., None]], axis=2)

    def draw(axes: Axes) -> None:
        axes.imshow(image, interpolation="nearest")
        axes.set(xlabel="number of the predicted class", ylabel="number of the true class")
        axes.grid(visible=False)

    return _drawn(5, draw, size=(_WIDTH, 7.0))
