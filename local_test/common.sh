# shellcheck shell=bash
# Shared by the scripts in this folder, which source it.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(dirname "$here")"
image="${IMAGE:-bert-classifier}:${TAG:-cpu}"
python="$repository/.venv/bin/python"

say() { echo "$*" >&2; }

# Usage: fail STATUS MESSAGE
fail() {
    say "$2"
    exit "$1"
}

engine_answers() { command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1; }

# Set `engine` to where this command runs: docker or process.
choose_engine() {
    engine="$("$here/engine.sh")"
    [[ "$engine" == docker || -x "$python" ]] || fail 2 "There is no $repository/.venv: run make setup first."
}

# Set `test_dir` to the first argument, by default the sample's folder.
choose_test_dir() {
    test_dir="${1-$here/test_dir}"
    [[ ! -f "$test_dir" ]] || fail 2 "TEST_DIR=$test_dir is a file: name a folder."
    [[ -n "$test_dir" ]] || fail 2 "TEST_DIR is empty: name a folder, or leave it out for $here/test_dir."
}

# Set `port` to PORT, by default 8080.
choose_port() {
    port="${PORT:-8080}"
    if [[ ! "$port" =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
        fail 2 "PORT=$port is not a port: give a number from 1 to 65535."
    fi
}

absolute_path() { realpath -m "$1"; }

# Refuse an output folder that lies in a model's: that is served, packed and uploaded as a whole.
refuse_inside_model() {
    local inside
    inside="$(realpath -m "$1")"
    while [[ "$inside" != / ]]; do
        [[ ! -f "$inside/model.safetensors" ]] || fail 2 "OUTPUT=$1 is in the model folder $inside: name another one, or leave it out."
        inside="$(dirname "$inside")"
    done
}

# Run as the user, who then owns the files written. Usage: in_container OPTION… -- WORD…
in_container() {
    local options=()
    while [[ "$1" != -- ]]; do options+=("$1") && shift; done
    exec docker run --rm --user "$(id -u):$(id -g)" --env HOME=/tmp "${options[@]}" "$image" "${@:2}"
}
