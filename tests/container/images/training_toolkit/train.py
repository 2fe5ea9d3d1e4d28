"""Average the numbers of a channel, as a script of the toolkit's: flags for hyperparameters, SM_* for folders."""

import argparse
import json
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--model-dir", type=Path, default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--training", type=Path, default=os.environ.get("SM_CHANNEL_TRAINING"))
arguments, _ = parser.parse_known_args()
if arguments.training is None:
    raise SystemExit("there is no channel training")
numbers = [float(line) for path in sorted(arguments.training.glob("*.txt")) for line in path.open()]
checkpoint = Path("/opt/ml/checkpoints/state.json")
first = json.loads(checkpoint.read_text())["rounds"] + 1 if checkpoint.exists() else 1
for number in range(first, arguments.rounds + 1):
    print(f"epoch {number}: mean {sum(numbers) / len(numbers)}", flush=True)
    if checkpoint.parent.is_dir():
        part = checkpoint.with_suffix(".part")
        part.write_text(json.dumps({"rounds": number}))
        part.replace(checkpoint)
    time.sleep(0.2)
if os.environ["SM_CURRENT_HOST"] == json.loads(os.environ["SM_HOSTS"])[0]:
    (arguments.model_dir / "mean.json").write_text(json.dumps(sum(numbers) / len(numbers)))
