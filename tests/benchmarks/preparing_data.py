"""What tokenising a channel costs: seconds and peak memory, at once in lists against chunk by chunk into a file.

Usage: preparing_data.py [--data FILE.csv] [--model FOLDER] [--texts N]
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bert_classifier.builder import build_dataset
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.encoding.token_file import encode_to_file
from bert_classifier.modeling.pretrained import quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "local_test" / "test_dir" / "input" / "data"
MAX_LENGTH = 256
WAYS = ("at once", "in chunks")


def main() -> None:
    """Measure each way in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE / "train" / "train.csv")
    parser.add_argument("--model", type=Path, default=SAMPLE / "model", help="folder of the tokenizer")
    parser.add_argument(
        "--texts", type=int, default=20_000, help="made of the rows of the data, each with a number"
    )
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, given.data, given.model, given.texts)))
        return
    print("| way | tokens | seconds | peak above the texts, MB | bytes per token |\n|---|---|---|---|---|")
    for way in WAYS:
        command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        per_token = 1e6 * result["peak"] / result["tokens"]
        print(
            f"| {way} | {result['tokens']} | {result['seconds']:.1f} | {result['peak']:.0f} | {per_token:.1f} |"
        )


def measure(way: str, data: Path, model: Path, count: int) -> dict[str, float]:
    """Return tokens, seconds, and the peak of memory in MB above what the texts take."""
    quiet_transformers()
    tokenizer = load_tokenizer(str(model))
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, MAX_LENGTH)
    dataset = build_dataset([data])
    rows = itertools.cycle(range(len(dataset)))
    texts = [f"{dataset[row][0]} {number}" for number, row in zip(range(count), rows, strict=False)]
    encoder.encode_batch(texts[:1000])  # the library's threads are there by now
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak until now
    before, started = memory("VmRSS"), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        encoded = (
            encoder.encode_batch(texts)
            if way == "at once"
            else encode_to_file(encoder, texts, Path(folder) / "ids", lambda _: None)
        )
        seconds = time.monotonic() - started
        return {"tokens": len(encoded.ids), "seconds": seconds, "peak": memory("VmHWM") - before}


def memory(field: str) -> float:
    """Return a field of this process' memory in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(field + ":"))


if __name__ == "__main__":
    main()
