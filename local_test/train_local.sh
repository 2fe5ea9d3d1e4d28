#!/usr/bin/env bash
# Trains on a folder laid out as /opt/ml; the results go to its model/, output/ and checkpoints/.
# Usage: [ENGINE=auto|docker|process] train_local.sh [TEST_DIR]
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(dirname "$here")"
test_dir="${1-$here/test_dir}"
if [[ -z "$test_dir" ]]; then
    echo "TEST_DIR is empty: name a folder, or leave it out for $here/test_dir." >&2
    exit 2
fi

if [[ ! -d "$test_dir/input" ]]; then
    echo "There is no folder $test_dir/input: lay the data out with make train-local TEST_DIR=… TRAIN=my.csv." >&2
    exit 2
fi
test_dir="$(cd "$test_dir" && pwd)"
engine="$("$here/engine.sh")"
if [[ "$engine" == process && ! -x "$repository/.venv/bin/python" ]]; then
    echo "There is no $repository/.venv: run make setup first." >&2
    exit 2
fi
mkdir -p "$test_dir/model" "$test_dir/output" "$test_dir/checkpoints"
failure="$test_dir/output/failure"
rm -f "$failure"

settings=()
if [[ -d "$test_dir/input/data/model" ]]; then
    settings+=(HF_HUB_OFFLINE=1) # the encoder is at hand: nothing is asked of the network
fi

if [[ "$engine" == docker ]]; then
    command=(docker run --rm --user "$(id -u):$(id -g)" --env HOME=/tmp "${settings[@]/#/--env=}"
        --volume "$test_dir:/opt/ml" "${IMAGE:-bert-classifier}:${TAG:-cpu}" train)
else
    command=(env "PYTHONPATH=$repository/container" "ML_ROOT=$test_dir" "${settings[@]}"
        "$repository/.venv/bin/python" "$repository/container/train")
fi

# In the background, so that an interruption of this script reaches the training and is waited for.
"${command[@]}" &
training=$!
trap 'kill -TERM "$training" 2>/dev/null || true' INT TERM
declare -A hint=([SIGKILL]=", which mostly means that the memory ran out")
status=0
wait "$training" || status=$?
while kill -0 "$training" 2>/dev/null; do
    wait "$training" || status=$?
done

if ((status != 0)); then
    # The reason itself is the last line that the training has logged.
    if [[ -s "$failure" ]]; then
        echo "The training failed with exit code $status; its reason is also in $failure." >&2
    elif ((status > 128)); then
        name="SIG$(kill -l "$status")"
        echo "The training was ended by $name${hint[$name]:-}." >&2
    else
        echo "The training ended with exit code $status and left no reason." >&2
    fi
    exit "$status"
fi
echo "model: $test_dir/model   reports: $test_dir/output/data"
