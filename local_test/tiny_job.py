"""Lays out a job that trains in seconds: the bundled sample, and an encoder so small that it learns little.

    python tiny_job.py FOLDER

What is rehearsed with it is the way a job runs, not what comes of it.
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
    """Make the folder anew; return the exit status."""
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
    """Return the words of the texts, in lower case, each once, in order of appearance."""
    found = (word for text in texts for word in re.findall(r"[a-z]+|\d|[^\s\w]", text.lower()))
    return list(dict.fromkeys(found))[:_WORDS]


def save_encoder(folder: Path, words: Sequence[str]) -> None:
    """Save a random BERT encoder of two narrow layers, and a tokenizer that knows the words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = {micro_batch: index for index, micro_batch in enumerate(dict.fromkeys((*_SPECIAL, *words)))}
    tokenizer = BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=64)
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.15,  # the usual 0.02 is made for 768 numbers
    )
    BertModel(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():  # weights are saved for their owner alone; the job may run as anybody
        path.chmod(0o644)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
