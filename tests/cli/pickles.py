#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a .safetensors file again as torch.save does, without torch.

    pickles.py zip|old FROM TO [FIRST COUNT]

The tensors from FIRST on, COUNT of them, or all. `old` is the form before version 1.6 of torch.
"""
import collections
import json
import pickle
import struct
import sys
import types
import zipfile

STORAGES = {"F32": ("FloatStorage", 4), "F16": ("HalfStorage", 2), "I64": ("LongStorage", 8)}


def fake(module, name):
    """Something that pickles as the name of a module that need not be there."""
    parts = module.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(parts[i - 1]))
    thing = type(name, (), {"__module__": module})
    setattr(sys.modules[module], name, thing)
    return thing


class Storage:
    def __init__(self, kind, key, count, form):
        self.id = ("storage", kind, key, "cpu", count) + ((None,) if form == "old" else ())


class Tensor:
    def __init__(self, storage, shape):
        self.storage, self.shape = storage, tuple(shape)

    def __reduce__(self):
        strides, step = [], 1
        for dim in reversed(self.shape):
            strides.insert(0, step)
            step *= dim
        return REBUILD, (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict())


class Pickler(pickle._Pickler):  # in Python, so that names are written without looking them up
    def persistent_id(self, thing):
        return thing.id if isinstance(thing, Storage) else None

    def save(self, thing, save_persistent_id=True):
        if isinstance(thing, type) and thing.__module__.startswith("torch"):
            return self.write(f"c{thing.__module__}\n{thing.__name__}\n".encode())
        return super().save(thing, save_persistent_id)


REBUILD = fake("torch._utils", "_rebuild_tensor_v2")


def read(path, form, first, count):
    with open(path, "rb") as f:
        length, = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        header.pop("__metadata__", None)
        data = f.read()
    tensors, storages = {}, []
    for name in sorted(header)[first:first + count]:
        entry = header[name]
        kind, size = STORAGES[entry["dtype"]]
        begin, end = entry["data_offsets"]
        storage = Storage(fake("torch", kind), str(len(storages)), (end - begin) // size, form)
        storages.append((storage, data[begin:end]))
        tensors[name] = Tensor(storage, entry["shape"])
    return tensors, storages


def dump(value, out):
    Pickler(out, 2).dump(value)


class Bytes(bytearray):
    write = bytearray.extend


def main():
    form, source, target = sys.argv[1:4]
    first, count = (int(text) for text in sys.argv[4:6]) if len(sys.argv) > 4 else (0, 1 << 30)
    tensors, storages = read(source, form, first, count)
    if form == "zip":
        out = Bytes()
        dump({"state_dict": tensors, "epoch": 1}, out)
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("model/data.pkl", bytes(out))
            archive.writestr("model/version", "3\n")
            for storage, data in storages:
                archive.writestr("model/data/" + storage.id[2], data)
        return
    out = Bytes()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, tensors, [s.id[2] for s, _ in storages]):
        dump(value, out)
    for storage, data in storages:
        out.extend(struct.pack("<Q", storage.id[4]) + data)
    with open(target, "wb") as f:
        f.write(out)


main()
