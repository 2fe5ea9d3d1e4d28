"""Parts of a sentence encoder that no classifier here uses are said."""

import json
from pathlib import Path
from typing import Any

import pytest

from bert_classifier.job.encoder_files import encoder_files
from bert_classifier.job.sentence_parts import unused_parts
from support.clear_text import assert_clear_text
from support.fakes import make_bare_checkpoint


def sentence_encoder(folder: Path, pooling: Any, *further: str) -> Path:
    """Make one of these parts behind its transformer and its pooling."""
    make_bare_checkpoint(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    kinds = ("Transformer", "Pooling", *further)
    table = [{"path": f"{n}_{kind}" if n else "", "type": f"x.models.{kind}"} for n, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(table))
    return folder


@pytest.mark.parametrize(
    ("pooling", "further", "expected"),
    [
        ({"pooling_mode_mean_tokens": True}, ("Normalize",), []),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, (), []),
        ({"pooling_mode": "mean"}, (), []),
        ({}, (), []),
        (
            {"pooling_mode_mean_tokens": True},
            ("Dense", "Normalize"),
            ["its part Dense (2_Dense) is not used"],
        ),
        ({"pooling_mode_max_tokens": True}, (), ["by pooling (max) that is not followed"]),
        ({"pooling_mode_lasttoken": True}, (), ["by pooling (lasttoken) that is not followed"]),
        ({"pooling_mode": "weightedmean"}, (), ["by pooling (weightedmean) that"]),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
            (),
            ["by pooling (mean, max) that"],
        ),
        ([], (), []),
    ],
)
def test_what_is_not_followed_is_said(
    tmp_path: Path, pooling: Any, further: Any, expected: list[str]
) -> None:
    """And nothing else; a job's copy of the folder says the same."""
    folder = sentence_encoder(tmp_path / "model", pooling, *further)
    said = unused_parts(folder)
    assert len(said) == len(expected)
    for sentence, part in zip(said, expected, strict=True):
        assert part in sentence
        assert_clear_text(sentence)
    assert {"modules.json", "1_Pooling/config.json"} <= set(encoder_files(folder))


def test_an_encoder_alone_has_no_parts(tmp_path: Path) -> None:
    """Nor has a name on the model hub."""
    assert unused_parts(make_bare_checkpoint(tmp_path)) == []
    assert unused_parts(Path("bert-base-uncased")) == []
