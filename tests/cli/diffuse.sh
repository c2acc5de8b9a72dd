#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# diffuse.sh FUMAROLE: the forward process of a picture as a grid, and its levels as numbers.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

cat >make.py <<'E2'
import struct, zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write(name, width, height, colour, row):
    raw = b"".join(b"\0" + row(y) for y in range(height))
    open(name, "wb").write(b"\x89PNG\r\n\x1a\n" +
                           chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)) +
                           chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


write("grey.bin", 28, 28, 0, lambda y: bytes(255 if 8 < x < 20 and 4 < y < 24 else 0 for x in range(28)))
write("colour.bin", 100, 40, 2, lambda y: bytes([200, 30, 60]) * 100)
E2
python3 make.py

expect 2 'name one picture' diffuse
expect 2 'times needs timesteps' diffuse grey.bin --times 1,x
expect 2 'times needs timesteps' diffuse grey.bin --times 1,,2
expect 2 'not between 0 and 999' diffuse grey.bin --times 0,1000
expect 2 'linear scaled_linear squaredcos_cap_v2' diffuse grey.bin --beta-schedule magic
expect 1 'nowhere.png' diffuse nowhere.png
expect 1 'make.py' diffuse make.py

mv grey.bin grey.png && mv colour.bin colour.png
diffuse() { "$fumarole" diffuse "$@" >out.txt 2>err.txt </dev/null || { cat err.txt; return 1; }; }
diffuse grey.png -o a.png --times 0,10,500,999 --columns 2 --json a.json
check "reports what it wrote" grep -q '^a\.png: 176 x 276, 4 timesteps' out.txt
diffuse grey.png -o b.png --times 0,10,500,999 --columns 2 --json b.json
check "the same input gives the same bits" cmp a.png b.png
diffuse grey.png -o c.png --times 0,10,500,999 --columns 2 -s 7
check "another seed is other noise" bash -c '! cmp -s a.png c.png'
diffuse colour.png -o d.png --json d.json --beta-schedule squaredcos_cap_v2 --timesteps 50
check "ten timesteps unless given" grep -q '10 timesteps' out.txt
diffuse colour.png -o e.png --json - --times 3 --beta-start 0.001 --beta-end 0.01 --beta-schedule scaled_linear
cp out.txt e.json

cat >check.py <<'E2'
import json, math

LINEAR = [0.0001 + (0.02 - 0.0001) * t / 999 for t in range(1000)]
SCALED = [(0.001 ** 0.5 + (0.01 ** 0.5 - 0.001 ** 0.5) * t / 999) ** 2 for t in range(1000)]


def cosine(t, n):
    bar = lambda u: math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
    return min(1 - bar((t + 1) / n) / bar(t / n), 0.999)


def check(name, schedule, betas, times):
    found = json.load(open(name))
    assert found["beta_schedule"] == schedule and found["timesteps"] == len(betas)
    assert [level["t"] for level in found["levels"]] == times
    for level in found["levels"]:
        alpha = math.prod(1 - b for b in betas[:level["t"] + 1])
        for key, want in (("beta", betas[level["t"]]), ("alpha_bar", alpha), ("snr", alpha / (1 - alpha))):
            bound = 1e-3 if key == "snr" else 2e-5 # f32 leaves three digits of 1 - alpha-bar at its smallest
            assert abs(level[key] - want) <= bound * want, (name, level, key, want)


check("a.json", "linear", LINEAR, [0, 10, 500, 999])
check("d.json", "squaredcos_cap_v2", [cosine(t, 50) for t in range(50)], [i * 49 // 9 for i in range(10)])
check("e.json", "scaled_linear", SCALED, [3])
E2
check "beta, alpha-bar and their ratio" python3 check.py

finish
