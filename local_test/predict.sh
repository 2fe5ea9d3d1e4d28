#!/usr/bin/env bash
# Sends every payload of this folder to a running server and prints the answers.
# Usage: [PORT=8080] predict.sh [URL]
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
port="${PORT:-8080}"
url="${1-http://127.0.0.1:$port}"
patience="${PATIENCE:-60}" # seconds to wait for a server that is still loading its model
if [[ ! "$port" =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
    echo "PORT=$port is no port: give a number from 1 to 65535." >&2
    exit 2
fi
if [[ -z "$url" ]]; then
    echo "The URL is empty: name a server, or leave it out for the one on PORT." >&2
    exit 2
fi
if [[ ! "$patience" =~ ^[0-9]{1,5}$ ]]; then
    echo "PATIENCE=$patience is no number of seconds." >&2
    exit 2
fi

deadline=$((SECONDS + patience))
until curl --silent --fail --output /dev/null --noproxy '*' --max-time 5 "$url/ping"; do
    if ((SECONDS >= deadline)); then
        echo "No healthy server at $url/ping within $patience s: start one with make serve-local." >&2
        exit 1
    fi
    sleep 0.5
done

content_type() {
    case "$1" in
        *.json) echo application/json ;;
        *.jsonl) echo application/jsonlines ;;
        *.csv) echo text/csv ;;
        *.txt) echo text/plain ;;
    esac
}

failed=0
for payload in "$here"/payload.{json,jsonl,csv,txt}; do
    type="$(content_type "$payload")"
    echo "== $(basename "$payload") ($type)"
    curl --silent --show-error --fail-with-body --noproxy '*' --max-time 90 \
        --header "Content-Type: $type" --data-binary "@$payload" "$url/invocations" || failed=1
    echo
done
exit "$failed"
