"""Names in use for the two texts of a pair.

Standard library only.
"""

from collections.abc import Collection, Sequence

# Without case, blanks, "_" and "-".
PAIRS = (
    ("text", "textpair"), ("text1", "text2"), ("texta", "textb"), ("sentence1", "sentence2"),
    ("sentencea", "sentenceb"), ("sentence", "sentencepair"), ("question1", "question2"), ("query1", "query2"),
    ("premise", "hypothesis"), ("question", "answer"), ("question", "context"), ("question", "passage"),
    ("question", "sentence"), ("query", "passage"), ("query", "document"), ("query", "answer"),
    ("claim", "evidence"), ("#1string", "#2string"),
)  # fmt: skip


def pairs_in(names: Sequence[str], taken: Collection[int] = ()) -> list[tuple[int, int]]:
    """Return the positions of the columns that are called like the two texts of a pair, for each such pair.

    Args:
        names: of the columns, without case and separators.
        taken: columns that have a role already.
    """
    at = {name: position for position, name in reversed([*enumerate(names)]) if position not in taken}
    return [(at[first], at[second]) for first, second in PAIRS if first in at and second in at]
