#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/data/model-names.json: the configurations of the real models, and for each the number of its tensors and
elements and a hash of their names and shapes, as diffusers and transformers have them. Nothing is downloaded.

Needs torch, diffusers and transformers; running the tests does not.

    python tests/golden/model_names.py tests/data/model-names.json [LIST]

With LIST, a folder, the names themselves are written there, to look into when a hash differs.
"""
import json
import os
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
UP_CROSS, UP_PLAIN = "CrossAttnUpBlock2D", "UpBlock2D"

SD = dict(sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=[320, 640, 1280, 1280],
          down_block_types=[CROSS] * 3 + [PLAIN], up_block_types=[UP_PLAIN] + [UP_CROSS] * 3)
XL = dict(sample_size=128, in_channels=4, out_channels=4, layers_per_block=2, use_linear_projection=True,
          addition_embed_type="text_time")
UNETS = {
    "sd1": dict(SD, cross_attention_dim=768, attention_head_dim=8),
    "sd1-inpaint": dict(SD, in_channels=9, cross_attention_dim=768, attention_head_dim=8),
    "sd2": dict(SD, sample_size=96, cross_attention_dim=1024, attention_head_dim=[5, 10, 20, 20],
                use_linear_projection=True, upcast_attention=True),
    "sdxl": dict(XL, cross_attention_dim=2048, attention_head_dim=[5, 10, 20], block_out_channels=[320, 640, 1280],
                 down_block_types=[PLAIN, CROSS, CROSS], up_block_types=[UP_CROSS, UP_CROSS, UP_PLAIN],
                 transformer_layers_per_block=[1, 2, 10], addition_time_embed_dim=256,
                 projection_class_embeddings_input_dim=2816),
    "sdxl-refiner": dict(XL, cross_attention_dim=1280, attention_head_dim=[6, 12, 24, 24],
                         block_out_channels=[384, 768, 1536, 1536], down_block_types=[PLAIN, CROSS, CROSS, PLAIN],
                         up_block_types=[UP_PLAIN, UP_CROSS, UP_CROSS, UP_PLAIN], transformer_layers_per_block=4,
                         addition_time_embed_dim=256, projection_class_embeddings_input_dim=2560),
    "sd-small": dict(SD, cross_attention_dim=768, attention_head_dim=8, layers_per_block=1),
    "sd-tiny": dict(SD, cross_attention_dim=768, attention_head_dim=8, layers_per_block=1, mid_block_type=None,
                    block_out_channels=[320, 640, 1280], down_block_types=[CROSS] * 3, up_block_types=[UP_CROSS] * 3),
    "ssd-1b": dict(XL, cross_attention_dim=2048, attention_head_dim=[5, 10, 20], block_out_channels=[320, 640, 1280],
                   down_block_types=[PLAIN, CROSS, CROSS], up_block_types=[UP_CROSS, UP_CROSS, UP_PLAIN],
                   transformer_layers_per_block=[1, 2, [4, 4]], addition_time_embed_dim=256,
                   reverse_transformer_layers_per_block=[[4, 4, 10], [2, 1, 1], 1], mid_block_type="UNetMidBlock2D",
                   projection_class_embeddings_input_dim=2816),
    "sd-x4-upscaler": dict(SD, sample_size=128, in_channels=7, cross_attention_dim=1024, attention_head_dim=8,
                           block_out_channels=[256, 512, 512, 1024], down_block_types=[PLAIN] + [CROSS] * 3,
                           up_block_types=[UP_CROSS] * 3 + [UP_PLAIN], only_cross_attention=[True, True, True, False],
                           num_class_embeds=1000, use_linear_projection=True),
    "lcm": dict(SD, cross_attention_dim=768, attention_head_dim=8, time_cond_proj_dim=256),
}
VAES = {
    "vae": dict(in_channels=3, out_channels=3, latent_channels=4, block_out_channels=[128, 256, 512, 512],
                layers_per_block=2, norm_num_groups=32, sample_size=512, down_block_types=["DownEncoderBlock2D"] * 4,
                up_block_types=["UpDecoderBlock2D"] * 4, scaling_factor=0.18215),
}
TEXT = {
    "clip-l": (CLIPTextModel, dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                                   num_attention_heads=12, projection_dim=768)),
    "openclip-h": (CLIPTextModel, dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23,
                                       num_attention_heads=16, hidden_act="gelu", projection_dim=512)),
    "openclip-bigg": (CLIPTextModelWithProjection, dict(hidden_size=1280, intermediate_size=5120,
                                                        num_hidden_layers=32, num_attention_heads=20,
                                                        hidden_act="gelu", projection_dim=1280)),
}


def lines(model, text):
    """name and shape of each tensor, sorted; 1x1 convolutions as the linear layers that they are."""
    out = []
    for name, p in model.named_parameters():
        shape = list(p.shape)
        if len(shape) == 4 and shape[2:] == [1, 1]:
            shape = shape[:2]
        # transformers 5 has no prefix, the builders do.
        if text and not name.startswith(("text_model.", "text_projection.")):
            name = "text_model." + name
        out.append(name + " " + "x".join(map(str, shape)))
    return sorted(out, key=lambda line: line.encode())


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def main(path, folder=None):
    entries = []
    with torch.device("meta"):
        for name, config in UNETS.items():
            entries.append((name, "unet", config, UNet2DConditionModel(**config)))
        for name, config in VAES.items():
            entries.append((name, "vae", config, AutoencoderKL(**config)))
        for name, (cls, config) in TEXT.items():
            config = dict(config, vocab_size=49408, max_position_embeddings=77, architectures=[cls.__name__])
            entries.append((name, "text_encoder", config, cls(CLIPTextConfig(**config))))
    out = []
    for name, part, config, model in entries:
        names = lines(model, part == "text_encoder")
        if folder:
            with open(os.path.join(folder, name + ".txt"), "w") as f:
                f.write("\n".join(names) + "\n")
        out.append({"name": name, "part": part, "config": config, "tensors": len(names),
                    "elements": sum(p.numel() for p in model.parameters()),
                    "hash": fnv1a("".join(line + "\n" for line in names))})
    with open(path, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(entry) for entry in out) + "\n]\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
