#!/usr/bin/env bash
# Send every payload of this folder to a running server and print the answers.
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
failed=0
for suffix in json jsonl csv txt; do
    echo "== payload.$suffix (${types[$suffix]})"
    curl --silent --show-error --fail-with-body --noproxy '*' --max-time 90 \
        --header "Content-Type: ${types[$suffix]}" --data-binary "@$here/payload.$suffix" "$url/invocations" || failed=1
    echo
done
exit "$failed"
