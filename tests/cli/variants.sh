#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# variants.sh FUMAROLE: insisting on variants of the kernels, and tuning, on this machine's device.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device
export FUMAROLE_CACHE=$work/cache

expect 0 'kernels: f32 .*plain' devices
expect 2 "there is no variant 'nope'; .* can run: plain" selftest --variant nope
expect 2 "there is no variant 'nope'; .* can run: plain" generate heart --variant nope
expect 2 "there is no variant 'nope'; .* can run: plain" tune --variant nope
expect 0 'In variant tiled: ' selftest --op matmul --precision f32 --variant tiled --repeat
expect 0 '^ok +matmul .* new kernels, slowest' selftest --op matmul --precision f32 --compile-only
expect 0 ' 0 do not compile, ' selftest --op attention --variant all --compile-only
expect 2 'takes no argument' tune everything
expect 2 "no op 'nope' to tune" tune --op nope
expect 0 'Nothing to choose' tune --op silu
expect 0 'Dropped' tune --forget

cases=$((cases + 1)) # with -v every kernel is listed (and the log speaks on standard error)
"$fumarole" selftest --op silu --precision f32 --compile-only -v 2>/dev/null | grep -qE '^  ok +unary(_texel)?\.f32 \[.*\] \(silu, ' ||
    failures=$((failures + 1))

for i in 1 2; do
    "$fumarole" generate -q --steps 1 --variant tiled "red heart" -o "tiled$i.png" || failures=$((failures + 1))
done
cases=$((cases + 1))
cmp tiled1.png tiled2.png || failures=$((failures + 1))
rm -f tiled?.png

finish
