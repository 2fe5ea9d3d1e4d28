"""Logging: one configured handler, lines that no data can forge or disturb."""

import io
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert_classifier import log

logger = logging.getLogger("bert_classifier.some.module")


@pytest.fixture
def stream():
    """Return the text stream that the package's log goes to."""
    target = io.StringIO()
    log.configure(stream=target)
    return target


def test_line_has_time_level_and_message(stream):
    """A record is one line: time, level, message with its arguments."""
    logger.info("step=%d loss=%.2f", 7, 0.5)
    time, level, message = stream.getvalue().split(" ", 2)
    assert len(time) == len("2026-01-31T12:00:00")
    assert (level, message) == ("INFO", "step=7 loss=0.50\n")


def test_default_level_is_info_and_can_be_lowered(stream):
    """Debug lines show only when asked for."""
    logger.debug("hidden")
    assert stream.getvalue() == ""
    log.configure("DEBUG", stream)
    logger.debug("shown")
    assert stream.getvalue().endswith("DEBUG shown\n")


def test_configuring_twice_writes_each_line_once(stream):
    """A second configuration replaces the first instead of doubling every line."""
    log.configure(stream=stream)
    logger.info("once")
    assert stream.getvalue().count("once") == 1


def test_default_stream_is_standard_output(capsys):
    """Without a stream the log goes to standard output, which SageMaker collects."""
    log.configure()
    logger.warning("seen")
    captured = capsys.readouterr()
    assert captured.out.endswith("WARNING seen\n")
    assert captured.err == ""


def test_root_logger_stays_untouched(stream):
    """Other libraries' logging is theirs: the package neither configures nor reaches the root logger."""
    root_lines = io.StringIO()
    handler = logging.StreamHandler(root_lines)
    logging.getLogger().addHandler(handler)
    try:
        logger.info("ours")
    finally:
        logging.getLogger().removeHandler(handler)
    assert root_lines.getvalue() == ""


@pytest.mark.parametrize(
    "evil",
    [
        "\x1b[31mred",
        "a\rb",
        "bell\x07",
        "nul\0",
        "c1\x9b",
        "ls\u2028",
        "ps\u2029",
        "rtl\u202e",
        "iso\u2066",
        "\x7f",
    ],
)
def test_control_characters_are_spelt_out(stream, evil):
    """A terminal's control characters in data or file names arrive as harmless escapes."""
    logger.info("file %s", evil)
    assert evil not in stream.getvalue()
    assert "\\x" in stream.getvalue() or "\\u" in stream.getvalue() or "\\r" in stream.getvalue()


def test_message_cannot_forge_a_second_line(stream):
    """A line end inside data does not begin a new log line."""
    logger.info("label %s", "x\n2026-01-01T00:00:00 INFO accuracy=1.0")
    assert stream.getvalue().count("\n") == 1


def test_half_surrogate_pair_can_be_written(tmp_path):
    """A name that no encoding can express is logged all the same."""
    with (tmp_path / "log").open("w+", encoding="utf-8") as file:
        log.configure(stream=file)
        logger.info("file %s", "\udcff.csv")
        file.seek(0)
        assert file.read().endswith("file \\udcff.csv\n")


def test_typographic_and_foreign_text_passes(stream):
    """What people read stays as it is: arrows, umlauts, Chinese, emoji."""
    logger.info("lr → learning_rate … Größe 北京 🚀")
    assert "lr → learning_rate … Größe 北京 🚀" in stream.getvalue()


def test_traceback_keeps_its_lines_and_loses_its_controls(stream):
    """A bug's traceback stays readable, line by line, without the controls in its message."""
    try:
        raise ValueError("\x1b[2Jgone")
    except ValueError:
        logger.exception("it failed")
    text = stream.getvalue()
    assert "it failed\nTraceback (most recent call last):\n" in text
    assert text.endswith("ValueError: \\x1b[2Jgone\n")


@given(st.text())
def test_any_message_is_one_clean_line(message):
    """Whatever the data hold, one record is one line without control characters that UTF-8 can carry."""
    target = io.StringIO()
    log.configure(stream=target)
    logger.info("%s", message)
    line = target.getvalue()
    line.encode("utf-8")
    assert line.endswith("\n")
    assert not any(unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"} for c in line[:-1])
