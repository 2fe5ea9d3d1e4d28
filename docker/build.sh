#!/usr/bin/env bash
# Build the image IMAGE:TAG. Settings, all optional: FLAVOUR=cpu|gpu, BASE (image to build on), TORCH_INDEX_URL,
# WHEELHOUSE (a folder with torch's wheel, for where its index cannot be reached), CUDA_COMPAT (NVIDIA's image with the
# libraries that run the gpu image's CUDA over older drivers; "none" leaves them out).
set -euo pipefail

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
flavour="${FLAVOUR:-cpu}"
image="${IMAGE:-bert-classifier}:${TAG:-$flavour}"

say() { echo "$*" >&2; }

case "$flavour" in
    cpu | gpu) ;;
    *) say "FLAVOUR=$flavour is not one of cpu, gpu."; exit 2 ;;
esac
if ! command -v docker >/dev/null || ! timeout 10 docker version >/dev/null 2>&1; then
    say "Docker does not respond: install and start it."
    exit 3
fi

options=(--build-arg "FLAVOUR=$flavour" --build-arg "TORCH_INDEX_URL=${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cpu}")
revision="$("$repository/docker/revision.sh" || echo unknown)"
digest="$("$repository/docker/program_digest.sh")"
options+=(--build-arg "REVISION=$revision" --label "bert-classifier.program-digest=$digest")
if [[ -n "${BASE:-}" ]]; then
    options+=(--build-arg "BASE=$BASE")
fi

if [[ "$flavour" == gpu && "${CUDA_COMPAT:-}" != none ]]; then
    options+=(--build-arg "CUDA_COMPAT=${CUDA_COMPAT:-nvidia/cuda:13.0.3-base-ubuntu24.04}")
fi

# Docker's build context cannot reach outside the repository, so the wheels come as an image.
if [[ "$flavour" == cpu && -n "${WHEELHOUSE:-}" ]] && compgen -G "$WHEELHOUSE/torch-*.whl" >/dev/null; then
    say "torch comes from $WHEELHOUSE"
    printf 'FROM scratch\nCOPY torch-*.whl /\n' | docker build --quiet --tag bert-classifier-wheels -f - "$WHEELHOUSE" >/dev/null
    options+=(--build-arg WHEELS=bert-classifier-wheels)
fi

# SageMaker needs a single image: parts of it cannot read an index with attestations.
build() {
    DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --platform linux/amd64 "${options[@]}" "$@" \
        --tag "$image" --file "$repository/docker/Dockerfile" "$repository"
}
build

# Only torch itself knows which CUDA and GPUs it is built for. Ask it in the image, which needs no GPU, and build again
# from the cache with the answer as labels: by these the launcher refuses instances that do not fit.
if [[ "$flavour" == gpu ]]; then
    ask='import os, torch; print(torch.version.cuda or ""); print(torch._C._cuda_getArchFlags() or "");'
    ask+=' print("compat" if os.path.isdir("/opt/cuda-compat") else "none")'
    if ! answer="$(docker run --rm --network none --platform linux/amd64 --entrypoint python "$image" -c "$ask")" \
        || ! { read -r cuda && read -r kernels && read -r compat; } <<<"$answer" || [[ -z "$cuda" ]]; then
        say "The torch in $image does not report the GPUs that it supports: is it a build for CPUs?"
        exit 1
    fi
    unlabelled="$(docker image inspect --format '{{.Id}}' "$image")"
    labels=(--label "bert-classifier.cuda-version=$cuda" --label "bert-classifier.cuda-architectures=$kernels")
    if [[ "$compat" == compat ]]; then
        labels+=(--label "bert-classifier.cuda-least-driver=535") # that NVIDIA's libraries run over
    fi
    build --quiet "${labels[@]}" >/dev/null
    docker rmi "$unlabelled" >/dev/null 2>&1 || true # untagged now, and shares its layers
    say "torch for CUDA $cuda, with kernels for $kernels"
fi
if [[ "$("$repository/docker/program_digest.sh")" != "$digest" ]]; then
    docker rmi "$image" >/dev/null 2>&1 || true # its label claims the files as they were
    say "Files changed while $image was built, so it may hold either version: run make build again."
    exit 2
fi
size="$(docker image inspect --format '{{.Size}}' "$image")"
say "built $image ($((size / 1000000)) MB, revision $revision)"
