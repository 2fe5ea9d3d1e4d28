#!/usr/bin/env bash
# Prints the git revision of FOLDER (default: this repository), with -dirty where something that may be in the image is
# not committed; fails outside git. docker/build.sh labels the image with it, the launcher compares.
set -euo pipefail
folder="${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

revision="$(git -C "$folder" describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)"
# A file that git does not know yet is in the image all the same.
if [[ "$revision" != *-dirty && -n "$(git -C "$folder" ls-files --others --exclude-standard -- container)" ]]; then
    revision+="-dirty"
fi
echo "$revision"
