# SPDX-License-Identifier: MIT
"""GGUF files as gguf-py writes them, and what it reads out of their blocks.

    python tests/golden/gguf_files.py tests/data/gguf

types.gguf has a tensor of every type, with random blocks; types.safetensors the values that gguf-py gives them.
source.safetensors has values to quantise, rounded.safetensors the blocks that ggml's reference gives them. Needs the
package gguf.
"""
import os
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file

BLOCKS = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where the halves of a block are, which must be finite.
HALVES = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}


def random_blocks(draw, name, rows, blocks):
    size = gguf.GGML_QUANT_SIZES[Type[name]][1]
    raw = draw.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    for at in HALVES.get(name, (0,)):
        # Subnormal halves are common in K types.
        half = (draw.standard_normal((rows, blocks)) * draw.choice([1e-6, 1e-3, 1], (rows, blocks))).astype("<f2")
        raw[:, :, at:at + 2] = half[..., None].view(np.uint8)
    return raw.reshape(rows, blocks * size)


def write_types(folder, draw):
    writer = gguf.GGUFWriter(os.path.join(folder, "types.gguf"), "sd1")
    writer.add_name("every type")
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("words", ["one", "two"])
    writer.add_bool("yes", True)
    writer.add_float64("wide", 0.5)
    values = {}
    plain = {"f32": draw.standard_normal((3, 5)).astype("f4"), "f16": draw.standard_normal((2, 3, 4)).astype("f2"),
             "i32": np.arange(-2, 3, dtype="i4"), "f64": draw.standard_normal(3), "i64": np.arange(4),
             "conv": draw.standard_normal((2, 3, 2, 2)).astype("f2")}
    for name, array in plain.items():
        writer.add_tensor(name, array)
        values[name] = array
    for name in BLOCKS:
        values_of = gguf.GGML_QUANT_SIZES[Type[name]][0]
        raw = random_blocks(draw, name, 3, 512 // values_of)
        writer.add_tensor(name, raw, raw_dtype=Type[name])
        values[name] = gguf.dequantize(raw, Type[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(values, os.path.join(folder, "types.safetensors"))


def write_rounded(folder, draw):
    source = (draw.standard_normal((24, 256)) * 0.05).astype("f4")
    source[1] = 0
    source[2] *= 1e-6
    source[3] = np.abs(source[3])
    source[4, 1:] = 0
    source[5] = np.round(source[5] * 200) / 64  # many ties
    source[6] *= 1e36
    source[7] = draw.standard_t(2, 256) * 0.01
    rounded = {name: gguf.quantize(source, Type[name]) for name in BLOCKS[:5]}
    # ggml gives a block of zeros the factor -0 in these types.
    for name in ("Q4_0", "Q5_0"):
        blocks = rounded[name].reshape(24, 8, -1)
        zero = ~source.reshape(24, 8, 32).any(axis=2)
        blocks[zero, 1] = 0x80
    save_file({"source": source}, os.path.join(folder, "source.safetensors"))
    save_file(rounded, os.path.join(folder, "rounded.safetensors"))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    draw = np.random.default_rng(11)
    write_types(folder, draw)
    write_rounded(folder, draw)


main()
