#!/usr/bin/env bash
# Builds the image IMAGE:TAG. Settings, all with defaults: FLAVOUR=cpu|gpu, BASE (image to build on), TORCH_INDEX_URL,
# WHEELHOUSE (a folder of wheels to take torch from where its index cannot be reached).
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
    say "No Docker engine answers: install and start one."
    exit 3
fi

options=(--build-arg "FLAVOUR=$flavour" --build-arg "TORCH_INDEX_URL=${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cpu}")
revision="$("$repository/docker/revision.sh" || echo unknown)"
digest="$("$repository/docker/program_digest.sh")"
options+=(--build-arg "REVISION=$revision" --label "bert-classifier.program-digest=$digest")
if [[ -n "${BASE:-}" ]]; then
    options+=(--build-arg "BASE=$BASE")
fi

# Docker's context may not reach outside the repository, so the wheels come in as an image.
if [[ "$flavour" == cpu && -n "${WHEELHOUSE:-}" ]] && compgen -G "$WHEELHOUSE/torch-*.whl" >/dev/null; then
    say "torch comes from $WHEELHOUSE"
    printf 'FROM scratch\nCOPY torch-*.whl /\n' | docker build --quiet --tag bert-classifier-wheels -f - "$WHEELHOUSE" >/dev/null
    options+=(--build-arg WHEELS=bert-classifier-wheels)
fi

# SageMaker takes one plain image: no index with attestations beside it, which some of its parts cannot read.
build() {
    DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --platform linux/amd64 "${options[@]}" "$@" \
        --tag "$image" --file "$repository/docker/Dockerfile" "$repository"
}
build

# For which CUDA and GPUs its torch is built, only the image itself knows: it is asked (torch wants no GPU for that), and
# built again, from the cache, with the answer as labels, by which the launcher refuses instances that do not fit.
if [[ "$flavour" == gpu ]]; then
    ask='import torch; print(torch.version.cuda or ""); print(torch._C._cuda_getArchFlags() or "")'
    if ! answer="$(docker run --rm --network none --platform linux/amd64 --entrypoint python "$image" -c "$ask")" \
        || ! { read -r cuda && read -r kernels; } <<<"$answer"; then
        say "The torch in $image does not say for which GPUs it is built: is it a build for CPUs?"
        exit 1
    fi
    unlabelled="$(docker image inspect --format '{{.Id}}' "$image")"
    build --quiet --label "bert-classifier.cuda-version=$cuda" --label "bert-classifier.cuda-architectures=$kernels" >/dev/null
    docker rmi "$unlabelled" >/dev/null 2>&1 || true # it has lost its name, and shares its layers
    say "torch for CUDA $cuda, with kernels for $kernels"
fi
if [[ "$("$repository/docker/program_digest.sh")" != "$digest" ]]; then
    docker rmi "$image" >/dev/null 2>&1 || true # it would pass for an image of the files as they were
    say "Files changed while $image was built, so it may hold either version: run make build again."
    exit 2
fi
size="$(docker image inspect --format '{{.Size}}' "$image")"
say "built $image ($((size / 1000000)) MB, revision $revision)"
