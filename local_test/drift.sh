#!/usr/bin/env bash
# Compare captured requests, answers or texts with the baseline of the model that classified them.
# Usage: [ENGINE=auto|docker|process] drift.sh FILE ARTIFACT [OUTPUT [BASELINE [SINCE]]]      (the last three may be empty)
# Exit codes: 0 no drift was found, 1 drift, 2 a setting or a file cannot be used, 3 the machine or AWS failed, 4 a bug.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

file="${1:-}" artifact="${2:-}" output="${3:-}" baseline="${4:-}" since="${5:-}"
[[ -n "$file" ]] || fail 2 "There is nothing to compare: name captured files, answers or texts (FILE=captured/), or an endpoint (ENDPOINT=name)."
[[ -n "$artifact" ]] || fail 2 "There is no model: name its folder, its model.tar.gz or its baseline.json, such as ARTIFACT=my_run/model."
for path in "$file" "$artifact" ${baseline:+"$baseline"}; do
    [[ "$path" != *://* ]] || fail 2 "$path is an address, and files of this machine are read: download it first, such as with aws s3 cp --recursive."
    [[ -e "$path" ]] || fail 2 "There is no file or folder '$path'."
done
name="$(basename "$file")"
if [[ -z "$output" ]]; then
    plain="${name%.gz}"
    output="$(dirname "$artifact")/drift-${plain%.*}" # beside the model, one for each file
fi
[[ -d "$output" || ! -e "$output" ]] || fail 2 "OUTPUT=$output is a file: name a folder."
refuse_inside_model "$output"
choose_engine
mkdir -p "$output"

more=(--names "$artifact" "$file" ${since:+--since "$since"})
status=0
if [[ "$engine" == docker ]]; then
    mounts=(--volume "$(absolute_path "$artifact"):/model/$(basename "$artifact"):ro"
        --volume "$(absolute_path "$file"):/data/$name:ro" --volume "$(absolute_path "$output"):/output")
    if [[ -n "$baseline" ]]; then
        mounts+=(--volume "$(absolute_path "$baseline"):/baseline/$(basename "$baseline"):ro")
        more+=(--baseline "/baseline/$(basename "$baseline")")
    fi
    (in_container --network none "${mounts[@]}" -- python -m bert_classifier.drift --artifact "/model/$(basename "$artifact")" \
        --file "/data/$name" --output /output "${more[@]}") || status=$?
else
    PYTHONPATH="$repository/container" HF_HUB_OFFLINE=1 "$python" -m bert_classifier.drift --artifact "$artifact" \
        --file "$file" --output "$output" "${more[@]}" ${baseline:+--baseline "$baseline"} || status=$?
fi
((status > 1)) || echo "Report: $output/drift.html"
exit "$status"
