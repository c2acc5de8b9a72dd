# SPDX-License-Identifier: MIT
"""Small autoencoders (TAESD and its kin) with random weights, and what they make of latents and pictures.

    python tests/golden/tiny.py tests/data

model-tiny-diffusers is diffusers' AutoencoderTiny. model-tiny-original has the same weights under the names of
madebyollin's files, in one file as other programs keep them, and decoder.safetensors, the decoder alone. model-tiny-pooled
is the variant for FLUX.2, whose blocks of the lowest resolution pool, built here from plain layers.
"""
import json
import os
import re
import sys

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from torch import nn

torch.set_grad_enabled(False)
CHANNELS = 8
CONFIG = dict(latent_channels=4, encoder_block_out_channels=[CHANNELS] * 4, decoder_block_out_channels=[CHANNELS] * 4)


def randomise(model, seed):
    draw = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=draw)
        value = 0.1 * noise if name.endswith("bias") else 1 + 0.2 * noise
        if p.dim() > 1:
            value = 1.2 * noise / p[0].numel() ** 0.5
        p.data = value.half().float()
    return model.eval()


class Block(nn.Module):
    def __init__(self, n, pooled):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(n, n, 3, padding=1), nn.ReLU(), nn.Conv2d(n, n, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(n, n, 3, padding=1))
        if pooled:
            self.pool = nn.Sequential(nn.Conv2d(n, 4 * n, 1, bias=False), nn.GroupNorm(4, 4 * n), nn.ReLU(),
                                      nn.Conv2d(4 * n, n, 1, bias=False))
        self.pooled = pooled

    def forward(self, x):
        if self.pooled:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class Pooled(nn.Module):
    def __init__(self, latent, n=CHANNELS):
        super().__init__()
        conv = lambda a, b, **more: nn.Conv2d(a, b, 3, padding=1, **more)
        down, up = [conv(3, n), Block(n, False)], [conv(latent, n), nn.ReLU()]
        for level in range(3):
            down += [conv(n, n, stride=2, bias=False)] + [Block(n, level == 2) for _ in range(3)]
            up += [Block(n, level == 0) for _ in range(3)] + [nn.Upsample(scale_factor=2), conv(n, n, bias=False)]
        self.encoder = nn.Sequential(*down, conv(n, latent))
        self.decoder = nn.Sequential(*up, Block(n, False), conv(n, 3))

    def encode(self, pixels):
        return self.encoder(pixels / 2 + 0.5)

    def decode(self, latents):
        return self.decoder(torch.tanh(latents / 3) * 3) * 2 - 1


def write(folder, name, weights, config, golden):
    path = os.path.join(folder, name)
    os.makedirs(os.path.join(path, "vae"), exist_ok=True)
    save_file({k: t.half().contiguous() for k, t in weights.items()},
              os.path.join(path, "vae", "diffusion_pytorch_model.safetensors"))
    with open(os.path.join(path, "vae", "config.json"), "w") as f:
        json.dump(config, f, indent=2)
    save_file({k: t.contiguous() for k, t in golden.items()}, os.path.join(path, "golden.safetensors"))


def run(latent_channels, decode, encode):
    draw = torch.Generator().manual_seed(latent_channels)
    latents = 2 * torch.randn(1, latent_channels, 3, 4, generator=draw)
    pixels = 2 * torch.rand(1, 3, 24, 32, generator=draw) - 1
    return {"vae.in.latents": latents, "vae.out": decode(latents), "vae.in.pixels": pixels, "vae.mean": encode(pixels)}


def main():
    folder = sys.argv[1]
    model = randomise(AutoencoderTiny(**CONFIG), 1)
    weights = model.state_dict()
    golden = run(4, lambda z: model.decode(z).sample, lambda x: model.encode(x).latents)
    config = {"_class_name": "AutoencoderTiny", **CONFIG, "num_encoder_blocks": [1, 3, 3, 3],
              "num_decoder_blocks": [3, 3, 3, 1], "in_channels": 3, "out_channels": 3}
    write(folder, "model-tiny-diffusers", weights, config, golden)
    decoder = {re.sub(r"decoder\.layers\.(\d+)", lambda m: str(int(m[1]) + 1), k): t.half()
               for k, t in weights.items() if k.startswith("decoder.")}
    encoder = {k.replace("encoder.layers.", ""): t for k, t in weights.items() if k.startswith("encoder.")}
    write(folder, "model-tiny-original", {"taesd_decoder." + k: t for k, t in decoder.items()} |
          {"taesd_encoder." + k: t for k, t in encoder.items()}, config, golden)
    save_file(decoder, os.path.join(folder, "model-tiny-original", "decoder.safetensors"))
    pooled = randomise(Pooled(6), 2)
    weights = {re.sub(r"^(..coder)\.", r"\1.layers.", k): t for k, t in pooled.state_dict().items()}
    write(folder, "model-tiny-pooled", weights, {**config, "latent_channels": 6, "use_midblock_gn": True},
          run(6, pooled.decode, pooled.encode))


main()
