"""How far bf16 changes gradients and accuracy on a CPU: bfloat16 beside float32 master weights, and two other ways.

    PYTHONPATH=container:tests python tests/benchmarks/low_precision.py gradients|accuracy --model FOLDER --data FILE

`gradients` compares the gradient of a batch of 32 texts with that of the same weights in float64, dropout off, cut into
several numbers of micro-batches. `accuracy` fine-tunes with the default recipe and prints the test accuracy by seed.
"""

import argparse
import copy
import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn import functional

from bert_classifier.builder import build_dataset, build_label_mapper
from bert_classifier.data.examples import Examples, read_examples
from bert_classifier.encoding.text_encoder import TextEncoder
from bert_classifier.evaluation.metrics import Evaluation
from bert_classifier.job.config import TrainConfig
from bert_classifier.label_mapper import class_names
from bert_classifier.modeling.packed import packed_or_padded
from bert_classifier.modeling.pretrained import load_pretrained, quiet_transformers
from bert_classifier.modeling.tokenizer import load_tokenizer
from bert_classifier.training.batching import Split
from bert_classifier.training.device import pin_threads
from bert_classifier.training.trainer import Trainer

CPU = torch.device("cpu")
BATCH, CUTS = 32, (1, 4, 16)  # texts, micro-batches


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained, and on which texts."""

    arguments: argparse.Namespace
    tokenizer: Any
    labels: Sequence[str]
    train: Split
    test: Split

    def trainer(self, precision: str, model: torch.nn.Module | None = None, **settings: Any) -> Trainer:
        """Return a trainer; dropout is on unless the model is given."""
        config = TrainConfig(max_seq_length=self.arguments.length, precision=precision, **settings)
        torch.manual_seed(config.seed)
        return Trainer(
            self.pretrained() if model is None else model, config, self.train, self.test,
            num_classes=len(self.labels), pad_id=self.tokenizer.pad_token_id, device=CPU,
        )  # fmt: skip

    def pretrained(self) -> transformers.PreTrainedModel:
        """Return the pretrained encoder, or a BERT-base of random weights, with a new head."""
        if not self.arguments.bert_base:
            source, length = str(self.arguments.model), self.arguments.length
            return load_pretrained(source, self.labels, self.tokenizer, length)
        config = transformers.BertConfig(vocab_size=len(self.tokenizer), attention_probs_dropout_prob=0.0)
        config.num_labels = len(self.labels)
        return transformers.BertForSequenceClassification(config)


def main() -> None:
    """Print one row of a table per measurement."""
    arguments = parse_arguments()
    quiet_transformers()
    pin_threads()
    case = read_case(arguments)
    {"gradients": compare_gradients, "accuracy": compare_accuracy}[arguments.question](case)


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    parser.add_argument("question", choices=["gradients", "accuracy"])
    parser.add_argument("--data", type=Path, required=True, help="labelled CSV to train on")
    parser.add_argument("--test", type=Path, help="labelled CSV; default: the one to train on")
    parser.add_argument("--model", type=Path, required=True, help="folder of a pretrained encoder")
    parser.add_argument("--bert-base", action="store_true", help="a BERT-base of random weights instead")
    parser.add_argument("--rows", type=int, default=2000, help="texts to train on, drawn at random")
    parser.add_argument("--test-rows", type=int, default=1000, help="texts to test on, at most")
    parser.add_argument("--length", type=int, default=128, help="max_seq_length")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--ways", nargs="+", default=["fp32", "bf16"], choices=["fp32", "autocast", "bf16"])
    return parser.parse_args()


def read_case(arguments: argparse.Namespace) -> Case:
    """Return random subsets of the texts, tokenised."""
    dataset = build_dataset([arguments.data])
    mapper = build_label_mapper(None, dataset)
    tokenizer = load_tokenizer(str(arguments.model))
    encoder = TextEncoder(tokenizer.backend_tokenizer, tokenizer.pad_token_id, arguments.length)

    def split(examples: Examples, rows: int) -> Split:
        chosen = np.sort(np.random.default_rng(0).permutation(len(examples.targets))[:rows])
        return Split(encoder.encode_batch([examples.texts[row] for row in chosen]), examples.targets[chosen])

    train = split(read_examples(dataset, mapper, "train"), arguments.rows)
    test = read_examples(build_dataset([arguments.test or arguments.data]), mapper, "test")
    return Case(arguments, tokenizer, class_names(mapper), train, split(test, arguments.test_rows))


def autocast(trainer: Trainer) -> Trainer:
    """Make a float32 trainer compute under autocast to bfloat16."""
    planner = trainer.engine.planner
    pad_id, sample = planner.forward.pad_id, planner.split.encoded
    planner.forward = packed_or_padded(trainer.model, pad_id, CPU, "bf16", sample)
    return trainer


def compare_gradients(case: Case) -> None:
    """Print the error of each way, as a whole and of the layer with the least cosine."""
    torch.manual_seed(0)
    model = case.pretrained()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def trainer(kind: torch.dtype, precision: str) -> Trainer:
        own: torch.nn.Module = copy.deepcopy(model)
        return case.trainer(precision, own.to(kind), global_batch_size=BATCH)

    exact = trainer(torch.float64, "fp32")
    rows = exact.order.batch(0)
    truth = gradients(exact, rows)
    del exact  # 2 GB for BERT-base
    ways = {
        "float32": lambda: trainer(torch.float32, "fp32"),
        "bf16 beside float32": lambda: trainer(torch.float32, "bf16"),
        "autocast": lambda: autocast(trainer(torch.float32, "fp32")),
        "bf16 alone": lambda: trainer(torch.bfloat16, "fp32"),
    }
    print("| weights | micro-batches | relative error | cosine | least cosine of a parameter |")
    for name, make in ways.items():
        way = make()
        for wanted in CUTS:
            cut = cut_into(way, rows, wanted)
            print(f"| {name} | {cut} | {' | '.join(errors(gradients(way, rows), truth))} |", flush=True)


def cut_into(trainer: Trainer, rows: np.ndarray, wanted: int) -> int:
    """Choose the largest token budget that cuts a batch into as many micro-batches, or more; return how many."""
    plan, least, most = trainer.engine.planner.plan, 1, 100_000
    while least < most:
        middle = (least + most + 1) // 2
        is_enough = len(plan(rows, middle, 1).costs) >= wanted
        least, most = (middle, most) if is_enough else (least, middle - 1)
    trainer.state.token_budget = least
    return len(plan(rows, least, 1).costs)


def gradients(trainer: Trainer, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """Return the gradient of each parameter, in float64."""
    trainer.accumulate_gradients(rows, 0)
    named = trainer.model.named_parameters()
    return {name: parameter.grad.double() for name, parameter in named if parameter.grad is not None}


def errors(ours: dict[str, torch.Tensor], truth: dict[str, torch.Tensor]) -> tuple[str, str, str]:
    """Return relative error, cosine, and the least cosine of a parameter with its name."""
    one, other = (torch.cat([values[name].flatten() for name in truth]) for values in (ours, truth))
    # Key biases have no gradient but rounding: attention does not change when all keys are moved.
    single = [(cosine(ours[name], truth[name]), name) for name in truth if not name.endswith("key.bias")]
    least, name = min(single)
    error = float((one - other).norm() / other.norm())
    return f"{error:.2e}", f"{cosine(one, other):.6f}", f"{least:.5f} {name}"


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the cosine of two vectors."""
    return float(functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def compare_accuracy(case: Case) -> None:
    """Print the test accuracy in percent and the loss of each seed, and mean and standard deviation."""
    found: dict[str, list[float]] = {name: [] for name in case.arguments.ways}
    for seed in case.arguments.seeds:
        for name, accuracies in found.items():
            precision, epochs = "bf16" if name == "bf16" else "fp32", case.arguments.epochs
            trainer = case.trainer(precision, seed=seed, num_train_epochs=epochs)
            if name == "autocast":
                autocast(trainer)
            for step in range(trainer.total_steps):
                report = trainer.train_step(step)
            result = trainer.evaluate(case.test)
            assert isinstance(result, Evaluation)
            accuracies.append(100 * result.accuracy)
            scores = f"test accuracy {accuracies[-1]:.2f} %, test loss {result.loss:.4f}"
            print(f"{name} seed {seed}: step {step + 1}, loss {report.loss:.4f}, {scores}", flush=True)
    for name, values in found.items():
        print(f"{name}: {statistics.mean(values):.2f} ± {np.std(values, ddof=min(1, len(values) - 1)):.2f} %")


if __name__ == "__main__":
    main()
