#!/usr/bin/env bash
# Serve the model of a folder laid out as /opt/ml on 127.0.0.1, in the foreground.
# Usage: [ENGINE=auto|docker|process] [PORT=8080] serve_local.sh [TEST_DIR]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

choose_test_dir "$@"
choose_port
[[ -f "$test_dir/model/model.safetensors" ]] || fail 2 "There is no trained model in $test_dir/model: run make train-local TEST_DIR=$test_dir first."
test_dir="$(cd "$test_dir" && pwd)"
choose_engine
if [[ -s "$test_dir/output/failure" ]]; then
    say "The last training in $test_dir failed (output/failure says why): this is the model of an earlier one."
fi
for name in SERVING_HOST SAGEMAKER_BIND_TO_PORT; do
    [[ -z "${!name:-}" ]] || say "$name is not used here: the server listens on 127.0.0.1, and PORT=$port sets the port."
done
if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    fail 2 "Port $port of 127.0.0.1 is taken: give another one, such as PORT=$((port < 65535 ? port + 1 : 8080))."
fi
echo "serving $test_dir/model on http://127.0.0.1:$port (Ctrl-C ends it)"

if [[ "$engine" == docker ]]; then
    settings=() # the server's, which a process would inherit from this environment
    while IFS= read -r name; do
        [[ $name =~ ^(SERVING_HOST|SAGEMAKER_BIND_TO_PORT)$ ]] || settings+=(--env "$name")
    done < <(compgen -e SERVING_ || true; compgen -e SAGEMAKER_ || true)
    in_container "${settings[@]}" --publish "127.0.0.1:$port:8080" --volume "$test_dir/model:/opt/ml/model:ro" -- serve
fi
# PORT has done its work; the server would say that it ignores it.
exec env --unset=PORT "PYTHONPATH=$repository/container" "ML_ROOT=$test_dir" HF_HUB_OFFLINE=1 \
    SERVING_HOST=127.0.0.1 "SAGEMAKER_BIND_TO_PORT=$port" "$python" "$repository/container/serve"
