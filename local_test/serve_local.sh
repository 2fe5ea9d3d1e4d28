#!/usr/bin/env bash
# Serves the model of a folder laid out as /opt/ml on 127.0.0.1, in the foreground.
# Usage: [ENGINE=auto|docker|process] [PORT=8080] serve_local.sh [TEST_DIR]
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(dirname "$here")"
test_dir="${1-$here/test_dir}"
port="${PORT:-8080}"
if [[ -z "$test_dir" ]]; then
    echo "TEST_DIR is empty: name a folder, or leave it out for $here/test_dir." >&2
    exit 2
fi
if [[ ! "$port" =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
    echo "PORT=$port is no port: give a number from 1 to 65535." >&2
    exit 2
fi

if [[ ! -f "$test_dir/model/model.safetensors" ]]; then
    echo "There is no trained model in $test_dir/model: run make train-local first." >&2
    exit 2
fi
test_dir="$(cd "$test_dir" && pwd)"
engine="$("$here/engine.sh")"
if [[ "$engine" == process && ! -x "$repository/.venv/bin/python" ]]; then
    echo "There is no $repository/.venv: run make setup first." >&2
    exit 2
fi
if [[ -s "$test_dir/output/failure" ]]; then
    echo "The last training in $test_dir failed (output/failure says why): this is the model of an earlier one." >&2
fi
for name in SERVING_HOST SAGEMAKER_BIND_TO_PORT; do
    [[ -z "${!name:-}" ]] || echo "$name is not used here: it listens on 127.0.0.1, and PORT=$port sets the port." >&2
done
echo "serving $test_dir/model on http://127.0.0.1:$port (Ctrl-C ends it)"

if [[ "$engine" == docker ]]; then
    settings=() # those of the server, which a process would read in this environment
    while IFS= read -r name; do
        [[ $name =~ ^(SERVING_HOST|SAGEMAKER_BIND_TO_PORT)$ ]] || settings+=(--env "$name")
    done < <(compgen -e SERVING_ || true; compgen -e SAGEMAKER_ || true)
    exec docker run --rm --user "$(id -u):$(id -g)" --env HOME=/tmp "${settings[@]}" --publish "127.0.0.1:$port:8080" \
        --volume "$test_dir/model:/opt/ml/model:ro" "${IMAGE:-bert-classifier}:${TAG:-cpu}" serve
fi
exec env "PYTHONPATH=$repository/container" "ML_ROOT=$test_dir" HF_HUB_OFFLINE=1 \
    SERVING_HOST=127.0.0.1 "SAGEMAKER_BIND_TO_PORT=$port" \
    "$repository/.venv/bin/python" "$repository/container/serve"
