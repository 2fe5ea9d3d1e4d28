"""Write the table of families into the reference, as proved by doing it: `python tests/docs/families.py [TYPE…]`.

It takes some minutes. `tests/integration/test_families.py` compares the table with what it finds.
"""

import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / folder) for folder in ("container", "tests", "local_test")]

DOCUMENT = ROOT / "container" / "README.md"
_TABLE = re.compile(r"(?s)(<!-- families: written by tests/docs/families\.py -->\n).*?(<!-- end -->)")
_HEAD = (
    "`model_type`",
    "trains",
    "without padding",
    "longest input",
    "equal to",
    "int8",
    "served without transformers",
)

Rows = Mapping[str, tuple[str, ...]]


def rows() -> dict[str, tuple[str, ...]]:
    """Return the table's rows by family, as the reference has them."""
    found = _TABLE.search(DOCUMENT.read_text(encoding="utf-8"))
    assert found, f"{DOCUMENT} has no table of families"
    lines = [line.strip("| ").split(" | ") for line in found[0].splitlines() if line.startswith("| `")]
    return {name.strip("`"): tuple(cells) for name, *cells in lines if name != _HEAD[0]}


def table(content: Rows) -> str:
    """Return the table in Markdown."""
    lines = [_HEAD, ("---",) * len(_HEAD)]
    lines += [(f"`{name}`", *cells) for name, cells in sorted(content.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(families: Iterable[str]) -> None:
    """Prove these families, or all, and rewrite their rows."""
    from support.encoders import FAMILIES
    from support.family_proof import prove

    content = {name: cells for name, cells in rows().items() if name in FAMILIES}
    for family in families or FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            content[family] = prove(family, Path(folder)).cells()
        sys.stderr.write(f"{family}: {', '.join(content[family])}\n")
        text = DOCUMENT.read_text(encoding="utf-8")
        text = _TABLE.sub(lambda found: f"{found[1]}{table(content)}\n{found[2]}", text)
        DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
