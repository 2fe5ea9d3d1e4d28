"""Every family of encoders, from a stranger's folder to served scores: what the reference's table says of it.

The jobs are real processes, one of them killed; see support/family_proof.py for what is compared.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bert_classifier.job.encoder_types import ENCODER_TYPES
from docs import families
from support.encoders import FAMILIES
from support.family_proof import SCORES, family_job, plain_scores, prove
from support.forked_jobs import log_of, run_job
from support.odd_texts import ODD_TEXTS
from support.serving_process import ServingProcess

# What people train most; the others take their turn with the slow tests.
COMMON = (
    "albert", "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "eurobert",
    "gte", "megatron-bert", "modernbert", "mpnet", "nomic_bert", "roberta", "xlm-roberta",
)  # fmt: skip
# Amino acids; bytes; other inputs beside the text; a tokenizer that is Python code.
UNPROVED = {"esm", "esmc", "perceiver", "reformer", "roc_bert", "tapas"}
CHOSEN = [name if name in COMMON else pytest.param(name, marks=pytest.mark.slow) for name in sorted(FAMILIES)]


@pytest.mark.parametrize("family", CHOSEN)
def test_a_family_does_what_the_reference_says(family: str, tmp_path: Path) -> None:
    """Trained, resumed after SIGKILL to the same bits, served with transformers' scores; or else what fails."""
    assert prove(family, tmp_path).cells() == families.rows()[family], "run: python tests/docs/families.py"


def test_the_table_has_every_family() -> None:
    """Each type that the job accepts is in the table, or named beside it as not proved."""
    assert {*families.rows()} == {*FAMILIES}
    assert {*FAMILIES} | UNPROVED == ENCODER_TYPES
    text = families.DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in UNPROVED if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    "family",
    ["xlm-roberta", *(pytest.param(name, marks=pytest.mark.slow) for name in ("modernbert", "convbert"))],
)
def test_the_server_answers_as_transformers_scores(family: str, tmp_path: Path) -> None:
    """Over HTTP, one text per request and all in one."""
    root = family_job(tmp_path / "ml", family)
    assert run_job(root) == 0, log_of(root)
    labels = json.loads((root / "model" / "config.json").read_text())["id2label"].values()
    texts = [
        text for text in ODD_TEXTS if text != "\N{ZERO WIDTH SPACE}"
    ]  # no token, for some: not answered by a score
    wanted = plain_scores(root / "model", texts)
    with ServingProcess(root, tmp_path / "serve.log") as server:
        server.wait_until_ready()
        alone = [answers for text in texts for answers in scores_of(server, [text])]
        together = scores_of(server, texts)
    for found in (alone, together):
        for answer, scores in zip(found, wanted, strict=True):
            assert [answer[label] for label in labels] == pytest.approx(list(scores), abs=SCORES)


def scores_of(server: ServingProcess, texts: Sequence[str]) -> list[dict[str, float]]:
    """Return a server's probabilities by label, for each text of one request."""
    status, body = server.invoke(json.dumps({"inputs": texts, "parameters": {"top_k": None}}))
    assert status == 200, body
    answers = json.loads(body)
    answers = answers if isinstance(answers[0], list) else [answers]  # one text: one flat list
    return [{each["label"]: each["score"] for each in answer} for answer in answers]
