#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# widths.sh FUMAROLE: lavapipe's kernels with vectors of 128 and 512 bits (4 and 16 lanes) draw what those of its own
# width do, though Mesa 25's cache cannot tell them apart. On a CPU without AVX-512 LLVM splits the vectors of 512 bits,
# so that the results can be tested everywhere.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

if ! "$fumarole" devices 2>/dev/null | grep -q llvmpipe; then
    echo "no lavapipe"
    exit 77
fi
export FUMAROLE_CACHE=$work/cache
unset MESA_SHADER_CACHE_DIR

draw() { "$fumarole" generate "red heart" --device llvmpipe --precision f32 --steps 2 -W 64 -H 64 -v "$@" >out.txt 2>err.txt; }
draw -o own.png --save-latents own.safetensors || failures=$((failures + 1))
for width in 128 512; do
    cases=$((cases + 2))
    LP_NATIVE_VECTOR_WIDTH=$width draw -o $width.png --save-latents $width.safetensors || failures=$((failures + 1))
    if ! grep -q "$width bits), " out.txt || ! grep -q "^CPU drivers: LP_NATIVE_VECTOR_WIDTH=$width, " err.txt; then
        failures=$((failures + 1))
        echo "FAILED: vectors of $width bits:"
        cat out.txt err.txt
    fi
done
cat >check.py <<'E2'
import array, json, struct

def latents(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    first, last = json.loads(data[8:8 + size])["latents"]["data_offsets"]
    return array.array("f", data[8 + size + first:8 + size + last])

own = latents("own.safetensors")
scale = sum(v * v for v in own) ** 0.5
for width in (128, 512):
    error = sum((a - b) ** 2 for a, b in zip(own, latents(f"{width}.safetensors"))) ** 0.5 / scale
    print(f"{width} bits: relative RMS {error:.1e}")
    assert error < 1e-4, width
E2
cases=$((cases + 1))
python3 check.py || failures=$((failures + 1))
rm -f ./*.png
finish
