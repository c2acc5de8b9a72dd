#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# upscale.sh FUMAROLE: pictures enlarged by a network, one and several, and after generate.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

net=$FUM_TEST_DATA/upscalers/srvgg_x2.safetensors
python3 - <<'END'
import json, struct, zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


raw = b"".join(b"\0" + bytes(x * 5 % 256 for x in range(3 * 40)) for y in range(30))
for name in ("a.bin", "b.bin"):
    open(name, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)) +
                           chunk(b"tEXt", b"parameters\0a pale horse\nSteps: 2") +
                           chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
header = json.dumps({"model.diffusion_model.time_embed.0.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
open("x4.safetensors", "wb").write(struct.pack("<Q", len(header)) + header.encode() + bytes(4))
END

expect 2 'name its file with -m' upscale a.bin
expect 2 'name the pictures' upscale -m "$net"
expect 2 'must end in' upscale -m "$net" a.bin -o large
expect 2 'one file' upscale -m "$net" a.bin a.bin -o large
expect 1 'nowhere.pth' upscale -m nowhere.pth a.bin
draws='a folder, not a network .* fumarole generate -m MODEL -i IMAGE'
expect 1 "$draws" upscale -m "$FUM_TEST_DATA/model-x2" a.bin
expect 1 'a diffusion model, not a network .* fumarole generate' upscale -m x4.safetensors a.bin
expect 1 "$draws" generate -m "$FUM_TEST_DATA/model-sd1" "a horse" --upscale-model "$FUM_TEST_DATA/model-x4"
expect 1 "$draws" generate -m "$FUM_TEST_DATA/model-sd1" "a horse" --steps 2 --hires --hires-upscaler "$FUM_TEST_DATA/model-x2"
expect 1 'not an upscaler' upscale -m "$FUM_TEST_DATA/upscalers/golden.safetensors" a.bin
expect 1 'nowhere.png' upscale -m "$net" nowhere.png

expect 1 'not an upscaler' generate -m "$FUM_TEST_DATA/model-sd1" "a horse" --upscale-model "$FUM_TEST_DATA/upscalers/golden.safetensors"
expect 2 'needs --upscale-model' generate -m "$FUM_TEST_DATA/model-sd1" "a horse" --upscale-repeats 2
mv a.bin a.png && mv b.bin b.png
enlarge() { "$fumarole" upscale -m "$net" "$@" >out.txt 2>err.txt </dev/null || { cat err.txt; return 1; }; }
enlarge a.png -o one.png
check "reports what it wrote" grep -q '^one\.png: 80 x 60, SRVGG compact' out.txt
check "keeps the parameters" grep -q 'a pale horse' one.png
enlarge a.png b.png -o many
check "several pictures lie in a folder" cmp one.png many/b.png
enlarge a.png -o whole.png --upscale-tile-size 0
check "the whole is the same as one tile" cmp one.png whole.png
enlarge a.png -o twice.png --upscale-repeats 2 --upscale-tile-size 16
check "twice is four times as large" grep -q '^twice\.png: 160 x 120' out.txt

"$fumarole" generate -m "$FUM_TEST_DATA/model-sd1" "a horse" -W 64 -H 64 --steps 1 -o small.png >/dev/null 2>err.txt || cat err.txt
"$fumarole" generate -m "$FUM_TEST_DATA/model-sd1" "a horse" -W 64 -H 64 --steps 1 -o large.png --upscale-model "$net" \
    >out.txt 2>err.txt || cat err.txt
check "generate enlarges its picture" grep -q '^large\.png: 128 x 128' out.txt
enlarge small.png -o again.png
check "as upscale does" same_pixels large.png again.png
finish
