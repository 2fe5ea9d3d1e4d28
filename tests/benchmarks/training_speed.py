"""Training speed beside transformers' Trainer and a pad-to-512 loop: same weights, data and batch size, one run.

    make bench            or, with other data:
    PYTHONPATH=container:tests python tests/benchmarks/training_speed.py --data FILE.csv --rounds 3

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
from transformers import AutoModelForSequenceClassification, TrainerCallback, TrainingArguments
from transformers import Trainer as HubTrainer

from bert_classifier.builder import build_dataset, build_label_mapper
from bert_classifier.config import TrainConfig
from bert_classifier.examples import Examples, read_examples
from bert_classifier.label_mapper import class_names
from bert_classifier.model import load_pretrained, load_tokenizer, quiet_transformers
from bert_classifier.tokenization import TextEncoder
from bert_classifier.training.batching import Split
from bert_classifier.training.device import choose_device, pin_threads
from bert_classifier.training.trainer import Trainer

REPOSITORY = Path(__file__).parents[2]
BATCH = 32
WARM_UP = 2  # steps of each turn that are not measured
MAX_LENGTH = 256


class Turn:
    """What one contender did in one turn."""

    def __init__(self, seconds: float, examples: int, tokens: int, padded_tokens: int) -> None:
        self.examples_per_second = examples / seconds
        self.tokens_per_second = tokens / seconds
        self.padding_share = 1 - tokens / padded_tokens


def main() -> None:
    """Run the comparison and print one row a contender."""
    arguments = parse_arguments()
    quiet_transformers()
    threads, device = pin_threads(), choose_device()
    examples, labels = read_data(arguments.data)
    tokenizer = load_tokenizer(arguments.model)

    def fresh_model() -> Any:
        torch.manual_seed(0)
        return load_pretrained(arguments.model, labels, tokenizer, MAX_LENGTH)

    def plain_model(attention: str = "sdpa") -> Any:
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_pretrained(
            arguments.model, num_labels=len(labels), attn_implementation=attention
        )

    contenders: dict[str, Callable[[int], Turn]] = {
        "this project": ours(fresh_model, tokenizer, examples, len(labels), device, arguments.steps),
        "transformers Trainer": hub_trainer(plain_model, tokenizer, examples, arguments.steps),
        "pad-to-512 loop": padded_loop(plain_model, tokenizer, examples, device, arguments.padded_steps),
    }
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    peaks = []
    for number in range(arguments.rounds):
        peaks.append(matmul_peak(device))
        for name, take_turn in contenders.items():
            turns[name].append(take_turn(number))
    print_report(
        turns, statistics.median(peaks), matmul_parameters(fresh_model()), f"{device}, {threads} threads"
    )


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sample = REPOSITORY / "local_test" / "test_dir" / "input" / "data"
    parser.add_argument("--data", type=Path, default=sample / "train" / "train.csv", help="labelled CSV")
    parser.add_argument("--model", default=str(sample / "model"), help="pretrained encoder folder")
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
    steps: int,
) -> Callable[[int], Turn]:
    """Return the project's trainer as a contender."""
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, MAX_LENGTH)
    split = Split(encoder.encode_batch(examples.texts), examples.targets)
    config = TrainConfig(global_batch_size=BATCH, max_seq_length=MAX_LENGTH, num_train_epochs=100)

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
    plain_model: Callable[[], Any], tokenizer: Any, examples: Examples, steps: int
) -> Callable[[int], Turn]:
    """Return transformers' Trainer, with dynamic padding, as a contender."""
    encoded = tokenizer(list(examples.texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
    items = [{"input_ids": ids, "labels": int(t)} for ids, t in zip(encoded, examples.targets, strict=True)]
    counts = {"tokens": 0, "padded": 0, "batches": 0}

    def collate(batch: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        counts["batches"] += 1
        padded = tokenizer.pad({"input_ids": [item["input_ids"] for item in batch]}, return_tensors="pt")
        if counts["batches"] > WARM_UP:
            counts["tokens"] += int(padded["attention_mask"].sum())
            counts["padded"] += padded["attention_mask"].numel()
        return {**padded, "labels": torch.tensor([item["labels"] for item in batch])}

    def turn(number: int) -> Turn:
        counts.update(tokens=0, padded=0, batches=0)
        watch = Stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder, per_device_train_batch_size=BATCH, max_steps=WARM_UP + steps, save_strategy="no", report_to=[],
                logging_strategy="no", disable_tqdm=True, seed=number, max_grad_norm=1.0, weight_decay=0.01,
                remove_unused_columns=False, dataloader_drop_last=True,
            )  # fmt: skip
            HubTrainer(
                plain_model(), arguments, data_collator=collate, train_dataset=items, callbacks=[watch]
            ).train()
        share = steps / max(1, counts["batches"] - WARM_UP)  # the loader may prefetch
        return Turn(
            watch.ended - watch.started,
            steps * BATCH,
            int(counts["tokens"] * share),
            int(counts["padded"] * share),
        )

    return turn


def padded_loop(
    plain_model: Callable[[str], Any], tokenizer: Any, examples: Examples, device: torch.device, steps: int
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
        rows = torch.from_numpy(np.random.default_rng(number).permutation(len(targets))).split(BATCH)
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


def synchronized_time(device: torch.device) -> float:
    """Return the time once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def matmul_peak(device: torch.device) -> float:
    """Return the usual rate of a large float32 (bfloat16 on a GPU) matrix product, FLOP/s."""
    dtype, size = (torch.bfloat16, 8192) if device.type == "cuda" else (torch.float32, 2048)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    a @ b
    rates = []
    for _ in range(15):
        started = synchronized_time(device)
        a @ b
        rates.append(2 * size**3 / (synchronized_time(device) - started))
    return statistics.median(rates)


def matmul_parameters(model: Any) -> int:
    """Return the weights that take part in matrix products: all matrices but the embedding tables."""
    return sum(p.numel() for name, p in model.named_parameters() if p.ndim > 1 and "embeddings" not in name)


def print_report(turns: dict[str, list[Turn]], peak: float, parameters: int, where: str) -> None:
    """Print medians over the rounds, each beside the project's."""

    def median(name: str, field: str) -> float:
        return statistics.median(getattr(turn, field) for turn in turns[name])

    own = median("this project", "examples_per_second")
    print(
        f"{where}; batch {BATCH}; {parameters / 1e6:.1f} M weights in matrix products; peak {peak / 1e9:.0f} GFLOP/s"
    )
    print("| contender | examples/s | tokens/s | padding share | share of peak | this project is |")
    print("|---|---|---|---|---|---|")
    for name in turns:
        tokens = median(name, "tokens_per_second")
        print(
            f"| {name} | {median(name, 'examples_per_second'):.1f} | {tokens:.0f} "
            f"| {median(name, 'padding_share'):.1%} | {6 * parameters * tokens / peak:.0%} "
            f"| {own / median(name, 'examples_per_second'):.2f}× |"
        )


if __name__ == "__main__":
    main()
