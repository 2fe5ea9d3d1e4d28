"""The progress of reading files, whoever reads them."""

import time

from bert_classifier.training import reading_progress as module
from bert_classifier.training.reading_progress import reading_progress


def read_half(path):
    """Read half of a file, and stay there for a while."""
    with path.open("rb", buffering=0) as file:
        file.read(500_000)
        time.sleep(0.6)


def test_reading_is_logged_now_and_then_with_an_estimate(tmp_path, caplog, monkeypatch):
    """How many of all files' bytes are read, and how long the rest takes."""
    monkeypatch.setattr(module, "LOG_INTERVAL_SECONDS", 0.1)
    paths = [tmp_path / "one", tmp_path / "two"]
    for path in paths:
        path.write_bytes(b"x" * 1_000_000)
    with caplog.at_level("INFO"), reading_progress(paths):
        read_half(paths[1])
    first, *_ = caplog.messages
    assert first.startswith(("0 of 2 MB read, about ", "1 of 2 MB read, about "))
    seconds = float(first.split("about ")[1].split()[0])
    assert 0 <= seconds <= 3


def test_reading_has_a_bar_where_it_is_seen(tmp_path, capsys, caplog):
    """On standard error, removed at the end; the log has no line then."""
    path = tmp_path / "one"
    path.write_bytes(b"x" * 1_000_000)
    with reading_progress([path], bar=True):
        read_half(path)
    drawn = capsys.readouterr().err
    assert "reading:  50%" in drawn
    assert "500k/1.00M" in drawn
    assert caplog.messages == []


def test_what_is_not_read_is_not_reported(tmp_path, caplog, monkeypatch):
    """A Dataset of one's own may have its rows from elsewhere."""
    monkeypatch.setattr(module, "LOG_INTERVAL_SECONDS", 0.1)
    path = tmp_path / "one"
    path.write_bytes(b"x")
    with caplog.at_level("INFO"), reading_progress([path]):
        time.sleep(0.5)
    assert caplog.messages == []
