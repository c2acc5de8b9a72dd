# SPDX-License-Identifier: MIT
"""Files that torch.save writes, and some that nobody should open.

    python tests/golden/torch_files.py tests/data/torch

zip.pth and old.pth hold the tensors of tensors.safetensors in both forms, with numbers and dicts between them.
parameters.pth has parameters; module.pth a whole module; evil-zip.pth and evil-old.pth call os.system.
lightning.ckpt and lightning-old.ckpt hold what checkpoints of trainings do beside their tensors: callbacks, NumPy's
scalars and arrays, sets, the optimizer. inversion.pt and inversion-old.pt are a textual inversion with its
ParameterDict. types.safetensors has all values of the 8-bit types, some of the others, and what torch makes of them in f32; types.pt the same by pickle.
"""
import collections
import os
import sys
import types

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil-was-run",)


def make_callback():
    """A class that pickles as pytorch_lightning's."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    for i in range(1, 4):
        part = ".".join(name.split(".")[:i])
        sys.modules[part] = types.ModuleType(part)
    callback = type("ModelCheckpoint", (), {"__module__": name})
    sys.modules[name].ModelCheckpoint = callback
    return callback


def write_lightning(folder, weight):
    callback = make_callback()
    state = collections.OrderedDict({"model.weight": weight, "model_ema.modelweight": weight / 2})
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    saved = {
        "epoch": 3, "pytorch-lightning_version": "1.4.2", "state_dict": state,
        "callbacks": {callback: {"best": torch.tensor(.1), "score": np.float64(.3), "paths": {"a", "b"},
                                 "array": np.zeros(3)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}],
        "lr_schedulers": [{"last": [np.float32(1e-4)], "callback": callback()}]}
    torch.save(saved, os.path.join(folder, "lightning.ckpt"), pickle_protocol=4)
    torch.save(saved, os.path.join(folder, "lightning-old.ckpt"), _use_new_zipfile_serialization=False)


def write_types(folder, draw):
    every = torch.arange(256, dtype=torch.uint8)
    tensors = {
        "f8_e4m3": every.view(torch.float8_e4m3fn), "f8_e5m2": every.clone().view(torch.float8_e5m2),
        "bf16": torch.arange(0, 65536, 17, dtype=torch.int32).to(torch.int16).view(torch.bfloat16),
        "f64": torch.randn(500, generator=draw, dtype=torch.float64) * 10.0 ** torch.arange(-50, 50).repeat(5)}
    save_file(tensors | {f"{name} as f32": t.float() for name, t in tensors.items()},
              os.path.join(folder, "types.safetensors"))
    torch.save(tensors, os.path.join(folder, "types.pt"))


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
    write_lightning(folder, base)
    write_types(folder, draw)
    inversion = {"string_to_token": {"*": torch.tensor(265)}, "name": "word",
                 "string_to_param": nn.ParameterDict({"*": nn.Parameter(base)})}
    torch.save(inversion, os.path.join(folder, "inversion.pt"))
    torch.serialization.get_source_lines_and_file = None  # the old form names the class with its source, if it finds it
    torch.save(inversion, os.path.join(folder, "inversion-old.pt"), _use_new_zipfile_serialization=False)


main()
