# SPDX-License-Identifier: MIT
"""Files that torch.save writes, and some that nobody should open.

    python tests/golden/torch_files.py tests/data/torch

zip.pth and old.pth hold the tensors of tensors.safetensors in both forms, with numbers and dicts between them.
parameters.pth has parameters; module.pth a whole module; evil-zip.pth and evil-old.pth call os.system.
"""
import os
import sys

import torch
from safetensors.torch import save_file
from torch import nn


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil-was-run",)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    draw = torch.Generator().manual_seed(5)
    base = torch.randn(6, 5, generator=draw)
    tensors = {
        "weight": base,
        "again": base,  # shares the storage
        "transposed": base.t(),
        "part": base[1:4, 2:5],
        "rows": base[2:5],
        "every.other": base[::2, ::3],
        "half": base.half(),
        "brain": base.bfloat16().reshape(5, 6),
        "double": base.double(),
        "long": torch.arange(7) - 3,
        "int": torch.arange(4, dtype=torch.int32),
        "short": torch.arange(4, dtype=torch.int16),
        "char": torch.arange(-2, 3, dtype=torch.int8),
        "byte": torch.arange(250, 256, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "conv": torch.randn(2, 3, 2, 2, generator=draw).contiguous(memory_format=torch.channels_last),
    }
    save_file({name: t.contiguous().clone() for name, t in tensors.items()}, os.path.join(folder, "tensors.safetensors"))
    saved = {k: v for k, v in tensors.items() if "." not in k}
    saved.update(every={"other": tensors["every.other"]}, epoch=12, rate=1e-3, name="né", nothing=None, done=True,
                 shape=[1, (2, 3)], large=1 << 70, negative=-5)
    for form, new in (("zip", True), ("old", False)):
        def save(what, name):
            torch.save(what, os.path.join(folder, name), _use_new_zipfile_serialization=new)
        save(saved, form + ".pth")
        save({"weight": base, "model": Evil()}, f"evil-{form}.pth")
    torch.save({"epoch": 3, "state_dict": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict()},
               os.path.join(folder, "state.pth"))
    torch.save({"weight": nn.Parameter(base)}, os.path.join(folder, "parameters.pth"), _use_new_zipfile_serialization=False)
    torch.save(nn.Linear(2, 2), os.path.join(folder, "module.pth"))


main()
