"""The report's plots as SVG with the page's colours, for light mode, dark mode and print.

Importing this loads matplotlib, which takes a second. No plot holds a text or a class name.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bert_classifier.evaluation.abstention import CoverageCurve
from bert_classifier.evaluation.metrics import wilson_interval
from bert_classifier.evaluation.reliability_bins import ReliabilityBin
from bert_classifier.evaluation.report.context import LearningCurve

# Placeholder colours, to be replaced by the page's.
INK, MUTE, LINE, FIRST, SECOND = (f"#01020{digit}" for digit in range(3, 8))
_OF_PAGE = {INK: "ink", MUTE: "mute", LINE: "line", FIRST: "first", SECOND: "second"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": ["DejaVu Sans"], "font.size": 9, "text.color": INK,
    "axes.labelcolor": MUTE, "axes.edgecolor": LINE, "axes.titlesize": 9, "axes.titlelocation": "left",
    "axes.titlecolor": INK, "xtick.color": LINE, "ytick.color": LINE, "xtick.labelcolor": MUTE,
    "ytick.labelcolor": MUTE, "axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.4, "grid.alpha": 0.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none", "figure.facecolor": "none",
    "legend.frameon": False, "legend.fontsize": 8, "axes.axisbelow": True,
}  # fmt: skip
PERCENT = FuncFormatter(lambda value, _: f"{100 * value:g} %")
_SCORE_BINS = 20
_MAX_POINTS = 200  # of a curve
FEW_TEXTS = 20  # accuracy of fewer is not drawn


def drawn(
    name: str, words: str, draw: Callable[[Axes], None], size: tuple[float, float] = (4.6, 2.8)
) -> Markup:
    """Return a plot as SVG; `draw` gets its axes. The same numbers give the same bytes.

    Args:
        name: makes the plot's ids unique on the page.
        words: what the plot shows, for those who cannot see it; without special characters.
        size: width and height in inches; the page stretches it.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        figure.tight_layout(pad=0.3)  # once; a layout engine would lay out and draw twice
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = _for_page(out.getvalue()).replace("<svg", f'<svg role="img" aria-label="{words}"', 1)
    return Markup(svg)  # noqa: S704 - no plot holds a text or a class name


def _for_page(svg: str) -> str:
    """Return only the svg element, of flexible size, with the page's colours and without unused ids."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", svg)
    for colour, name in _OF_PAGE.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg.replace("'DejaVu Sans'", "system-ui, sans-serif")


def learning_curve(curve: LearningCurve) -> list[Markup]:
    """Draw losses, validation's scores and, where they were recorded, learning rate and gradient norm, by step."""
    steps, losses, score, macro_f1 = np.array(curve.evaluations, dtype=float).reshape(-1, 4).T

    def draw_losses(axes: Axes) -> None:
        axes.set_title("Loss")
        axes.plot(*_columns(curve.training), color=MUTE, lw=1, label="training, with dropout")
        axes.plot(steps, losses, color=FIRST, lw=1.5, marker="o", ms=3, label="validation")
        _finish_steps(axes, curve.kept_step)
        axes.legend()

    def draw_scores(axes: Axes) -> None:
        axes.set_title("Validation")
        axes.plot(steps, score, color=FIRST, lw=1.5, marker="o", ms=3, label=curve.score_name)
        axes.plot(steps, macro_f1, color=SECOND, lw=1.5, marker="s", ms=3, label="macro F1")
        axes.yaxis.set_major_formatter(PERCENT)
        low, high = axes.get_ylim()  # with a margin for markers, where no score can be
        axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= min(high, 1 + 1e-9)])
        _finish_steps(axes, curve.kept_step)
        axes.legend()

    name = f"{curve.score_name[:1].upper()}{curve.score_name[1:]}"
    plots = [
        drawn("losses", "Loss of training and validation by optimizer step", draw_losses),
        drawn("scores", f"{name} and macro F1 on validation by optimizer step", draw_scores),
    ]
    for title, points in (("Learning rate", curve.learning_rates), ("Gradient norm", curve.gradient_norms)):
        if points:
            plots.append(by_step(f"{title} by optimizer step", points, curve.kept_step))
    return plots


