# SPDX-License-Identifier: MIT
"""A small FumaroleClassifier with random weights, pictures, and its features and logits by diffusers.

    python tests/golden/classifier_features.py tests/data/classifier
"""
import json
import os
import sys

import numpy as np
import torch
from diffusers import UNet2DModel
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

torch.set_grad_enabled(False)
CONFIG = dict(sample_size=8, in_channels=1, out_channels=1, block_out_channels=[8, 16], layers_per_block=1,
              attention_head_dim=8, norm_num_groups=4, down_block_types=["DownBlock2D", "AttnDownBlock2D"],
              up_block_types=["AttnUpBlock2D", "UpBlock2D"])
CLASSES = 5


class Classifier(UNet2DModel):
    def __init__(self):
        super().__init__(**CONFIG)
        del self.up_blocks, self.conv_out
        self.conv_norm_out = nn.GroupNorm(4, 16, eps=1e-5)
        self.classifier = nn.Linear(16, CLASSES)

    def features(self, x):
        h, emb = self.conv_in(x), self.time_embedding(self.time_proj(torch.zeros(len(x))))
        for block in self.down_blocks:
            h, _ = block(hidden_states=h, temb=emb)
        return F.silu(self.conv_norm_out(self.mid_block(h, emb))).mean(dim=(2, 3))


def main():
    folder = sys.argv[1]
    os.makedirs(os.path.join(folder, "model"), exist_ok=True)
    os.makedirs(os.path.join(folder, "pictures"), exist_ok=True)
    torch.manual_seed(6)
    net = Classifier().eval()
    for parameter in net.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    save_file(net.state_dict(), os.path.join(folder, "model", "model.safetensors"))
    with open(os.path.join(folder, "model", "config.json"), "w") as file:
        json.dump(dict(_class_name="FumaroleClassifier", classes=CLASSES, **CONFIG), file, indent=1)
        file.write("\n")
    pixels = np.random.default_rng(2).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    for i, picture in enumerate(pixels):
        Image.fromarray(picture, "L").save(os.path.join(folder, "pictures", f"{i}.png"))
    features = net.features(torch.tensor(pixels).float()[:, None] / 255 * 2 - 1)
    save_file({"features": features, "logits": net.classifier(features)}, os.path.join(folder, "features.safetensors"))


main()
