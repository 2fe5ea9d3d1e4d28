"""Training speed beside transformers' Trainer and a pad-to-512 loop: same weights, data and batch size, one run.

    make bench            or, with other data:
    PYTHONPATH=container:tests python tests/benchmarks/training_speed.py --data FILE.csv --encoders model base

The contenders take turns, so that whatever else the machine does meets all of them alike; what counts is the ratio.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    TrainerCallback,
    TrainingArguments,
)
from transformers import Trainer as HubTrainer

from bert_classifier.builder import build_dataset, build_label_mapper
from bert_classifier.data.examples import Examples, read_examples
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.job.config import TrainConfig
from bert_classifier.label_mapper import class_names
from bert_classifier.modeling.pretrained import load_pretrained, load_tokenizer, quiet_transformers
from bert_classifier.training.batching import Split
from bert_classifier.training.device import choose_device, pin_threads
from bert_classifier.training.trainer import Trainer
from support.device_rates import matmul_parameters, matmul_peak, synchronized_time

REPOSITORY = Path(__file__).parents[2]
FULL_EPOCH = 560_000  # DBpedia's training rows, for an estimate
WARM_UP = 2  # steps of each turn that are not measured
MAX_LENGTH = 256


class Turn:
    """What one contender did in one turn."""

    def __init__(self, seconds: float, examples: int, tokens: int, padded_tokens: int) -> None:
        self.examples_per_second = examples / seconds
        self.tokens_per_second = tokens / seconds
        self.padding_share = 1 - tokens / padded_tokens


def main() -> None:
    """Run the comparison for each encoder and print one row a contender."""
    arguments = parse_arguments()
    quiet_transformers()
    threads, device = pin_threads(), choose_device()
    where = f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else device}, {threads} threads"
    examples, labels = read_data(arguments.data)
    with tempfile.TemporaryDirectory() as scratch:
        for encoder in arguments.encoders:
            folder = make_base(Path(scratch), arguments.model) if encoder == "base" else arguments.model
            compare(arguments, folder, examples, labels, device, f"{encoder}; {where}")


def make_base(folder: Path, tokenizer_of: str) -> str:
    """Save a BERT-base (110 M parameters) of random weights with the tokenizer of another checkpoint."""
    tokenizer = load_tokenizer(tokenizer_of)
    config = BertConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
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
    contenders: dict[str, Callable[[int], Turn]] = {
        "this project": ours(fresh_model, tokenizer, examples, len(labels), device, config, steps),
        "transformers Trainer": hub_trainer(plain_model, tokenizer, examples, batch, steps),
        "pad-to-512 loop": padded_loop(
            plain_model, tokenizer, examples, device, batch, arguments.padded_steps
        ),
    }
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
    parser.add_argument("--model", default=str(sample / "model"), help="pretrained encoder folder")
    parser.add_argument(
        "--encoders",
        nargs="+",
        choices=("model", "base"),
        default=["model"],
        help="model = that of --model; base = BERT-base of random weights, with the tokenizer of --model",
    )
    parser.add_argument("--batch", type=int, default=32, help="texts an optimizer step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12, help="measured steps a turn")
    parser.add_argument(
        "--padded-steps", type=int, default=1, help="measured steps a turn of the pad-to-512 loop"
    )
    return parser.parse_args()


def read_data(path: Path) -> tuple[Examples, Sequence[str]]:
    """Return the texts of a CSV and its class names."""
    dataset = build_dataset([path])
    mapper = build_label_mapper(None, dataset)
    return read_examples(dataset, mapper, "train"), class_names(mapper)


def ours(
    fresh_model: Callable[[], Any],
    tokenizer: Any,
    examples: Examples,
    classes: int,
    device: torch.device,
    config: TrainConfig,
    steps: int,
) -> Callable[[int], Turn]:
    """Return the project's trainer as a contender."""
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, MAX_LENGTH)
    split = Split(encoder.encode_batch(examples.texts), examples.targets)

    def turn(number: int) -> Turn:
        trainer = Trainer(
            fresh_model(), config, split, split, num_classes=classes, pad_id=encoder.pad_id, device=device
        )
        first = number * (steps + WARM_UP)
        for step in range(first, first + WARM_UP):
            trainer.train_step(step)
        started = synchronized_time(device)
        reports = [trainer.train_step(step) for step in range(first + WARM_UP, first + WARM_UP + steps)]
        return Turn(
            synchronized_time(device) - started,
            sum(r.examples for r in reports),
            sum(r.tokens for r in reports),
            sum(r.padded_tokens for r in reports),
        )

    return turn


