#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# sizes.sh FOLDER: checks that no committed file outside models/ has more than 2 MB, and all data no more than 60 MB.
set -euo pipefail
cd "$1"
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { echo "skipped: not a checkout"; exit 77; }
large=$(git ls-files -z -- . ':!models' | xargs -0 stat -c '%s %n' 2>/dev/null | awk '$1 > 2e6')
[ -z "$large" ] || { echo "over 2 MB, which a repository should not carry:"; echo "$large"; exit 1; }
total=$(git ls-files -z -- tests/data models | xargs -0 stat -c %s | awk '{sum += $1} END {print sum + 0}')
[ "$total" -le 60000000 ] || { echo "the data has $total bytes; at most 60 MB"; exit 1; }
