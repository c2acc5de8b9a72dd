#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/data/model-variants/unet2d*, classifier and vq: tiny random networks that are trained on pictures, as
diffusers saves them, and beside them golden.safetensors with inputs and outputs in f32 on the CPU. Weights are rounded
to f16, which is how they are stored.

    python tests/golden/unet2d.py tests/data/model-variants
"""
import json
import os
import sys

import torch
from diffusers import UNet2DModel, VQModel
from safetensors.torch import save_file

from models import normal, randomise

torch.set_num_threads(1)
torch.set_grad_enabled(False)

# Each reaches other keys. Sizes are those that diffusers can do: it does not cut what it has doubled.
UNETS = {
    "unet2d": dict(in_channels=1, out_channels=1, block_out_channels=(8, 16, 24), layers_per_block=1,
                   norm_num_groups=4, attention_head_dim=8, num_class_embeds=5,
                   down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
                   up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D")),
    "unet2d-fourier": dict(block_out_channels=(8, 12), layers_per_block=1, norm_num_groups=4, attention_head_dim=None,
                           time_embedding_type="fourier", downsample_type="resnet", upsample_type="resnet",
                           down_block_types=("AttnDownBlock2D", "AttnDownBlock2D"),
                           up_block_types=("AttnUpBlock2D", "AttnUpBlock2D")),
    "unet2d-scale-shift": dict(out_channels=6, block_out_channels=(8, 16), layers_per_block=2, norm_num_groups=2,
                               attention_head_dim=5, resnet_time_scale_shift="scale_shift", freq_shift=1,
                               flip_sin_to_cos=False, act_fn="gelu", mid_block_scale_factor=1.41421356,
                               downsample_padding=0, class_embed_type="timestep",
                               down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
                               up_block_types=("AttnUpBlock2D", "UNetResResnetUpsampleBlock2D")),
    "unet2d-identity": dict(block_out_channels=(6, 10), layers_per_block=1, norm_num_groups=2, attn_norm_num_groups=5,
                            attention_head_dim=4, center_input_sample=True, class_embed_type="identity",
                            down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D")),
    "unet2d-plain": dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, add_attention=False,
                         down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D")),
    "unet2d-skip": dict(block_out_channels=(8, 12, 24), layers_per_block=2, norm_num_groups=None, norm_eps=1e-6,
                        attention_head_dim=None, time_embedding_type="fourier", mid_block_scale_factor=1.41421356,
                        down_block_types=("SkipDownBlock2D",) * 3, up_block_types=("SkipUpBlock2D",) * 3),
    "unet2d-skip-attention": dict(block_out_channels=(32, 32), layers_per_block=1, attention_head_dim=16,
                                  norm_num_groups=8, down_block_types=("SkipDownBlock2D", "AttnSkipDownBlock2D"),
                                  up_block_types=("AttnSkipUpBlock2D", "SkipUpBlock2D")),
}


def save(folder, model, tensors, **changes):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"_class_name": type(model).__name__, **{k: v for k, v in model.config.items() if k[0] != "_"},
                   **changes}, f, indent=1)
    weights = {k: v.contiguous() if "time_proj" in k else v.half().contiguous() for k, v in model.state_dict().items()}
    save_file(weights, os.path.join(folder, "diffusion_pytorch_model.safetensors"))
    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(folder, "golden.safetensors"))


def labels(model, seed):
    if model.config.num_class_embeds:
        return torch.tensor([1, 4])
    if model.config.class_embed_type == "timestep":
        return torch.tensor([3.0, 250.0])
    if model.config.class_embed_type == "identity":
        return normal(seed, 2, 4 * model.config.block_out_channels[0])
    return None


def unet(seed, config):
    model = UNet2DModel(sample_size=12, **config)
    fixed = model.time_proj.weight.clone() if config.get("time_embedding_type") == "fourier" else None
    randomise(model, seed)
    if fixed is not None:
        g = torch.Generator().manual_seed(seed + 9)
        model.time_proj.weight.data = 16 * torch.randn(fixed.shape, generator=g)
    # sigmas of a variance-exploding process, and steps of the usual one
    steps = torch.tensor([50.0, 0.71, 0.013]) if fixed is not None else torch.tensor([901.0, 481.0, 21.0])
    x, classes = normal(seed + 1, 2, model.config.in_channels, 12, 8), labels(model, seed + 2)
    tensors = {"unet.in.x": x, "unet.in.timesteps": steps, "unet.in.counter": torch.tensor([1], dtype=torch.int32),
               "unet.out": model(x, steps[1].expand(2), class_labels=classes).sample,
               "unet.each.out": model(x, steps[:2], class_labels=classes).sample}
    if classes is not None:
        tensors["unet.in.class_labels"] = classes if classes.is_floating_point() else classes.int()
    return model, tensors


def classifier(seed, classes):
    """The encoding half of a UNet2DModel, as training.md describes it."""
    config = dict(in_channels=1, out_channels=1, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
                  attention_head_dim=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                  up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    model = UNet2DModel(sample_size=12, **config)
    del model.up_blocks, model.conv_out
    model.conv_norm_out = torch.nn.GroupNorm(4, 16, eps=model.config.norm_eps)
    model.classifier = torch.nn.Linear(16, classes)
    randomise(model, seed)
    x, t = normal(seed + 1, 2, 1, 12, 9), torch.tensor([700.0, 3.0])
    h, emb = model.conv_in(x), model.time_embedding(model.time_proj(t))
    for block in model.down_blocks:
        h, _ = block(hidden_states=h, temb=emb)
    h = torch.nn.functional.silu(model.conv_norm_out(model.mid_block(h, emb)))
    features = h.mean(dim=(2, 3))
    return model, {"unet.in.x": x, "unet.in.timesteps": t, "features": features, "logits": model.classifier(features)}


def vq(seed):
    model = VQModel(block_out_channels=(8, 12), layers_per_block=1, norm_num_groups=4, num_vq_embeddings=20,
                    latent_channels=3, vq_embed_dim=5, down_block_types=("DownEncoderBlock2D",) * 2,
                    up_block_types=("UpDecoderBlock2D",) * 2)
    randomise(model, seed)
    x = normal(seed + 1, 2, 3, 12, 8)
    z = model.encode(x).latents
    quantised = model.quantize(z)
    return model, {"vq.in.x": x, "vq.z": z, "vq.vectors": quantised[0], "vq.codes": quantised[2][2].int(),
                   "vq.out": model.decode(z).sample}


def main():
    root = sys.argv[1]
    for i, (name, config) in enumerate(UNETS.items()):
        save(os.path.join(root, name), *unet(100 * i + 500, config))
    save(os.path.join(root, "classifier"), *classifier(1500, 7), _class_name="FumaroleClassifier", classes=7)
    save(os.path.join(root, "vq"), *vq(1600))


if __name__ == "__main__":
    main()
