"""The plots of several labels per text."""

from markupsafe import Markup
from matplotlib.axes import Axes

from bert_classifier.evaluation.multi_label.curves import PrecisionRecallCurve
from bert_classifier.evaluation.report.plots import FIRST, PERCENT, SECOND, drawn


def precision_recall_plot(
    name: str, curve: PrecisionRecallCurve, point: tuple[float, float] | None, *, is_small: bool = False
) -> Markup:
    """Draw precision by recall, and where the predicted labels are.

    Args:
        name: makes the plot's ids unique on the page.
        point: recall and precision of the predicted labels; None without any.
        is_small: whether it is one of many.
    """

    def draw(axes: Axes) -> None:
        axes.plot(curve.recall, curve.precision, color=FIRST, lw=1.5)
        if point:
            axes.plot(*point, color=SECOND, ls="", marker="o", ms=6, label="at the thresholds")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        if point and not is_small:
            axes.legend(loc="lower left")

    size = (3.0, 2.1) if is_small else (4.6, 2.8)
    return drawn(f"precision-recall-{name}", "Precision by recall", draw, size=size)