def by_step(title: str, points: Sequence[tuple[float, float]], kept_step: int = 0) -> Markup:
    """Draw one value by optimizer step, in a small plot."""

    def draw(axes: Axes) -> None:
        axes.set_title(title.removesuffix(" by optimizer step"))
        axes.plot(*_columns(points), color=FIRST, lw=1.2)
        axes.set_ylim(bottom=0)
        axes.ticklabel_format(axis="y", style="plain")
        _finish_steps(axes, kept_step)

    return drawn(title.replace(" ", "-").lower(), title, draw, size=(4.6, 2.0))


def _columns(points: Sequence[tuple[float, float]]) -> np.ndarray:
    columns: np.ndarray = np.array(points, dtype=float).reshape(-1, 2).T
    return columns


def _finish_steps(axes: Axes, kept_step: int) -> None:
    axes.set_xlabel("optimizer step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if kept_step:
        axes.axvline(kept_step, color=INK, lw=1, ls=":", label="weights kept")


def reliability_diagram(before: Sequence[ReliabilityBin] | None, after: Sequence[ReliabilityBin]) -> Markup:
    """Draw the share of correct predictions by score in bins, each with its interval.

    Args:
        before: the bins before calibration; None without.
    """

    def draw(axes: Axes) -> None:
        axes.set_title("Correct by score, with 95 % intervals")
        axes.plot([0, 1], [0, 1], color=LINE, lw=1, ls="--", label="perfectly calibrated")
        if before:
            places = [(each.score, each.accuracy) for each in before]
            axes.plot(
                *_columns(places),
                color=MUTE,
                ls="",
                marker="s",
                mfc="none",
                ms=5,
                label="before calibration",
            )
        scores, accuracies = _columns([(each.score, each.accuracy) for each in after])
        lows, highs = _columns([each.interval for each in after])
        axes.errorbar(
            scores, accuracies, yerr=np.maximum(0, [accuracies - lows, highs - accuracies]),
            color=FIRST, ls="", marker="o", ms=4, lw=1.2, capsize=3,
            label="after calibration" if before else "not calibrated",
        )  # fmt: skip
        axes.set(xlabel="mean score of a bin", ylabel="correct", xlim=(0, 1.02), ylim=(0, 1.02))
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        axes.legend()

    return drawn("reliability", "Share of correct predictions by score, with 95 % intervals", draw)


def score_histogram(before: np.ndarray | None, after: np.ndarray) -> Markup:
    """Draw how many texts have which score, float (n,), before calibration (None without) and after."""
    edges = np.linspace(0, 1, _SCORE_BINS + 1)
    counts = np.histogram(after, edges)[0]
    counts_before = None if before is None else np.histogram(before, edges)[0]
    most = max(*(of.max() for of in (counts, counts_before) if of is not None), 1)

    def draw(axes: Axes) -> None:
        axes.set_title("Texts by score")
        if counts_before is not None:
            axes.stairs(counts_before, edges, color=MUTE, lw=1.2, label="before calibration")
        label = "not calibrated" if before is None else "after calibration"
        axes.stairs(counts, edges, color=FIRST, fill=True, alpha=0.45, label=label)
        axes.set(xlabel="score", xlim=(0, 1))
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(0, 20 * most)  # room for the legend
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.legend(loc="upper left")

    return drawn("scores-of-texts", "Number of texts by score", draw)


def coverage_plot(curve: CoverageCurve, threshold: float) -> Markup | None:
    """Draw accuracy by coverage, with its 95 % interval; None with fewer than two points."""
    accepted, right = curve.at(threshold)
    kept = np.flatnonzero(curve.accepted >= FEW_TEXTS)  # the accuracy of a handful is noise
    if len(kept) < 2:
        return None
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, _MAX_POINTS).astype(int))]
    counts = zip(curve.right[kept].tolist(), curve.accepted[kept].tolist(), strict=True)
    lows, highs = _columns([wilson_interval(*pair) for pair in counts])

    def draw(axes: Axes) -> None:
        coverage = curve.coverage[kept]
        axes.fill_between(coverage, lows, highs, color=FIRST, alpha=0.2, lw=0)
        axes.plot(coverage, curve.accuracy[kept], color=FIRST, lw=1.5)
        axes.set(xlabel="texts that get a label, the highest scores first", ylabel="accuracy")
        if 0 < accepted < curve.accepted[-1]:
            at = accepted / curve.accepted[-1]
            axes.plot([at], [right / accepted], color=SECOND, marker="o", ms=6)
            axes.axvline(at, color=SECOND, lw=1, ls=":")
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)

    return drawn("coverage", "Accuracy of the texts that get a label, by their share of all texts", draw)