class Stopwatch(TrainerCallback):  # type: ignore[misc]
    """Takes the time from the end of the warm-up to the last step of a transformers Trainer."""

    started = ended = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the time."""
        self.ended = time.perf_counter()
        if state.global_step == WARM_UP:
            self.started = self.ended


def hub_trainer(
    plain_model: Callable[[], Any], tokenizer: Any, examples: Examples, batch: int, steps: int
) -> Callable[[int], Turn]:
    """Return transformers' Trainer, with dynamic padding, on a GPU in bf16 too, as a contender."""
    encoded = tokenizer(list(examples.texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
    items = [{"input_ids": ids, "labels": int(t)} for ids, t in zip(encoded, examples.targets, strict=True)]
    counts = {"tokens": 0, "padded": 0, "batches": 0}

    def collate(chosen: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        counts["batches"] += 1
        padded = tokenizer.pad({"input_ids": [item["input_ids"] for item in chosen]}, return_tensors="pt")
        if counts["batches"] > WARM_UP:
            counts["tokens"] += int(padded["attention_mask"].sum())
            counts["padded"] += padded["attention_mask"].numel()
        return {**padded, "labels": torch.tensor([item["labels"] for item in chosen])}

    def turn(number: int) -> Turn:
        counts.update(tokens=0, padded=0, batches=0)
        watch = Stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder, per_device_train_batch_size=batch, max_steps=WARM_UP + steps, save_strategy="no", report_to=[],
                logging_strategy="no", disable_tqdm=True, seed=number, max_grad_norm=1.0, weight_decay=0.01,
                remove_unused_columns=False, dataloader_drop_last=True, bf16=torch.cuda.is_available(),
            )  # fmt: skip
            HubTrainer(
                plain_model(), arguments, data_collator=collate, train_dataset=items, callbacks=[watch]
            ).train()
        assert watch.started, "the Trainer did not get beyond its warm-up: there is no time to compare"
        share = steps / max(1, counts["batches"] - WARM_UP)  # the loader may prefetch
        return Turn(
            watch.ended - watch.started,
            steps * batch,
            int(counts["tokens"] * share),
            int(counts["padded"] * share),
        )

    return turn


def padded_loop(
    plain_model: Callable[[str], Any],
    tokenizer: Any,
    examples: Examples,
    device: torch.device,
    batch: int,
    steps: int,
) -> Callable[[int], Turn]:
    """Return the older sample's loop as a contender.

    Every text is padded to 512, the padding attended to (the sample gives no mask), attention spelt out in matrix
    products as the library of its day did, a batch a forward pass.
    """
    encoded = tokenizer(
        list(examples.texts), truncation=True, max_length=512, padding="max_length", return_tensors="pt"
    )
    targets = torch.from_numpy(examples.targets)

    def turn(number: int) -> Turn:
        model = plain_model("eager").to(device).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
        rows = torch.from_numpy(np.random.default_rng(number).permutation(len(targets))).split(batch)
        started = synchronized_time(device)
        for part in rows[:steps]:
            logits = model(input_ids=encoded["input_ids"][part].to(device)).logits
            loss = torch.nn.functional.cross_entropy(logits, targets[part].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        done = torch.cat(rows[:steps])
        tokens = int(encoded["attention_mask"][done].sum())
        return Turn(synchronized_time(device) - started, len(done), tokens, len(done) * 512)

    return turn


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
            f"| {median(name, 'padding_share'):.1%} | {6 * parameters * tokens / peak:.0%} "
            f"| {FULL_EPOCH / median(name, 'examples_per_second') / 60:.1f} min "
            f"| {own / median(name, 'examples_per_second'):.2f}× |"
        )


if __name__ == "__main__":
    main()
