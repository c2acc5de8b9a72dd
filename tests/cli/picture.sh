#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# picture.sh FUMAROLE: the program makes pictures on this machine's device: names, repeatability, latents, the trace,
# Ctrl-C, and failures that come late leave nothing behind.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device

generate() { "$fumarole" generate -q --steps 2 "$@" >out.txt 2>err.txt </dev/null || { cat err.txt; return 1; }; }
nothing_new() { [ -z "$(find . -newer marker -type f ! -name "*.txt")" ]; }

generate "red heart" -o heart.png --save-latents a.safetensors --trace trace.json
check "says where and on what" grep -qE '^heart\.png: 128 x 128, seed 42, on .+, [0-9.]+ s$' out.txt
generate "red heart" -o again.png --save-latents b.safetensors
check "the same input gives the same bits" cmp heart.png again.png
check "the same latents" cmp a.safetensors b.safetensors
generate -p "red heart" -o 'set-%02d.png' -b 2 -s 41
check "numbers in names" test -f set-01.png -a -f set-02.png
check "picture i has seed + i" cmp heart.png set-02.png
generate -p "red heart" -o two.png -b 2
check "the second is _2" test -f two.png -a -f two_2.png
printf 'red heart\n' >prompt.txt
generate --prompt-file prompt.txt -o file.png
check "a prompt file is a prompt" cmp heart.png file.png
generate "red heart" -o shape.png -W 64 -H 96 -s -1
check "other sizes, random seed" grep -qE '^shape\.png: 64 x 96, seed [0-9]+' out.txt
mkdir graphs
generate "red heart" -o graph.png --dump-graph graphs --precision f32
check "graphs are written" grep -lq 'digraph' graphs/*.dot

cat >check.py <<'E2'
import json, struct, sys, zlib

png = open("heart.png", "rb").read()
assert png[:8] == b"\x89PNG\r\n\x1a\n"
at, texts, pixels = 8, {}, b""
while at < len(png):
    size, kind = struct.unpack(">I4s", png[at:at + 8])
    body = png[at + 8:at + 8 + size]
    assert zlib.crc32(kind + body) == struct.unpack(">I", png[at + 8 + size:at + 12 + size])[0], kind
    if kind == b"tEXt":
        texts.update([body.decode("latin1").split("\0", 1)])
    if kind == b"IHDR":
        assert struct.unpack(">IIBB", body[:10]) == (128, 128, 8, 2)
    if kind == b"IDAT":
        pixels += body
    at += 12 + size
assert len(zlib.decompress(pixels)) == 128 * (128 * 3 + 1)
text = texts["parameters"]
assert text.startswith("red heart\n") and "Steps: 2, Sampler: " in text and "Seed: 42, Size: 128x128" in text, text
assert json.loads(texts["fumarole"])["options"] == {"prompt": "red heart", "steps": 2, "seed": "42"}, texts

latents = open("a.safetensors", "rb").read()
header = json.loads(latents[8:8 + struct.unpack("<Q", latents[:8])[0]])
assert header["latents"]["shape"] == [1, 4, 16, 16] and header["latents"]["dtype"] == "F32", header

events = json.load(open("trace.json"))
kinds = [e["cat"] for e in events]
assert {"submit", "wait", "upload", "readback", "record"} <= set(kinds), set(kinds)
E2
check "the picture, its parameters, latents and trace are well formed" python3 check.py

if compgen -G "/usr/share/vulkan/explicit_layer.d/*alidation*.json" >/dev/null; then
    FUMAROLE_VALIDATE=1 generate "red heart" -o valid.png
    check "the validation layer, with synchronisation validation, has nothing to say" test ! -s err.txt
fi

touch marker
sleep 0.05
"$fumarole" generate "red heart" -o stopped.png --steps 1000 >out.txt 2>err.txt &
stopped=$!
while kill -0 "$stopped" 2>/dev/null && ! grep -q '^step 1/' err.txt; do sleep 0.1; done
kill -INT "$stopped"
wait "$stopped"
check "Ctrl-C exits with 130" test $? = 130
check "Ctrl-C leaves nothing" nothing_new
# The disk is full after the first picture. Mesa's lavapipe keeps device memory in files, which come before it.
(
    trap '' XFSZ
    exec "$fumarole" generate -q -b 2000 --steps 1 -W 64 -H 64 "red heart" -o full-%d.png >/dev/null 2>&1
) &
full=$!
for _ in $(seq 4000); do [ -e full-1.png ] && break; sleep 0.05; done
prlimit --pid "$full" --fsize=1000
wait "$full"
check "a full disk is a failure" test $? = 1
rm -f full-*.png
check "a full disk leaves nothing unfinished" nothing_new

# A file renamed over a link or a pipe would take its place.
ln -s target.png link.png
mkfifo pipe
cat pipe >piped &
"$fumarole" generate -q --steps 1 "red heart" -o link.png --save-latents pipe >/dev/null 2>err.txt || cat err.txt
wait $!
check "a picture goes through a link" test -L link.png -a -s target.png
check "latents go through a pipe" test -p pipe -a -s piped
rm -f link.png target.png pipe piped

rm -f ./*.png
expect 2 'width 63 is not a multiple' generate heart -q -W 63 -o wide.png
expect 2 'use 1 to 1000' generate heart -q --steps 1001 -o long.png
expect 2 'no device matches' generate heart --device "no such device"
VK_ICD_FILENAMES=/nonexistent VK_DRIVER_FILES=/nonexistent expect 1 'no Vulkan driver' devices
VK_ICD_FILENAMES=/nonexistent VK_DRIVER_FILES=/nonexistent expect 1 'no Vulkan driver' generate heart -o driver.png

finish
