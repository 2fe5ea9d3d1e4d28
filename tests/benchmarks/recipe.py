"""How good are the defaults on small data? Data set × rows per class × recipe, beside what others would use.

    PYTHONPATH=container:tests python tests/benchmarks/recipe.py --encoder FOLDER --results FILE.jsonl \\
        --data trec TRAIN.csv TEST.csv 500 --data sst2 TRAIN.csv TEST.csv 700 [--sizes 8 32] [--contenders …]

Of the CSV files the first column is the label and the last the text. Each run is a process of its own. Its result is
appended to the results file at once, and a run that has one there is not repeated: start the same command again to go
on, and another file for another state of the program. Contenders:

    project           this project with nothing set, 64 more rows as validation
    project_held_out  the same, a tenth of the training rows held out instead
    grid              this project, each combination of --grid; the table shows the best by test accuracy
    trainer           transformers' Trainer at its defaults
    frozen            logistic regression on frozen embeddings
    setfit            SetFit at its defaults; needs --setfit-python, with the packages of recipe_contenders/setfit.txt
"""

import argparse
import ast
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.recipe_data import DataSet
from support.recipe_results import Results, Run, difference_table, score_table
from support.recipe_task import Task, answer_in

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "benchmarks" / "recipe_contenders"
CONTENDERS = {
    "project": "this_project.py",
    "project_held_out": "this_project.py",
    "grid": "this_project.py",
    "trainer": "transformers_trainer.py",
    "frozen": "frozen_embeddings.py",
    "setfit": "setfit_defaults.py",
}
GRID = ("learning_rate=5e-5,1e-4,2e-4,4e-4", "steps=60,120,240")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing and print the tables; return 1 when a run failed."""
    given = parsed(arguments)
    results = Results(given.results)
    datasets = [
        DataSet.of_files(name, Path(train), Path(test), int(texts)) for name, train, test, texts in given.data
    ]
    encoder = describe_encoder(given.encoder)
    runs = list(planned(given, encoder, datasets))
    missing = [(data, run) for data, run in runs if run not in results.scores]
    measured = [measure(given, data, run, results) for data, run in missing]
    wanted = {run for _, run in runs}  # the file may hold more
    scores = {run: score for run, score in results.scores.items() if run in wanted}
    order = list(CONTENDERS)
    print(score_table(scores, order), difference_table(scores, order), sep="\n\n")
    return int(not all(measured))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--encoder",
        type=Path,
        required=True,
        help="folder of a sentence-transformers or transformers checkpoint",
    )
    add("--results", type=Path, required=True, help="file of JSON lines; may hold earlier results")
    add("--data", nargs=4, action="append", required=True, metavar=("NAME", "TRAIN", "TEST", "TEST_TEXTS"))
    add("--datasets", nargs="+", help="names of --data; default: all")
    add("--sizes", nargs="+", type=int, default=[8, 32, 128, 512], help="training rows per class")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS], metavar="CONTENDER")
    add(
        "--grid", nargs="+", default=list(GRID), metavar="NAME=VALUE,…", help="any hyperparameters, and steps"
    )
    add("--setfit-python", type=Path, help="the Python that has SetFit; without it, SetFit is left out")
    add("--setfit-iterations", type=int, help="SetFit's num_iterations; default: SetFit's")
    add("--threads", type=int, default=1, help="per run")
    add("--timeout", type=float, help="seconds after which a run is given up")
    return parser.parse_args(arguments)


def planned(
    given: argparse.Namespace, encoder: str, datasets: Sequence[DataSet]
) -> Iterator[tuple[DataSet, Run]]:
    """Yield the runs: all contenders of the smallest cells first, so that a broken-off benchmark has whole rows."""
    chosen = [data for data in datasets if not given.datasets or data.name in given.datasets]
    for size, data, seed, contender in itertools.product(given.sizes, chosen, given.seeds, given.contenders):
        if not data.has(size) or (contender == "setfit" and not given.setfit_python):
            continue
        for setting in settings_of(contender, given):
            yield data, Run(encoder, data.name, size, seed, contender, json.dumps(setting, sort_keys=True))


def settings_of(contender: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the settings with which a contender runs."""
    if contender == "grid":
        return combinations(given.grid)
    if contender == "setfit" and given.setfit_iterations:
        return [{"num_iterations": given.setfit_iterations}]
    return [{}]


def combinations(grid: Sequence[str]) -> list[dict[str, Any]]:
    """Return each combination of `NAME=VALUE,VALUE` as a dict; numbers as numbers."""
    axes = {name: values.split(",") for name, _, values in (axis.partition("=") for axis in grid)}
    return [dict(zip(axes, map(_value, chosen), strict=True)) for chosen in itertools.product(*axes.values())]


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def measure(given: argparse.Namespace, data: DataSet, run: Run, results: Results) -> bool:
    """Do a run and keep its result; return whether it has one."""
    setting = json.loads(run.setting) | ({"held_out": True} if run.contender == "project_held_out" else {})
    draw = data.draw(run.size, run.seed)
    task = Task(
        **vars(draw), encoder=str(given.encoder), seed=run.seed, threads=given.threads, setting=setting
    )
    print(
        f"{run.data} {run.size} seed {run.seed} {run.contender} {run.setting}: ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    try:
        answer = answer_of(task, run.contender, given)
    except (subprocess.SubprocessError, ValueError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return False
    results.add(run, answer)
    print(f"{100 * answer['accuracy']:.1f} %, {answer['cpu_seconds']:.0f} CPU seconds", file=sys.stderr)
    return True


def answer_of(task: Task, contender: str, given: argparse.Namespace) -> Mapping[str, Any]:
    """Run the contender's program on a task; raises SubprocessError or ValueError when it gives no answer."""
    python = given.setfit_python if contender == "setfit" else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.json"
        task.write(path)
        done = subprocess.run(
            [python, PROGRAMS / CONTENDERS[contender], path],
            env=variables(task.threads), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=given.timeout, check=False,
        )  # fmt: skip
    if done.returncode:
        raise ValueError(f"exit status {done.returncode}\n{done.stdout[-2000:]}")
    return answer_in(done.stdout)


def variables(threads: int) -> dict[str, str]:
    """Return the environment of a run: no GPU, no network, as many threads as wished."""
    own = {
        "PYTHONPATH": f"{TESTS.parent / 'container'}{os.pathsep}{TESTS}",
        "OMP_NUM_THREADS": str(threads),
        "GOMP_SPINCOUNT": "1000",  # waiting threads sleep: the machine may be busy
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
    }
    return {**os.environ, **own}


def describe_encoder(folder: Path) -> str:
    """Return type, width and layers of an encoder, such as `bert 384 × 6`."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return f"{config['model_type']} {config['hidden_size']} × {config['num_hidden_layers']}"


if __name__ == "__main__":
    raise SystemExit(main())
