"""The notebook: nothing in it but the commands of the Makefile, and nothing of anybody's run."""

import json
import re

from support.source_tree import ROOT

NOTEBOOK = json.loads((ROOT / "BertTextClassification.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
COMMAND = re.compile(r"make ([a-z-]+)( |$)|cp local_test/payload\.jsonl ")


def test_outputs_are_stripped():
    """No output, no count of executions, no account's number."""
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CODE)
    assert not re.search(r"\d{12}", json.dumps(NOTEBOOK))


def test_it_has_no_logic_of_its_own():
    """After the settings every cell is a command of the Makefile or the copy of a sample.

    But for the SDK's two, and the one that makes files of several labels and of pairs.
    """
    targets = re.findall(r"(?m)^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    in_python = [cell for cell in CODE if "".join(cell["source"]).startswith("%%script")]
    assert [cell["source"][0] for cell in in_python] == [
        "%%script .venv/host/bin/python\n",
        "%%script .venv/sdk3/bin/python\n",
    ]
    makes_files = [cell for cell in CODE if cell["source"][0] == "import csv\n"]
    assert len(makes_files) == 1
    for cell in [cell for cell in CODE[1:] if cell not in in_python + makes_files]:
        first, *lines = "".join(cell["source"]).replace("\\\n", "").splitlines()
        assert first == "%%bash"
        for line in lines:
            found = COMMAND.match(line)
            assert found, line
            assert found[1] is None or found[1] in targets


def test_it_goes_the_whole_way():
    """From the data to an endpoint and to its end."""
    commands = "\n".join("".join(cell["source"]) for cell in CODE)
    order = [
        "train-local",
        "build",
        "push",
        "train-spot",
        "deploy",
        "invoke",
        "batch-transform",
        "delete-endpoint",
    ]
    positions = [commands.index(f"make {target} ") for target in order]
    assert positions == sorted(positions)
