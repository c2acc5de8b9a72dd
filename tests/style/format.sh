#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# format.sh FOLDER: checks that the C files of the project are formatted as .clang-format says. Only version 14, which
# Debian 12 has, decides: other versions break lines elsewhere.
set -euo pipefail
cd "$1"
version=14
program=
for candidate in clang-format-$version clang-format; do
    if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q "version $version\."; then
        program=$candidate
        break
    fi
done
if [ -z "$program" ]; then
    echo "skipped: clang-format $version is not installed"
    exit 77
fi
find include samples src tests -name '*.[ch]' -print0 | xargs -0 "$program" --dry-run -Werror
