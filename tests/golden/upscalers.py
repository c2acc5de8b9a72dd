#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tiny random upscalers of every family and layout of keys, and what torch makes of a picture.

    python tests/golden/upscalers.py tests/data            writes tests/data/upscalers
    python tests/golden/upscalers.py compare FILE IN OUT   enlarges IN by the network FILE and compares OUT with it

tests/pipeline/upscale.c reads them. NAME.safetensors or NAME.pth is a network; golden.safetensors holds "picture"
[height, width, 3] in bytes and for every network NAME the result in 0..1, [height, width, 3].
"""
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

torch.set_grad_enabled(False)
FEATURES, GROWTH, BLOCKS = 8, 4, 1


class Dense(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        for i in range(5):
            setattr(self, f"conv{i + 1}", nn.Conv2d(features + i * growth, growth if i < 4 else features, 3, 1, 1))

    def forward(self, x):
        values = [x]
        for i in range(4):
            values.append(F.leaky_relu(getattr(self, f"conv{i + 1}")(torch.cat(values, 1)), 0.2))
        return self.conv5(torch.cat(values, 1)) * 0.2 + x


class Block(nn.Module):
    def __init__(self, features, growth):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(features, growth) for _ in range(3))

    def forward(self, x):
        return self.rdb3(self.rdb2(self.rdb1(x))) * 0.2 + x


class RRDB(nn.Module):
    """As basicsr's RRDBNet."""

    def __init__(self, shuffle=1, features=FEATURES, growth=GROWTH, blocks=BLOCKS):
        super().__init__()
        self.shuffle, self.scale = shuffle, 4 // shuffle
        self.conv_first = nn.Conv2d(3 * shuffle ** 2, features, 3, 1, 1)
        self.body = nn.Sequential(*(Block(features, growth) for _ in range(blocks)))
        for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
            setattr(self, name, nn.Conv2d(features, features, 3, 1, 1))
        self.conv_last = nn.Conv2d(features, 3, 3, 1, 1)

    def forward(self, x):
        x = self.conv_first(F.pixel_unshuffle(x, self.shuffle))
        x = x + self.conv_body(self.body(x))
        for up in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(up(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))


class SRVGG(nn.Module):
    """As basicsr's SRVGGNetCompact with PReLU."""

    def __init__(self, scale=4, features=FEATURES, convs=3):
        super().__init__()
        self.scale, self.shuffle = scale, 1
        layers = [nn.Conv2d(3, features, 3, 1, 1), nn.PReLU(features)]
        for _ in range(convs):
            layers += [nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features)]
        self.body = nn.ModuleList([*layers, nn.Conv2d(features, 3 * scale ** 2, 3, 1, 1)])

    def forward(self, x):
        y = x
        for layer in self.body:
            y = layer(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


TRUNK = {"conv_body": "trunk_conv", "body.": "RRDB_trunk.", "rdb": "RDB", "conv_up": "upconv", "conv_hr": "HRconv"}
OLD = {"conv_first": "model.0", "conv_body": f"model.1.sub.{BLOCKS}", "conv_up1": "model.3", "conv_up2": "model.6",
       "conv_hr": "model.8", "conv_last": "model.10"}


def rename_trunk(name):
    for new, old in TRUNK.items():
        name = name.replace(new, old)
    return name


def rename_old(name):
    module, _, part = name.rpartition(".")
    if module in OLD:
        return f"{OLD[module]}.{part}"
    _, block, dense, conv = module.split(".")
    return f"model.1.sub.{block}.{dense.upper()}.{conv}.0.{part}"


def enlarge(net, picture):
    """A picture [height, width, 3] in bytes as floats, with odd sizes reflected to whole squares and cut again."""
    x = torch.as_tensor(picture).permute(2, 0, 1)[None].float() / 255
    height, width = x.shape[2:]
    s = net.shuffle
    x = F.pad(x, (0, -width % s, 0, -height % s), "reflect") if s > 1 else x
    return net(x)[0, :, :height * net.scale, :width * net.scale].permute(1, 2, 0).contiguous()


def make(seed, net, gain=2.0):
    """A network of f16 numbers whose layers neither vanish nor blow up."""
    generator = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        bound = gain / np.sqrt(np.prod(p.shape[1:])) if p.ndim > 1 else 0.2
        p.copy_(((torch.rand(p.shape, generator=generator) * 2 - 1) * bound).half().float())
    return net.eval()


def write(folder):
    os.makedirs(folder, exist_ok=True)
    generator = torch.Generator().manual_seed(1)
    smooth = F.interpolate(torch.rand(1, 3, 4, 5, generator=generator), (13, 18), mode="bicubic")[0].clamp(0, 1)
    picture = (smooth.permute(1, 2, 0) * 255).round().to(torch.uint8).contiguous()
    golden = {"picture": picture}
    cases = {"rrdb_x4": (RRDB(1), str), "rrdb_x2": (RRDB(2), str), "rrdb_x1": (RRDB(4), str),
             "trunk_x4": (RRDB(1), rename_trunk), "old_x4": (RRDB(1), rename_old),
             "srvgg_x4": (SRVGG(4), str), "srvgg_x2": (SRVGG(2), str), "srvgg_x1": (SRVGG(1), str)}
    for seed, (name, (net, rename)) in enumerate(cases.items()):
        golden[name] = enlarge(make(seed, net), picture).half()
        tensors = {rename(key): value.half() for key, value in net.state_dict().items()}
        if name in ("rrdb_x4", "srvgg_x4"):  # as trainings save: averaged weights beside others
            torch.save({"params": {key: value[:1] for key, value in tensors.items()}, "params_ema": tensors},
                       f"{folder}/{name}.pth")
        else:
            save_file(tensors, f"{folder}/{name}.safetensors")
    save_file(golden, f"{folder}/golden.safetensors")


def compare(weights, source, result):
    from PIL import Image
    tensors = load_file(weights)
    last = max(int(key.split(".")[1]) for key in tensors)
    scale = int(np.sqrt(tensors[f"body.{last}.bias"].numel() / 3))
    net = SRVGG(scale, tensors["body.0.bias"].numel(), last // 2 - 1)
    net.load_state_dict({key: value.float() for key, value in tensors.items()})
    picture = np.asarray(Image.open(source).convert("RGB")).copy()
    start = time.time()
    expected = enlarge(net, picture).clamp(0, 1).numpy() * 255
    seconds = time.time() - start
    got = np.asarray(Image.open(result).convert("RGB")).astype(float)
    rounded = np.round(expected)
    error = np.mean((got - rounded) ** 2)
    psnr = 10 * np.log10(255 ** 2 / error) if error else np.inf
    print(f"{psnr:.1f} dB from torch's bytes, at most {np.abs(got - rounded).max():.0f} levels; torch: {seconds:.2f} s "
          f"with {torch.get_num_threads()} threads")


if __name__ == "__main__":
    if sys.argv[1] == "compare":
        compare(*sys.argv[2:])
    else:
        write(sys.argv[1] + "/upscalers")
