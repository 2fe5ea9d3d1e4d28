#!/usr/bin/env bash
# Score the trained model of a folder on a labelled file, or compare two models on it.
# Usage: [ENGINE=auto|docker|process] evaluate.sh MODEL DATA [OUTPUT [OTHER [HP]]]      (the last three may be empty)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

model="${1:-}" data="${2:-}" output="${3:-}" other="${4:-}" hp="${5:-}"
command=evaluate kind=evaluation page=report
if [[ -n "$other" ]]; then
    command=compare kind=comparison page=comparison
fi

for folder in "$model" ${other:+"$other"}; do
    [[ -d "$folder" ]] || fail 2 "There is no model folder '$folder': name one that training has written, such as MODEL=my_run/model."
done
[[ "$data" != *://* ]] || fail 2 "DATA=$data is an address, and a local run reads files of this machine: download it first, such as with aws s3 cp."
[[ ! -d "$data" ]] || fail 2 "DATA=$data is a folder: name one file with labels, such as DATA=test.csv."
if [[ ! -e "$data" && "$data" == *[[:space:]]* && -e "${data%%[[:space:]]*}" ]]; then
    fail 2 "DATA=$data names several files, and $command reads one: join them, or run it for each."
fi
[[ -f "$data" ]] || fail 2 "There is no file '$data': name a labelled one, such as DATA=test.csv."
name="$(basename "$data")"
if [[ -z "$output" ]]; then
    plain="${name%.gz}"
    output="$(dirname "$model")/$kind-${plain%.*}" # beside the model, one for each file
fi
[[ -d "$output" || ! -e "$output" ]] || fail 2 "OUTPUT=$output is a file: name a folder."
refuse_inside_model "$output"
choose_engine
mkdir -p "$output"
absolute() { (cd "$1" && pwd); }

more=(--names "$model" ${other:+"$other"} ${hp:+--hp "$hp"})
if [[ "$engine" == docker ]]; then
    mounts=(--volume "$(absolute "$model"):/model:ro" --volume "$(absolute "$output"):/output"
        --volume "$(absolute "$(dirname "$data")")/$name:/data/$name:ro")
    if [[ -n "$other" ]]; then
        mounts+=(--volume "$(absolute "$other"):/other:ro")
    fi
    (in_container --network none "${mounts[@]}" -- python -m bert_classifier.evaluation "$command" --model /model \
        --data "/data/$name" --output /output "${more[@]}" ${other:+--other /other})
else
    PYTHONPATH="$repository/container" HF_HUB_OFFLINE=1 "$python" -m bert_classifier.evaluation "$command" --model "$model" \
        --data "$data" --output "$output" "${more[@]}" ${other:+--other "$other"}
fi
echo "Report: $output/$page.html"
