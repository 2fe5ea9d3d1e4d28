#!/usr/bin/env bash
# Prints where a local run happens: "docker" (in the image) or "process" (in .venv).
# ENGINE=auto, the default, takes docker when an engine answers and has the image IMAGE:TAG.
set -euo pipefail

image="${IMAGE:-bert-classifier}:${TAG:-cpu}"

engine_answers() { command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1; }
image_exists() { docker image inspect "$image" >/dev/null 2>&1; }

say() { echo "$*" >&2; }

case "${ENGINE:-auto}" in
    process) echo process ;;
    docker)
        engine_answers || { say "No Docker engine answers: start one, or use ENGINE=process."; exit 1; }
        image_exists || { say "This machine has no image $image: build it first, or use ENGINE=process."; exit 1; }
        echo docker
        ;;
    auto)
        if ! engine_answers; then
            say "engine: process, in .venv (no Docker engine answers)"
            echo process
        elif ! image_exists; then
            say "engine: process, in .venv (there is no image $image)"
            echo process
        else
            say "engine: docker, image $image"
            echo docker
        fi
        ;;
    *) say "ENGINE=$ENGINE is not one of auto, docker, process."; exit 1 ;;
esac
