"""What every message to a person must be like, whoever wrote it."""

from bert_classifier.errors import FAILURE_LIMIT, ContainerError, failure_text


def assert_clear(error: ContainerError) -> None:
    """Require a cause and a remedy that end as sentences, on one line that SageMaker keeps as a whole."""
    for part in (error.cause, error.remedy):
        assert part[:1].strip(), f"nothing said: {error!r}"
        assert part.endswith((".", "?")), part
        assert not part.endswith(".."), part
    assert_clear_text(failure_text(error))


def assert_clear_text(text: str) -> None:
    """Require one printable line, short enough to be kept and without the insides of a program."""
    assert 0 < len(text) <= FAILURE_LIMIT
    assert text.isprintable(), text
    assert "Traceback" not in text
    assert "object at 0x" not in text
    assert "InternalError" not in text
