#!/usr/bin/env bash
# Print the git revision of FOLDER (default: this repository), with -dirty if something that may be in the image is not
# committed; fail outside git. docker/build.sh labels the image with it, the launcher compares.
set -euo pipefail
folder="${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

revision="$(git -C "$folder" describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)"
# The image also holds files that git does not track.
if [[ "$revision" != *-dirty && -n "$(git -C "$folder" ls-files --others --exclude-standard -- container)" ]]; then
    revision+="-dirty"
fi
echo "$revision"
