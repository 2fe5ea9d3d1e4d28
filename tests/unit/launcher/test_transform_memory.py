"""Large files are looked at, stripped and converted piece by piece: memory does not grow with them."""

import gzip

import pytest

from launcher.aws.account import Account
from launcher.aws.s3 import Location
from launcher.inputs.transform import check_input, input_of
from launcher.settings.account import AccountSettings
from launcher.settings.inference import TransformSettings
from support.peak_memory import peak_growth

ROW = "{0}{2}" + "some words " * 20 + "{1}\n"
ROWS = 150_000


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.tsv.gz"])
def test_a_large_file_is_not_held_in_memory(tmp_path, name):
    """Of 35 MB, a few are in memory at any time, whatever becomes of the file."""
    delimiter = "," if name == "rows.csv" else "\t"
    path = tmp_path / name
    rows_of_file = (ROW.format(n % 3, n, delimiter) for n in range(ROWS))
    content = f"label{delimiter}text\n{''.join(rows_of_file)}".encode()
    path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    del content
    (scratch := tmp_path / "scratch").mkdir()
    settings = TransformSettings(input=str(path))
    rows = []

    def prepare() -> None:
        found = input_of(settings, Location("a-bucket", "mine/"), Account(AccountSettings()), scratch)
        list(check_input(settings, found))
        assert found.local
        (written,) = found.local.files.values()
        with written.open("rb") as file:
            rows.append(sum(1 for _ in file))

    grown = peak_growth(prepare)
    assert rows == [ROWS]
    assert grown < 15_000_000
