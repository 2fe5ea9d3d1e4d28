"""How far files are read, as the system tells it."""

import gzip

from bert_classifier.job.file_positions import file_positions


def test_open_files_have_positions(tmp_path):
    """The furthest of those that have a file open; in a packed one it counts packed bytes; links are followed."""
    for name in ("one", "two", "packed", "closed"):
        (tmp_path / name).write_bytes(b"x" * 100_000)
    with gzip.open(tmp_path / "packed", "wb", compresslevel=0) as packed:
        packed.write(b"y" * 5_000_000)
    (tmp_path / "link").symlink_to(tmp_path / "one")
    paths = [tmp_path / name for name in ("link", "two", "packed", "closed")]
    with (
        (tmp_path / "one").open("rb", buffering=0) as one,
        (tmp_path / "one").open("rb", buffering=0) as again,
        gzip.open(tmp_path / "packed", "rt", newline="") as unpacked,
        (tmp_path / "two").open("rb"),
    ):
        one.read(30_000)
        again.read(20_000)
        unpacked.read(4_000_000)
        positions = file_positions(paths)
    assert positions[paths[0]] == 30_000
    assert positions[paths[1]] == positions[paths[3]] == 0
    assert 4_000_000 <= positions[paths[2]] <= 4_600_000
