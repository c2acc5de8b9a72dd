# SPDX-License-Identifier: MIT
"""A narrow Inception v3 of pytorch-fid with random weights, and its features of a few pictures.

    python tests/golden/inception.py tests/data/inception            # an eighth of the channels: weights, pictures, features
    python tests/golden/inception.py --whole weights.pth old|zip|st  # the whole network with random weights, for one's own runs
    python tests/golden/inception.py --features weights.pth FOLDER out.safetensors   # what pytorch-fid's network gives

Weights are rounded to f16, which the files hold. `logits` are without the last layer's bias.
"""
import os
import sys

import numpy as np
import torch
from PIL import Image
from pytorch_fid import inception as fid
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torchvision.models import inception as tv

torch.set_grad_enabled(False)
DIVISOR = 8
CLASSES = 12


def narrow(divisor):
    """Divides the channels of every convolution but the picture's."""
    class BasicConv2d(tv.BasicConv2d):
        def __init__(self, in_channels, out_channels, **settings):
            inner = in_channels if in_channels == 3 else in_channels // divisor
            super().__init__(inner, out_channels // divisor, **settings)
    tv.BasicConv2d = BasicConv2d


def make_network(classes, width):
    net = tv.Inception3(num_classes=classes, aux_logits=False, init_weights=False)
    net.Mixed_5b = fid.FIDInceptionA(192, pool_features=32)
    net.Mixed_5c = fid.FIDInceptionA(256, pool_features=64)
    net.Mixed_5d = fid.FIDInceptionA(288, pool_features=64)
    net.Mixed_6b = fid.FIDInceptionC(768, channels_7x7=128)
    net.Mixed_6c = fid.FIDInceptionC(768, channels_7x7=160)
    net.Mixed_6d = fid.FIDInceptionC(768, channels_7x7=160)
    net.Mixed_6e = fid.FIDInceptionC(768, channels_7x7=192)
    net.Mixed_7b = fid.FIDInceptionE_1(1280)
    net.Mixed_7c = fid.FIDInceptionE_2(2048)
    net.fc = torch.nn.Linear(width, classes)
    return net.eval()


def randomise(net, seed):
    draw = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        random = torch.randn(tensor.shape, generator=draw)
        if name.endswith("conv.weight"):
            tensor = random * (1.6 / tensor[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            tensor = random.abs() * 0.3 + 0.4
        elif name.endswith("bn.weight"):
            tensor = random * 0.2 + 1
        elif name.endswith("fc.weight"):
            tensor = random * 0.1
        else:
            tensor = random * 0.2
        state[name] = tensor.half()
    return state


def run(net, pixels):
    """Repeats InceptionV3.forward of pytorch-fid, for a network of any width."""
    x = F.interpolate(pixels, size=(299, 299), mode="bilinear", align_corners=False)
    x = 2 * x - 1
    for layers in (("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "pool"), ("Conv2d_3b_1x1", "Conv2d_4a_3x3", "pool"),
                   ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e",
                    "Mixed_7a", "Mixed_7b", "Mixed_7c")):
        for layer in layers:
            x = F.max_pool2d(x, kernel_size=3, stride=2) if layer == "pool" else getattr(net, layer)(x)
    features = F.adaptive_avg_pool2d(x, (1, 1))[:, :, 0, 0]
    return features, features @ net.fc.weight.T


def run_folder(net, folder):
    rows = []
    for name in sorted(os.listdir(folder)):
        pixels = np.array(Image.open(os.path.join(folder, name)).convert("RGB"), dtype=np.float32) / 255
        rows.append(run(net, torch.tensor(pixels).permute(2, 0, 1)[None]))
    return {"features": torch.cat([f for f, _ in rows]), "logits": torch.cat([l for _, l in rows])}


def draw_pictures(folder):
    os.makedirs(folder, exist_ok=True)
    draw = np.random.default_rng(9)
    for i, (w, h, mode) in enumerate([(24, 20, "RGB"), (24, 20, "RGB"), (5, 9, "RGB"), (31, 17, "L"), (299, 3, "RGB"),
                                      (12, 12, "RGBA"), (1, 1, "RGB")]):
        channels = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
        pixels = draw.integers(0, 256, (h, w, channels), dtype=np.uint8)
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode).save(os.path.join(folder, f"{i}.png"))


def save(state, path, form):
    if form == "st":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")


def load(path, classes, width):
    net = make_network(classes, width)
    state = load_file(path) if path.endswith(".safetensors") else torch.load(path)
    net.load_state_dict({name: t.float() for name, t in state.items()}, strict=False)
    return net


def main():
    if sys.argv[1] == "--whole":
        save(randomise(make_network(1008, 2048), 4), sys.argv[2], sys.argv[3])
        return
    if sys.argv[1] == "--features":
        save_file(run_folder(load(sys.argv[2], 1008, 2048), sys.argv[3]), sys.argv[4])
        return
    folder = sys.argv[1]
    narrow(DIVISOR)
    draw_pictures(os.path.join(folder, "pictures"))
    weights = os.path.join(folder, "narrow.pth")
    save(randomise(make_network(CLASSES, 2048 // DIVISOR), 3), weights, "old")
    save_file(run_folder(load(weights, CLASSES, 2048 // DIVISOR), os.path.join(folder, "pictures")),
              os.path.join(folder, "features.safetensors"))


main()
