# SPDX-License-Identifier: MIT
"""Writes tests/data/rng.bin: normal draws of torch's CPU generator and of an independent Philox4x32-10.

Layout, little-endian: a list of records, each  u32 kind (0 cpu, 1 cuda), u64 seed, u32 calls, then for each call
u32 n, u32 kept, and the first kept/2 and last kept/2 of its n values as f32 (all of them when n == kept).
"""
import math
import struct
import sys
from pathlib import Path

import torch

SIZES = [1, 5, 15, 16, 17, 31, 100, 4096, 3, 48]
SEEDS = [0, 1, 42, 2**32 + 5, 2**63]
MASK = 0xFFFFFFFF


def philox(counter, key):
    """One block, written from the paper's definition: rounds of two 32x32 multiplications."""
    for r in range(10):
        k = [(key[0] + r * 0x9E3779B9) & MASK, (key[1] + r * 0xBB67AE85) & MASK]
        a, b = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [(b >> 32) ^ counter[1] ^ k[0], b & MASK, (a >> 32) ^ counter[3] ^ k[1], a & MASK]
    return counter


def cuda_randn(seed, call, n):
    out = []
    for i in range(n):
        x, y, _, _ = philox([call, 0, i, 0], [seed & MASK, seed >> 32])
        u, v = (x + 0.5) / 2**32, 2 * math.pi * (y + 0.5) / 2**32
        out.append(math.sqrt(-2 * math.log(u)) * math.sin(v))
    return out


def main():
    torch.set_num_threads(1)
    blob = b""
    for kind in (0, 1):
        for seed in SEEDS:
            generator = torch.Generator("cpu").manual_seed(seed)
            blob += struct.pack("<IQI", kind, seed, len(SIZES))
            for call, n in enumerate(SIZES):
                draw = torch.randn(n, generator=generator).tolist() if kind == 0 else cuda_randn(seed, call, n)
                kept = min(n, 128)
                part = draw if n == kept else draw[: kept // 2] + draw[-(kept // 2):]
                blob += struct.pack("<II", n, kept) + struct.pack(f"<{kept}f", *part)
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "data" / "rng.bin")
    out.write_bytes(blob)


main()
