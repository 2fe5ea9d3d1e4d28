#!/usr/bin/env bash
# Scores the trained model of a folder on a labelled file, or compares two models on it.
# Usage: [ENGINE=auto|docker|process] evaluate.sh MODEL DATA [OUTPUT]
#        [ENGINE=auto|docker|process] evaluate.sh MODEL DATA OUTPUT OTHER      (OUTPUT may be empty)
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(dirname "$here")"
model="${1:-}" data="${2:-}" output="${3:-}" other="${4:-}"

for folder in "$model" ${other:+"$other"}; do
    if [[ ! -d "$folder" ]]; then
        echo "There is no model folder '$folder': name one that training has written, such as MODEL=my_run/model." >&2
        exit 2
    fi
done
if [[ ! -f "$data" ]]; then
    echo "There is no file '$data': name a labelled one, such as DATA=test.csv." >&2
    exit 2
fi
kind=evaluation
if [[ -n "$other" ]]; then
    kind=comparison
fi
name="$(basename "$data")"
if [[ -z "$output" ]]; then
    output="$(dirname "$model")/$kind-${name%.*}" # beside the model, so that several files do not overwrite each other
fi
engine="$("$here/engine.sh")"
if [[ "$engine" == process && ! -x "$repository/.venv/bin/python" ]]; then
    echo "There is no $repository/.venv: run make setup first." >&2
    exit 2
fi
mkdir -p "$output"
absolute() { (cd "$1" && pwd); }

arguments=(-m bert_classifier.evaluation)
if [[ "$engine" == docker ]]; then
    mounts=(--volume "$(absolute "$model"):/model:ro" --volume "$(absolute "$output"):/output"
        --volume "$(absolute "$(dirname "$data")")/$name:/data/$name:ro")
    arguments+=(evaluate --model /model --data "/data/$name" --output /output --names "$model")
    if [[ -n "$other" ]]; then
        mounts+=(--volume "$(absolute "$other"):/other:ro")
        arguments[2]=compare
        arguments+=("$other" --other /other)
    fi
    docker run --rm --network none --user "$(id -u):$(id -g)" "${mounts[@]}" \
        "${IMAGE:-bert-classifier}:${TAG:-cpu}" python "${arguments[@]}"
else
    arguments+=(evaluate --model "$model" --data "$data" --output "$output" --names "$model")
    if [[ -n "$other" ]]; then
        arguments[2]=compare
        arguments+=("$other" --other "$other")
    fi
    env "PYTHONPATH=$repository/container" HF_HUB_OFFLINE=1 "$repository/.venv/bin/python" "${arguments[@]}"
fi
page=report
if [[ -n "$other" ]]; then
    page=comparison
fi
echo "written: $output/$page.html"
