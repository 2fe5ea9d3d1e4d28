"""How often does a target accuracy hold on new texts, and how many of them get a label?

    PYTHONPATH=container:tests python tests/benchmarks/guarantee.py [--runs 1000]

Each run draws fresh validation texts for a simulated classifier whose accuracy above any score is known, and picks the
threshold by each rule. Prints a table for each classifier.
"""

import argparse

from support.simulated_scores import (
    Classifier,
    Outcome,
    by_binary_search,
    by_guarantee,
    by_one_sequence,
    by_point_estimate,
    classifier,
    indifferent,
    simulated,
)

RULES = {
    "point estimate (before)": by_point_estimate,
    "binary search": by_binary_search,
    "one sequence": by_one_sequence,
    "now": by_guarantee,
}
CLASSIFIERS = {
    "93 % right, calibrated": classifier(5.2, 3.0),
    "93 % right, overconfident": classifier(5.2, 3.0, sharpness=2.5),
    "93 % right, underconfident": classifier(5.2, 3.0, sharpness=0.4),
    "87 % right, calibrated": classifier(2.8, 1.8),
    "98.5 % right, scores say nothing": indifferent(0.985),
}
SIZES, TARGETS = (50, 300, 1000, 5000), (0.9, 0.95, 0.99)


def main() -> None:
    """Print a table for each classifier."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    for name, of in CLASSIFIERS.items():
        print(f"\n{name}\n\n| target | texts | most coverage | {' | '.join(RULES)} |")
        print("|---|---|---|" + "---|" * len(RULES))
        for target in TARGETS:
            for texts in SIZES:
                print(_row(of, target, texts, runs), flush=True)


def _row(of: Classifier, target: float, texts: int, runs: int) -> str:
    cells = [_cell(simulated(rule, of, texts, target, runs)) for rule in RULES.values()]
    return f"| {target:g} | {texts:,} | {of.most_coverage(target):.0%} | {' | '.join(cells)} |"


def _cell(outcome: Outcome) -> str:
    """Return in how many runs the target held or no threshold was given, in how many one was, and the coverage."""
    kept = 1 - outcome.broken / outcome.runs
    return f"{100 * kept:.1f} %, {100 * outcome.given / outcome.runs:.0f} %, {100 * outcome.coverage:.0f} %"


if __name__ == "__main__":
    main()
