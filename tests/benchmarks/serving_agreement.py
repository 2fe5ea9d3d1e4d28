"""How many labels int8 keeps, here and with ONNX Runtime: every server classifies the same texts.

    PYTHONPATH=container:tests python tests/benchmarks/serving_agreement.py --model MODEL --data CSV [--peers PEERS]

The CSV's labels are the classes' names. The labels found are compared with those of this project in fp32. PEERS is
made as for serving_speed.py.
"""

import argparse
import http.client
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving_peers.servers import Server, copy_for_peers, servers_of, started
from benchmarks.serving_speed import make_model
from bert_classifier.builder import build_dataset


def main() -> int:
    """Classify with one server after another and print a row for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="a trained model")
    parser.add_argument("--data", type=Path, required=True, help="CSV with texts and labels")
    parser.add_argument("--peers", type=Path, help="folder with the other servers' environments")
    parser.add_argument("--texts", type=int, default=500)
    arguments = parser.parse_args()
    dataset = build_dataset([arguments.data])
    rows = [dataset[number] for number in range(min(arguments.texts, len(dataset)))]
    texts, wanted = ([row[column] for row in rows] for column in (0, 1))
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make_model(arguments.model, root / "model")
        copy_for_peers(root)
        found = {
            name: labels_of(server, root, texts)
            for name, server in servers_of(root, arguments.peers, ("this project", "ONNX")).items()
        }
    print_report(found, wanted)
    return 0


def labels_of(server: Server, root: Path, texts: Sequence[str]) -> np.ndarray:
    """Return the label of each text."""
    with started(server, root) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        found = [ask(connection, server, text) for text in texts]
        connection.close()
    return np.array(found)


def ask(connection: http.client.HTTPConnection, server: Server, text: str) -> str:
    """Return one text's label."""
    body = server.body.replace('"TEXT"', json.dumps(text))
    connection.request("POST", server.path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    (answer,) = json.loads(response.read())
    return str(answer["label"])


def print_report(found: dict[str, np.ndarray], wanted: Sequence[str]) -> None:
    """Print agreement with the first server, and accuracy."""
    print("| server | same label, % | accuracy, % |")
    print("|---" * 3 + "|")
    reference, *_ = found.values()
    for name, labels in found.items():
        same, right = (np.mean(labels == others) * 100 for others in (reference, np.array(wanted)))
        print(f"| {name} | {same:.1f} | {right:.1f} |")


if __name__ == "__main__":
    raise SystemExit(main())
