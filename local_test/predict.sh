#!/usr/bin/env bash
# Send every payload of this folder to a running server and print the answers, of one also as a table.
# A model of text pairs gets the files pairs.*, any other one payload.*.
# Usage: [PORT=8080] [PATIENCE=60] predict.sh [URL]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

choose_port
url="${1-http://127.0.0.1:$port}"
patience="${PATIENCE:-60}" # seconds to wait for a server that is still loading its model
[[ -n "$url" ]] || fail 2 "The URL is empty: name a server, or leave it out for the one on PORT."
[[ "$patience" =~ ^[0-9]{1,5}$ ]] || fail 2 "PATIENCE=$patience is not a number of seconds."

deadline=$((SECONDS + patience))
until curl --silent --fail --output /dev/null --noproxy '*' --max-time 5 "$url/ping"; do
    ((SECONDS < deadline)) || fail 1 "No healthy server at $url/ping within $patience s: start one with make serve-local."
    sleep 0.5
done

declare -A types=([json]=application/json [jsonl]=application/jsonlines [csv]=text/csv [txt]=text/plain)
payload=payload suffixes=(json jsonl csv txt)
# An image of another kind has no such route.
model="$(curl --silent --fail --noproxy '*' --max-time 5 "$url/model")" || model=""
if [[ "$model" =~ '"is_paired":'\ *true ]]; then
    payload=pairs suffixes=(json jsonl csv)
fi

failed=0
send() { # SUFFIX ACCEPT WORDS
    echo "== $payload.$1 (${types[$1]})$3"
    curl --silent --show-error --fail-with-body --noproxy '*' --max-time 90 --header "Accept: $2" \
        --header "Content-Type: ${types[$1]}" --data-binary "@$here/$payload.$1" "$url/invocations" || failed=1
    echo
}

for suffix in "${suffixes[@]}"; do
    send "$suffix" '*/*' ''
done
table='text/csv; header=present; output="predicted_label,probabilities"'
send csv "$table" ", all classes as a table: Accept: $table"
exit "$failed"