def length_histogram(tokens: Mapping[str, Any], max_seq_length: int) -> Markup:
    """Draw the histogram of training texts by tokens; a grey bar at the end holds all longer ones."""
    edges, counts = tokens["histogram"]["edges"], tokens["histogram"]["counts"]
    width = edges[1] - edges[0]
    lefts = np.array(edges[:-1])
    has_rest = len(edges) > 2 and edges[-1] - edges[-2] > width

    def draw(axes: Axes) -> None:
        colours = [FIRST] * (len(counts) - has_rest) + [MUTE] * has_rest
        axes.bar(lefts, counts, width=0.92 * width, align="edge", color=colours)
        # The last bar holds all longer texts, so a line within it would be misplaced.
        if max_seq_length <= (edges[-2] if has_rest else edges[-1]):
            axes.axvline(max_seq_length, color=SECOND, lw=1.2, ls="--", label="max_seq_length")
            axes.legend()
        rest = f" (grey: {edges[-2]} and more)" if has_rest else ""
        axes.set(xlabel=f"tokens of a text{rest}", ylabel="texts")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return drawn("lengths", "Number of training texts by their length in tokens", draw)


def confusion_map(confusion: np.ndarray) -> Markup:
    """Draw a large confusion matrix: the square root of each true class's fractions, to show small ones."""
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    hue: Sequence[float] = (0.14, 0.35, 0.70)
    image = np.concatenate([np.broadcast_to(hue, (*shares.shape, 3)), np.sqrt(shares)[..., None]], axis=2)

    def draw(axes: Axes) -> None:
        last = len(confusion) + 0.5
        axes.imshow(image, interpolation="nearest", extent=(0.5, last, last, 0.5))
        axes.set(xlabel="number of the predicted class", ylabel="number of the true class")
        axes.grid(visible=False)

    return drawn("confusion", "Confusion matrix, shaded by share of the true class", draw, size=(4.6, 4.6))


def shares_then_and_now(title: str, names: Sequence[str], then: np.ndarray, now: np.ndarray) -> Markup:
    """Draw the shares of texts by bin, float (k,), in two samples beside each other."""
    places = np.arange(len(names))

    def draw(axes: Axes) -> None:
        axes.set_title(title.capitalize())
        axes.barh(places - 0.2, then, height=0.38, color=MUTE, label="baseline")
        axes.barh(places + 0.2, now, height=0.38, color=FIRST, label="now")
        axes.set_yticks(places, names)
        axes.set(xlabel="texts", ylim=(len(names) - 0.4, -0.6))
        axes.xaxis.set_major_formatter(PERCENT)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)

    size = (4.6, max(1.6, 0.8 + 0.22 * len(names)))
    return drawn(
        f"now-{title.replace(' ', '-')}", f"Share of texts by {title}, then and now", draw, size=size
    )
