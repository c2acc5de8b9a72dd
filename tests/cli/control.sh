#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# control.sh FUMAROLE: the options of generate about ControlNets.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
require_device

data=$FUM_TEST_DATA
mkdir model
for part in model_index.json scheduler text_encoder tokenizer vae; do ln -s "$data/model-sd1/$part" model/; done
ln -s "$data/controls/unet-sd" model/unet
net=$data/controls/net-a
python3 - <<'END'
import struct, zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


raw = b"".join(b"\0" + bytes(255 * (8 < x < 24 and 8 < y < 24) for x in range(32) for _ in range(3)) for y in range(32))
open("square.bin", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)) +
                               chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
END

draw=(generate -m model "a ship" -W 32 -H 32 --steps 2)
expect 2 'need --control-net' "${draw[@]}" --control-image square.bin
expect 2 'needs --control-image' "${draw[@]}" --control-net "$net"
expect 2 'needs --control-image' "${draw[@]}" --control-net "$net" --control-image square.bin --control-net "$net"
expect 2 'control-strength needs a number' "${draw[@]}" --control-net "$net" --control-image square.bin --control-strength x
expect 2 'control-end must be above 0' "${draw[@]}" --control-net "$net" --control-image square.bin --control-end 0
expect 2 'must end in' "${draw[@]}" --control-net "$net" --control-image square.bin --save-control map.txt
expect 2 'control-preprocess canny' "${draw[@]}" --canny
expect 1 'nowhere.png' "${draw[@]}" --control-net "$net" --control-image nowhere.png
expect 1 'another family' "${draw[@]}" --control-net "$data/controls/net-xl" --control-image square.bin
expect 2 'the start must lie before the end' "${draw[@]}" --control-net "$net" --control-image square.bin --control-start 0.5 \
    --control-end 0.5
expect 2 'prepared by "magic"' "${draw[@]}" --control-net "$net" --control-image square.bin --control-preprocess magic

mv square.bin square.png
differ() { ! same_pixels "$1" "$2"; }
run() { "$fumarole" "${draw[@]}" "$@" >out.txt 2>err.txt </dev/null || { cat err.txt; return 1; }; }
run -o plain.png
run -o one.png --control-net "$net" --control-image square.png --control-preprocess canny:50:100 --save-control map.png
check "a ControlNet changes the picture" differ plain.png one.png
check "writes the edges" test -s map.png
run -o same.png --control-net "$net" --control-image map.png
check "the edges steer as the picture that they were found in" same_pixels one.png same.png
run -o two.png --control-net "$net" --control-image map.png --control-strength 0.4 --control-net "$data/controls/net-b.safetensors" \
    --control-image square.png --control-end 0.5 --save-control maps.png
check "two ControlNets have two pictures" test -s maps_2.png
mkdir again
"$fumarole" generate --from-png two.png -o again/two.png >out.txt 2>err.txt </dev/null
check "two ControlNets are drawn again from what the picture says" same_pixels two.png again/two.png
check "the parameters name both" grep -aq 'ControlNet 1: "Module: none, Model: net-b.safetensors, Weight: 0.9' two.png
check "a ControlNet is no model, and the error says what to do" bash -c \
    "'$fumarole' generate -m '$data/controls/net-b.safetensors' x 2>&1 | grep -q 'this is a ControlNet, give it to --control-net'"
run -o none.png --control-net "$net" --control-image square.png --control-strength 0
check "strength 0 adds nothing" same_pixels plain.png none.png
finish
