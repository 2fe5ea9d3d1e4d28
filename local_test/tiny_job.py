"""Lay out a job that trains in seconds: the bundled sample, and an encoder too small to learn much.

    python tiny_job.py FOLDER

It shows how a job runs, not how well a model learns.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent / "test_dir"
HYPERPARAMETERS = {
    "global_batch_size": "16",
    "learning_rate": "0.002",
    "max_seq_length": "32",
    "num_train_epochs": "4",
    "seed": "7",
}
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = 2000  # of the sample's, at most


def main(arguments: Sequence[str]) -> int:
    """Make the folder, removing an earlier one; return the exit status."""
    (folder,) = map(Path, arguments)
    shutil.rmtree(folder, ignore_errors=True)
    data_dir = folder / "input" / "data"
    for channel in ("train", "validation", "test", "class"):
        shutil.copytree(SAMPLE / "input" / "data" / channel, data_dir / channel)
    texts = [path.read_text(encoding="utf-8") for path in sorted(data_dir.rglob("*.csv"))]
    save_encoder(data_dir / "model", words_of(texts))
    config_dir = folder / "input" / "config"
    config_dir.mkdir()
    (config_dir / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS), encoding="utf-8")
    return 0


def words_of(texts: Iterable[str]) -> list[str]:
    """Return the distinct words of the texts in lower case, in order of appearance."""
    found = (word for text in texts for word in re.findall(r"[a-z]+|\d|[^\s\w]", text.lower()))
    return list(dict.fromkeys(found))[:_WORDS]


def save_encoder(folder: Path, words: Sequence[str]) -> None:
    """Save a random BERT encoder of two narrow layers, and a tokenizer for the words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = {word: index for index, word in enumerate(dict.fromkeys((*_SPECIAL, *words)))}
    tokenizer = BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=64)
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.15,  # the usual 0.02 is meant for 768 dimensions
    )
    BertModel(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for (
        path
    ) in folder.iterdir():  # weights are saved readable by their owner only; the job may run as any user
        path.chmod(0o644)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
