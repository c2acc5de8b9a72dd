# SPDX-License-Identifier: MIT
# Sourced by the scripts that train, after expect.sh: makes data sets, same.py and alike.py.
# shellcheck shell=bash

# digits/ holds 40 pictures of 8 x 8 pixels in MNIST's files, with labels 0 to 9; bad/ a label 77.
cat >make.py <<'E2'
import os, struct, zlib
for folder, last in (("digits", 9), ("bad", 77)):
    os.mkdir(folder)
    pixels = bytes((i * 37 + i // 64 * 101) % 256 for i in range(40 * 64))
    labels = bytes(i % 10 for i in range(39)) + bytes([last])
    open(f"{folder}/train-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, 40, 8, 8) + pixels)
    open(f"{folder}/train-labels-idx1-ubyte", "wb").write(struct.pack(">II", 0x801, 40) + labels)
os.mkdir("empty")

# mixed/ holds pictures of three shapes, tall/ those of two, of which the second is the larger one.
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for folder, sizes in (("mixed", ((64, 32), (32, 64), (48, 48), (70, 30), (30, 66), (50, 50))), ("tall", ((16, 96), (32, 64)))):
    os.mkdir(folder)
    for i, (w, h) in enumerate(sizes):
        rows = b"".join(b"\0" + bytes((x * 5 + y * 3 * c + i * 31) % 256 for x in range(w) for c in range(3)) for y in range(h))
        open(f"{folder}/{i}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
                                              chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
E2
python3 make.py

cat >same.py <<'E2'
# same.py A B: the tensors of two checkpoints have the same bits.
import json, struct, sys
def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__")
    return {k: data[8 + size + v["data_offsets"][0]:8 + size + v["data_offsets"][1]] for k, v in header.items()}
assert tensors(sys.argv[1]) == tensors(sys.argv[2]) != {}
E2

cat >alike.py <<'E2'
# alike.py STEPS A B...: the logs have the steps, each once, with the same losses, terms and norms within 1e-4.
import json, sys
logs = [[json.loads(line) for line in open(f"{folder}/log.jsonl")] for folder in sys.argv[2:]]
for log in logs:
    assert [line["step"] for line in log] == list(range(1, int(sys.argv[1]) + 1)), [line["step"] for line in log]
    for line, first in zip(log, logs[0]):
        for key in first.keys() - {"seconds", "samples_per_second"}:
            assert abs(line[key] - first[key]) <= 1e-4 * max(1, abs(first[key])), (line, first)
E2

# shellcheck disable=SC2154 # set by expect.sh
train() { "$fumarole" train "$@" >out.txt 2>err.txt </dev/null; }
