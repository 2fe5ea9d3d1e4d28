"""What a training holds in memory per row: a tiny model on N rows, from reading until after its first optimizer step.

Usage: memory_per_row.py [--data FILE.csv] [--rows N …] [--program FOLDER]

Each row is a different text of 100 to 200 characters, cut from the data's. Memory is summed over all processes of the
job, each page divided by the processes that share it: anonymous (what cannot be read again from a file), and all.
"""

import argparse
import csv
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "local_test" / "test_dir" / "input" / "data" / "train" / "train.csv"
HYPERPARAMETERS = {"max_seq_length": "64", "global_batch_size": "32", "num_train_epochs": "1"}
POLL_SECONDS = 0.2


def main() -> None:
    """Run a job per number of rows, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 400_000])
    parser.add_argument(
        "--program", type=Path, default=REPOSITORY / "container", help="that of another version"
    )
    given = parser.parse_args()
    print(
        "| rows | MB of data | seconds to the first step | peak, anonymous, MB | peak, all, MB |\n|---|---|---|---|---|"
    )
    for count in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            size = lay_out(Path(folder), given.data, count)
            seconds, anonymous, everything = run(Path(folder), given.program)
        print(
            f"| {count:,} | {size / 1e6:.0f} | {seconds:.0f} | {anonymous:.0f} | {everything:.0f} |",
            flush=True,
        )


def lay_out(folder: Path, data: Path, count: int) -> int:
    """Lay out a job of `count` rows; return the bytes of its data."""
    tiny_job = REPOSITORY / "local_test" / "tiny_job.py"
    subprocess.run([sys.executable, tiny_job, folder], check=True, stdout=subprocess.DEVNULL)
    for channel in ("validation", "test", "class"):
        shutil.rmtree(folder / "input" / "data" / channel)
    settings = folder / "input" / "config" / "hyperparameters.json"
    settings.write_text(json.dumps({**HYPERPARAMETERS, "validation_split": "0.01"}), encoding="utf-8")
    path = folder / "input" / "data" / "train" / "train.csv"
    with data.open(encoding="utf-8", newline="") as file:
        rows = [(row[0], row[-1]) for row in csv.reader(file)][1:]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text"])
        writer.writerows(itertools.islice(made_of(rows), count))
    return path.stat().st_size


def made_of(rows: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield label and text without end: pieces of the rows' texts, each with a number."""
    draw = random.Random(0)
    for number, (label, text) in enumerate(itertools.cycle(rows)):
        start = draw.randrange(max(1, len(text) - 150))
        yield label, f"{number} {text[start : start + draw.randrange(90, 190)]}"


def run(folder: Path, program: Path) -> tuple[float, float, float]:
    """Train until the first step is done, then stop; return the seconds until then, and both peaks in MB."""
    log = folder / "log"
    environ = {**os.environ, "ML_ROOT": str(folder), "TMPDIR": str(folder)}
    with log.open("wb") as output:
        started = time.monotonic()
        job = subprocess.Popen(
            [sys.executable, program / "train"],
            env=environ,
            stderr=output,
            stdout=output,
            start_new_session=True,
        )
        seconds = anonymous = everything = 0.0
        while job.poll() is None:
            now = memory(job.pid)
            anonymous, everything = max(anonymous, now[0]), max(everything, now[1])
            if not seconds and b" step=1 " in log.read_bytes():
                seconds = time.monotonic() - started
                job.send_signal(signal.SIGTERM)
            time.sleep(POLL_SECONDS)
    if not seconds:
        sys.exit(log.read_text(encoding="utf-8"))
    print(log.read_text(encoding="utf-8"), file=sys.stderr)
    return seconds, anonymous, everything


def memory(session: int) -> tuple[float, float]:
    """Return the memory of all processes of a session in MB: anonymous, and all."""
    found = [0.0, 0.0]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(process.name)) != session:
                continue
            lines = (process / "smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        values = {
            name: int(value.split()[0]) / 1000
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        found[0] += values["Pss_Anon"] + values["Pss_Shmem"]
        found[1] += values["Pss"]
    return found[0], found[1]


if __name__ == "__main__":
    main()
