#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# requests.sh FUMAROLE: several requests of one run, as lines of a file and as cells of a grid.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
model=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../data/model-sd1")
require_device

# refuse STATUS PATTERN LINE: a file of this line is refused.
refuse() {
    printf '%b\n' "$3" >lines.jsonl
    expect "$1" "$2" generate -m "$model" --prompts-file lines.jsonl
}
refuse 2 'lines.jsonl, line 1: --steps must be from 1' '{"prompt": "x", "steps": -1}'
refuse 2 'lines.jsonl, line 2: unknown option "--stps"; did you mean --steps' '{"prompt": "x"}\n{"stps": 1}'
refuse 2 'line 1: --model holds for the whole run' '{"model": "x"}'
refuse 2 'line 1: --precision holds for the whole run' '{"prompt": "x", "precision": "f16"}'
refuse 2 'line 1: "seed" is too large a number; write it as a text' '{"prompt": "x", "seed": 18446744073709551615}'
refuse 2 'line 1: "seed" needs a text, a number' '{"prompt": "x", "seed": {}}'
refuse 2 'line 1: "a=b" is not the name' '{"a=b": 1}'
refuse 2 'line 1: "" is not the name' '{"": 1}'
refuse 2 'line 1: unknown option "--help"' '{"help": true}'
refuse 1 'line 1: is no JSON object .* from byte 0 on' '[1]'
refuse 1 'line 1: is no JSON object .* from byte 16 on' '{"prompt": "x"} {}'
refuse 1 'line 3: is no JSON object .* from byte 12 on' '{"prompt": "x"}\n\n{"prompt":3,}'
refuse 1 'holds no request' ''
refuse 1 'nowhere' '{"prompt": "x", "noise": "nowhere.safetensors"}'
# Options about seeds, given pictures and ControlNets are of a request: only what they name is wrong here.
refuse 1 'nowhere.png' '{"prompt": "x", "subseed": 3, "subseed-strength": 0.5, "outpaint": "0,0,8,0", "init-img": "nowhere.png"}'
refuse 1 'nowhere' '{"prompt": "x", "control-net": ["nowhere"], "control-image": ["nowhere.png"], "control-strength": [0.5]}'
printf 'a\0b' >lines.jsonl
expect 1 'holds a NUL byte' generate -m "$model" --prompts-file lines.jsonl
expect 1 'nowhere.jsonl' generate -m "$model" --prompts-file nowhere.jsonl
expect 2 'give --prompts-file or --xy' generate -m "$model" --prompts-file lines.jsonl --xy steps=1
expect 2 'needs options and their values' generate -m "$model" --xy steps x
expect 2 'needs options and their values' generate -m "$model" --xy '=1' x
expect 2 'needs options and their values' generate -m "$model" --xy 'steps="1,2' x
expect 2 'has one or two options' generate -m "$model" --xy 'steps=1;cfg-scale=2;eta=0' x
expect 2 '--steps needs a whole number, not "two"' generate -m "$model" --xy 'steps=1,two' x
expect 2 '--device holds for the whole run' generate -m "$model" --xy 'device=0,1' x
expect 2 '--xy makes one picture' generate -m "$model" --xy 'steps=1,2' -b 2 x

expect 2 '--sigmas needs numbers such as' generate -m "$model" --sigmas 5,x x
expect 2 '--sigmas needs numbers such as' generate -m "$model" --sigmas 5, x
expect 2 '--sigmas needs numbers such as' generate -m "$model" --sigmas '[5,1' x
expect 2 'sigma 2 of 3 is 6: sigmas fall' generate -m "$model" --sigmas 5,6,0 --sampler euler -W 16 -H 16 x

draw() { "$fumarole" generate -q -m "$model" -W 16 -H 16 --steps 2 "$@" >out.txt 2>err.txt || cat err.txt; }
cat >lines.jsonl <<'E2'
{"prompt": "a cat", "seed": 5}
{"prompt": "a dog", "cfg_scale": 3, "output": "dog.png", "negative-prompt": null, "quiet": false}

