#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# licence.sh FOLDER: checks that every source names its licence near its top.
set -euo pipefail
cd "$1"
missing=$(find include samples src tests shaders scripts -type f \
    \( -name '*.[ch]' -o -name '*.comp' -o -name '*.glsl' -o -name '*.py' -o -name '*.sh' \) -print0 |
    xargs -0 grep -L -m1 'SPDX-License-Identifier: MIT' || true)
[ -z "$missing" ] && exit 0
echo "$missing"
echo "these files need a line 'SPDX-License-Identifier: MIT' at their top"
exit 1
