#!/usr/bin/env bash
# Print where local commands run: "docker" (in the image) or "process" (in .venv).
# Usage: engine.sh [REMEDY], what to do where ENGINE=docker cannot be used.
# ENGINE=auto, the default, chooses docker if it runs and has an image IMAGE:TAG built from these files.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

label() { docker image inspect --format "{{with .Config.Labels}}{{index . \"$1\"}}{{end}}" "$image"; }

# Print why the image does not match the files here, by the label that docker/build.sh sets; fail if it matches.
problem_of_image() {
    local digest
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        echo "there is no image $image"
    elif digest="$(label bert-classifier.program-digest)" && [[ -z "$digest" ]]; then
        echo "the image $image does not say which files it was built from"
    elif [[ "$digest" != "$("$repository/docker/program_digest.sh")" ]]; then
        echo "the image $image was built from other files, revision $(label org.opencontainers.image.revision)"
    else
        return 1
    fi
}

case "${ENGINE:-auto}" in
    process) echo process ;;
    docker)
        engine_answers || fail 3 "Docker does not respond. ${1:-Start it, or use ENGINE=process.}"
        if problem="$(problem_of_image)"; then
            fail 2 "ENGINE=docker cannot be used: $problem. ${1:-Run make build, or use ENGINE=process.}"
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
    *) fail 2 "ENGINE=$ENGINE is not one of auto, docker, process." ;;
esac
