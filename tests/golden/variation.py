# SPDX-License-Identifier: MIT
"""Varied noise as A1111's ImageRNG makes it: slerp of the noises of two seeds, drawn by torch on the CPU.

    python tests/golden/variation.py tests/data

Writes tests/data/variation.safetensors: `N.noise` of seed 7 and subseed 9 for the strengths of STRENGTHS, f32
[4, 8, 8]; "same" has equal seeds.
"""
import sys

import torch
from safetensors.torch import save_file

STRENGTHS = (0.1, 0.5, 0.9)


def draw(seed):
    return torch.randn(4, 8, 8, generator=torch.Generator("cpu").manual_seed(seed))


def slerp(val, low, high):
    """A1111's modules/rng.py, as it stands."""
    low_norm = low / torch.norm(low, dim=1, keepdim=True)
    high_norm = high / torch.norm(high, dim=1, keepdim=True)
    dot = (low_norm * high_norm).sum(1)
    if dot.mean() > 0.9995:
        return low * val + high * (1 - val)
    omega = torch.acos(dot)
    so = torch.sin(omega)
    return (torch.sin((1.0 - val) * omega) / so).unsqueeze(1) * low + (torch.sin(val * omega) / so).unsqueeze(1) * high


if __name__ == "__main__":
    tensors = {f"{i}.noise": slerp(strength, draw(7), draw(9)) for i, strength in enumerate(STRENGTHS)}
    tensors["same.noise"] = slerp(0.3, draw(7), draw(7))
    save_file({name: t.contiguous() for name, t in tensors.items()}, f"{sys.argv[1]}/variation.safetensors")
