#!/usr/bin/env bash
# Prints where a local run happens: "docker" (in the image) or "process" (in .venv).
# ENGINE=auto, the default, takes docker when an engine answers and has an image IMAGE:TAG of the files that lie here.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
image="${IMAGE:-bert-classifier}:${TAG:-cpu}"

engine_answers() { command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1; }
label() { docker image inspect --format "{{with .Config.Labels}}{{index . \"$1\"}}{{end}}" "$image"; }

say() { echo "$*" >&2; }

# Say why the image cannot stand for the files that lie here, by the label that docker/build.sh gives it; 1 = it can.
problem_of_image() {
    local digest
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        echo "there is no image $image"
    elif digest="$(label bert-classifier.program-digest)" && [[ -z "$digest" ]]; then
        echo "the image $image does not say which files it was built from"
    elif [[ "$digest" != "$("$here/../docker/program_digest.sh")" ]]; then
        echo "the image $image was built from other files than lie here, revision $(label org.opencontainers.image.revision)"
    else
        return 1
    fi
}

case "${ENGINE:-auto}" in
    process) echo process ;;
    docker)
        engine_answers || { say "No Docker engine answers: start one, or use ENGINE=process."; exit 3; }
        if problem="$(problem_of_image)"; then
            say "ENGINE=docker cannot be used: $problem. Run make build, or use ENGINE=process."
            exit 2
        fi
        echo docker
        ;;
    auto)
        if ! engine_answers; then
            say "engine: process, in .venv (no Docker engine answers)"
            echo process
        elif problem="$(problem_of_image)"; then
            say "engine: process, in .venv ($problem; make build makes one)"
            echo process
        else
            say "engine: docker, image $image"
            echo docker
        fi
        ;;
    *) say "ENGINE=$ENGINE is not one of auto, docker, process."; exit 2 ;;
esac
