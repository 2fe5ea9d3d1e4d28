#!/usr/bin/env bash
# Print a digest of the files that docker/Dockerfile copies and .dockerignore lets through. docker/build.sh labels the
# image with it; local_test/engine.sh compares.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

{
    find container/bert_classifier -name __pycache__ -prune -o \
        -type f ! -name '*.py[cod]' ! -path '*.egg-info*' -print0
    find container/train container/serve container/requirements.txt container/requirements-torch.txt \
        container/requirements-torch-gpu.txt docker/Dockerfile docker/requirements-sbom.txt \
        docker/compile_imported.py LICENSE -print0
} | LC_ALL=C sort --zero-terminated | xargs --null sha256sum | sha256sum | cut -c 1-64