{"prompt": "a cat", "seed": "6", "batch_count": 2}
E2
draw --prompts-file lines.jsonl -o 'all_%02d.png'
check "pictures are numbered through all lines" test "$(echo *.png)" = "all_01.png all_02.png all_03.png dog.png"
# All lines write their previews to one file.
printf '{"prompt": "a cat", "preview": "proj", "output": "p%d.png"}\n' 1 2 >previews.jsonl
draw --prompts-file previews.jsonl --preview-path p.png
check "lines with files of their own have previews" test -s p1.png -a -s p2.png -a -s p.png
rm p.png p1.png p2.png
# pndm, the model's own sampler, has no such schedule.
draw --scheduler karras -o own.png "a cat"
check "another sampler is reported" grep -q "the model's sampler pndm visits training timesteps alone: using euler" err.txt
draw --sampler euler --scheduler karras -o euler.png "a cat"
check "a schedule that the model's sampler lacks is drawn by euler" same_pixels own.png euler.png
check "a named sampler is no news" test ! -s err.txt
rm own.png euler.png
# --sigmas stands in place of --steps and --scheduler, as in sd-cli.
draw --sampler euler --sigmas 5,1,0 --scheduler karras -o sigmas.png "a cat"
check "--steps has no effect beside --sigmas" grep -q 'no effect here: --steps' err.txt
"$fumarole" generate -q -m "$model" -W 16 -H 16 --sampler euler --sigmas 5,1,0 -o alone.png "a cat" >out.txt 2>err.txt
check "sigmas alone draw the same" same_pixels sigmas.png alone.png
check "sigmas alone are no news" test ! -s err.txt
rm sigmas.png alone.png
echo '{"p": "a cat", "s": 5, "W": 32, "H": 32}' >letters.jsonl
draw --prompts-file letters.jsonl -o letters.png
draw -s 5 -W 32 -H 32 -o longer.png "a cat"
check "keys may be letters" cmp letters.png longer.png
rm letters.png longer.png
draw -s 5 -o one.png "a cat"
check "a line draws what its options draw" cmp one.png all_01.png
draw -s 7 -o two.png "a cat"
check "a line with several pictures" cmp two.png all_03.png
draw --cfg-scale 3 -o three.png "a dog"
check "numbers are read" cmp three.png dog.png
draw --prompts-file - -o piped.png <lines.jsonl
check "lines come from standard input" cmp piped.png one.png
rm -f ./*.png
"$fumarole" generate -q -m "$model" -W 16 -H 16 --sampler euler --sigmas '[5, 2.5,1,0.0]' -o sigmas.png "a cat" >out.txt
check "sigmas make steps" grep -q 'Steps: 3' sigmas.png
rm -f ./*.png
draw -s 5 -o xy.png --xy 'prompt=a cat,"a cat, sitting";steps=1,2' --cfg-scale 3
check "a grid is one picture" test "$(echo *.png)" = xy.png
draw -s 5 -o cell.png --cfg-scale 3 --steps 2 "a cat, sitting"
cat >cell.py <<'E2'
import zlib, struct


# Returns the rows of an RGB picture.
def read(name):
    data, at, packed = open(name, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    raw, rows, above = zlib.decompress(packed), [], bytes(3 * width)
    for y in range(height):
        line = bytearray(raw[y * (3 * width + 1):][:3 * width + 1])
        kind, row = line[0], line[1:]
        for i in range(len(row)):
            a, b, c = (row[i - 3] if i > 2 else 0), above[i], (above[i - 3] if i > 2 else 0)
            p = a + b - c
            paeth = min((abs(p - v), k, v) for k, v in enumerate((a, b, c)))[2]
            row[i] = row[i] + (0, a, b, (a + b) // 2, paeth)[kind] & 255
        rows.append(bytes(row))
        above = row
    return rows


sheet, cell = read("xy.png"), read("cell.png")
corner = [row[-60:-12] for row in sheet[-20:-4]]  # 16 x 16 pixels above and left of a margin of 4
assert corner == cell, "the last cell is another picture"
dark = [sum(b < 128 for b in row) for row in sheet[:16]]
assert sum(dark) > 20, "no labels"
E2
check "a cell is what its values draw" python3 cell.py
finish
