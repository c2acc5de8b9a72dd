#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# progress.sh FUMAROLE: what is reported while kernels compile, weights load, steps run and the picture is decoded; the
# step's time without what the first use of a kernel costs.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device
mkdir cache shaders
export FUMAROLE_CACHE=$work/cache MESA_SHADER_CACHE_DIR=$work/shaders

# has FILE PATTERN...: every pattern has a line.
has() {
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        cases=$((cases + 1))
        grep -qE -- "$pattern" "$file" && continue
        failures=$((failures + 1))
        echo "FAILED: $file has no line with /$pattern/:"
        sed 's/^/    /' "$file"
    done
}
seconds_of_step() { sed -nE 's/^A step: ([0-9.]+) s \(median\).*/\1/p' "$1"; }

"$fumarole" generate "red heart" --steps 5 -W 64 -H 64 -v -o cold.png >out.txt 2>cold.txt
"$fumarole" generate "red heart" --steps 5 -W 64 -H 64 -v -o warm.png >out.txt 2>warm.txt
for run in cold.txt warm.txt; do
    has $run '^compiled text_encoder, [0-9]+ kernels in [0-9.]+ s$' '^compiled unet, ' '^compiled vae, ' \
        '^loaded unet, ' '^step 1/5, [0-9.]+ s/step, [0-9]+:[0-9]{2} left$' '^step 5/5, .* left$' \
        '^A step: [0-9.]+ s \(median\), ' \
        '^Compiling [1-9][0-9]* kernels: [0-9.]+ s; loading: [0-9.]+ s; prompts: [0-9.]+ s; decoding a picture: [0-9.]+ s$'
done
# Everything is compiled before the first step, cold or warm.
cases=$((cases + 1))
if ! awk '/^compiled/ { last = NR } /^step 1\// { first = NR } END { exit !(last < first) }' cold.txt ||
    ! cmp -s cold.png warm.png; then
    failures=$((failures + 1))
    echo "FAILED: compiling after the first step, or another picture"
fi
cases=$((cases + 1))
if ! awk -v a="$(seconds_of_step cold.txt)" -v b="$(seconds_of_step warm.txt)" 'BEGIN { exit !(a < 5 * b + 0.05) }'; then
    failures=$((failures + 1))
    echo "FAILED: a cold step $(seconds_of_step cold.txt) s, a warm one $(seconds_of_step warm.txt) s"
fi
# On lavapipe a kernel is compiled once: as many files as kernels (Mesa before 24; later ones keep one for each part too).
if "$fumarole" devices | grep -q 'LLVM 15'; then
    cases=$((cases + 1))
    kernels=$(sed -nE 's/^Compiling ([0-9]+) kernels.*/\1/p' cold.txt)
    files=$(find shaders -type f ! -name 'index*' ! -name 'marker*' | wc -l)
    if [ "$files" -gt "$kernels" ]; then
        failures=$((failures + 1))
        echo "FAILED: $kernels kernels were compiled to $files files"
    fi
fi
"$fumarole" generate "red heart" --steps 2 -W 64 -H 64 -q -o quiet.png >out.txt 2>quiet.txt
cases=$((cases + 1))
if [ -s quiet.txt ]; then
    failures=$((failures + 1))
    echo "FAILED: --quiet writes"
fi
finish
