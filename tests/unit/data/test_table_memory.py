"""Files of any form are read piece by piece: memory does not grow with them."""

import subprocess
import sys
from pathlib import Path

import pytest

CONTAINER = Path(__file__).parents[3] / "container"
READ = """
import sys
from pathlib import Path
from bert_classifier.data.table import open_table
def private(): return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon"))
before = most = private()
count = 0
for row in open_table(Path(sys.argv[1])).rows():
    count += 1
    if count % 1000 == 0: most = max(most, private())
print(count, most - before)
"""
ROW = '{"label": "%d", "text": "' + "some words " * 20 + '%d"}'
FORMS = {
    "an array in one line": ("data.json", "[", ", ", "]"),
    "an array over several lines": ("data.json", "[\n", ",\n", "\n]\n"),
    "JSON Lines": ("data.jsonl", "", "\n", "\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_long_file_is_not_held_in_memory(tmp_path, form):
    """Of 65 MB, a few are in memory at any time, whether or not the file has lines."""
    name, begin, between, end = FORMS[form]
    path = tmp_path / name
    path.write_text(begin + between.join(ROW % (n % 3, n) for n in range(250_000)) + end)
    command = [sys.executable, "-c", READ, path]
    ran = subprocess.run(command, cwd=CONTAINER, capture_output=True, text=True, check=True)
    count, kilobytes = map(int, ran.stdout.split())
    assert count == 250_000
    assert kilobytes < 20_000
