#!/usr/bin/env bash
# Train on a folder laid out as /opt/ml; the results go to its model/, output/ and checkpoints/.
# Usage: [ENGINE=auto|docker|process] train_local.sh [TEST_DIR]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

choose_test_dir "$@"
shown="$test_dir" # as the user knows it
[[ -d "$test_dir/input" ]] \
    || fail 2 "There is no folder $test_dir/input: lay the data out with make train-local TEST_DIR=… TRAIN=my.csv."
test_dir="$(cd "$test_dir" && pwd)"
choose_engine
mkdir -p "$test_dir/model" "$test_dir/output" "$test_dir/checkpoints"
failure="$test_dir/output/failure"
rm -f "$failure"

settings=("ML_ROOT_SHOWN_AS=$shown")
if [[ -d "$test_dir/input/data/model" ]]; then
    settings+=(HF_HUB_OFFLINE=1) # the encoder is local, so the hub is not needed
fi

# In the background, so that a signal to this script reaches the training, which is then waited for.
if [[ "$engine" == docker ]]; then
    in_container "${settings[@]/#/--env=}" --volume "$test_dir:/opt/ml" -- train &
else
    env "PYTHONPATH=$repository/container" "ML_ROOT=$test_dir" "${settings[@]}" "$python" "$repository/container/train" &
fi
training=$!
interrupted=1
trap 'interrupted=1; kill -TERM "$training" 2>/dev/null || true' INT TERM
# A signal ends the wait, not the training: what counts is how that ended.
while [[ -n "$interrupted" ]]; do
    interrupted=""
    status=0
    wait "$training" || status=$?
done

# Usage: make_command NAME; print the command that goes on with this folder in the same engine.
make_command() {
    local words=(make "$1")
    [[ "$test_dir" == "$here/test_dir" ]] || words+=("TEST_DIR=$shown")
    [[ "${ENGINE:-auto}" == auto ]] || words+=("ENGINE=$ENGINE")
    [[ "$engine" == process || "${IMAGE:-bert-classifier}" == bert-classifier ]] || words+=("IMAGE=$IMAGE")
    [[ "$engine" == process || "${TAG:-cpu}" == cpu ]] || words+=("TAG=$TAG")
    printf '%q ' "${words[@]}" | sed 's/ $//'
}

# The training's last log line gives the reason.
if ((status != 0)) && [[ -s "$failure" ]]; then
    fail "$status" "The training failed with exit code $status; its reason is also in $failure."
elif ((status == 137)); then
    fail "$status" "The training was ended by SIGKILL, usually because memory ran out."
elif ((status == 143)); then
    fail "$status" "To go on: $(make_command train-local)"
elif ((status > 128)); then
    fail "$status" "The training was ended by SIG$(kill -l "$status")."
elif ((status != 0)); then
    fail "$status" "The training ended with exit code $status and left no reason."
fi
echo "Next: $(make_command serve-local)"
