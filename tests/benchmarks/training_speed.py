"""Training speed beside transformers' Trainer and a pad-to-512 loop: same weights, data and batch size, one run.

    make bench            or, with other data:
    PYTHONPATH=container:tests python tests/benchmarks/training_speed.py --data FILE.csv --encoders model base

The contenders take turns, so that whatever else the machine does meets all of them alike; what counts is the ratio.
Without a pretrained encoder, BERT-base of random weights is trained, with a tokenizer learnt from the data.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
)

from bert_classifier.builder import build_dataset, build_label_mapper
from bert_classifier.data.examples import Examples, read_examples
from bert_classifier.job.config import TrainConfig
from bert_classifier.label_mapper import class_names
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.device import choose_device, pin_threads
from support.device_rates import matmul_parameters, matmul_peak
from support.fakes import train_tokenizer
from support.training_contenders import MAX_LENGTH, Turn, hub_trainer, padded_loop, project

REPOSITORY = Path(__file__).parents[2]
FULL_EPOCH = 560_000  # DBpedia's training rows, for an estimate
BERT_VOCABULARY = 30_522
LEARNT_VOCABULARY = 7000  # of the sample's 308 texts, so that they have as many tokens as with BERT's
CONTENDERS = {"ours": "this project", "trainer": "transformers Trainer", "padded": "pad-to-512 loop"}


def main() -> None:
    """Run the comparison for each encoder and print one row per contender."""
    arguments = parse_arguments()
    quiet_transformers()
    threads, device = pin_threads(), choose_device()
    where = f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else device}, {threads} threads"
    examples, labels = read_data(arguments.data)
    with tempfile.TemporaryDirectory() as scratch:
        for encoder in arguments.encoders:
            folder = str(arguments.model)
            if encoder == "base":
                folder = make_base(Path(scratch), arguments.model, examples)
            compare(arguments, folder, examples, labels, device, f"{encoder}; {where}")


def make_base(folder: Path, tokenizer_of: Path, examples: Examples) -> str:
    """Save a BERT-base (110 M parameters) of random weights.

    Args:
        tokenizer_of: checkpoint whose tokenizer is taken; if there is none, one is learnt from the examples.
    """
    tokenizer = (
        load_tokenizer(str(tokenizer_of))
        if tokenizer_of.exists()
        else train_tokenizer(examples.texts, LEARNT_VOCABULARY)
    )
    config = BertConfig(vocab_size=max(len(tokenizer), BERT_VOCABULARY), pad_token_id=tokenizer.pad_token_id)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def compare(
    arguments: argparse.Namespace,
    folder: str,
    examples: Examples,
    labels: Sequence[str],
    device: torch.device,
    where: str,
) -> None:
    """Let the contenders take turns in training one encoder, and print the report."""
    tokenizer = load_tokenizer(folder)

    def fresh_model() -> Any:
        torch.manual_seed(0)
        return load_pretrained(folder, labels, tokenizer, MAX_LENGTH)

    def plain_model(attention: str = "sdpa") -> Any:
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(labels), attn_implementation=attention
        )

    config = TrainConfig(
        global_batch_size=arguments.batch,
        max_seq_length=MAX_LENGTH,
        num_train_epochs=1000,
    )
    steps, batch = arguments.steps, arguments.batch
    makers: dict[str, Callable[[], Callable[[int], Turn]]] = {
        "ours": lambda: project(fresh_model, tokenizer, examples, len(labels), device, config, steps),
        "trainer": lambda: hub_trainer(plain_model, tokenizer, examples, batch, steps),
        "padded": lambda: padded_loop(
            plain_model, tokenizer, examples, device, batch, arguments.padded_steps
        ),
    }
    contenders = {CONTENDERS[name]: makers[name]() for name in CONTENDERS if name in arguments.contenders}
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    peaks = []
    for number in range(arguments.rounds):
        peaks.append(matmul_peak(device))
        for name, take_turn in contenders.items():
            turns[name].append(take_turn(number))
    print_report(turns, statistics.median(peaks), matmul_parameters(fresh_model()), f"{where}; batch {batch}")


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sample = REPOSITORY / "local_test" / "test_dir" / "input" / "data"
    parser.add_argument("--data", type=Path, default=sample / "train" / "train.csv", help="labelled CSV")
    parser.add_argument("--model", type=Path, default=sample / "model", help="pretrained encoder folder")
    parser.add_argument(
        "--encoders",
        nargs="+",
        choices=("model", "base"),
        help="model = that of --model, the default if it exists; base = BERT-base of random weights",
    )
    parser.add_argument("--batch", type=int, default=32, help="texts per optimizer step")
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=tuple(CONTENDERS),
        default=list(CONTENDERS),
        help="ours is always run",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12, help="measured steps per turn")
    parser.add_argument(
        "--padded-steps", type=int, default=1, help="measured steps per turn of the pad-to-512 loop"
    )
    arguments = parser.parse_args()
    has_model = arguments.model.exists()
    arguments.encoders = arguments.encoders or ["model" if has_model else "base"]
    if "model" in arguments.encoders and not has_model:
        parser.error(f"there is no {arguments.model}: make model-channel fetches an encoder")
    arguments.contenders.append("ours")  # the others are told beside it
    return arguments


def read_data(path: Path) -> tuple[Examples, Sequence[str]]:
    """Return the texts of a CSV and its class names."""
    dataset = build_dataset([path])
    mapper = build_label_mapper(None, dataset)
    return read_examples(dataset, mapper, "train"), class_names(mapper)


def print_report(turns: dict[str, list[Turn]], peak: float, parameters: int, where: str) -> None:
    """Print medians over the rounds, each beside the project's."""

    def median(name: str, field: str) -> float:
        return statistics.median(getattr(turn, field) for turn in turns[name])

    own = median("this project", "examples_per_second")
    print(f"{where}; {parameters / 1e6:.1f} M weights in matrix products; peak {peak / 1e9:.0f} GFLOP/s")
    print(
        "| contender | examples/s | tokens/s | padding share | share of peak | 560,000 texts | this project is |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in turns:
        tokens = median(name, "tokens_per_second")
        print(
            f"| {name} | {median(name, 'examples_per_second'):.1f} | {tokens:.0f} "
            f"| {median(name, 'padding_share'):.1%} | {6 * parameters * tokens / peak:.1%} "
            f"| {FULL_EPOCH / median(name, 'examples_per_second') / 60:.1f} min "
            f"| {own / median(name, 'examples_per_second'):.2f}× |"
        )


if __name__ == "__main__":
    main()
