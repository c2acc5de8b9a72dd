#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs of diffusers' LDMPipeline: a tiny VQModel whose vectors a tiny UNet2DModel draws.

    python tests/golden/vectors.py tests/data

Writes tests/data/vectors: the VQModel, its prior in prior/ and golden.safetensors (noise, step_noise, latents as the
sampler left them, and the pictures in 0..1 as [n, h, w, c]). tests/pipeline/vectors.c reads them. Weights are rounded to
f16, which is how they are stored.
"""
import json
import os
import sys

import torch
from diffusers import DDPMScheduler, LDMPipeline, UNet2DModel, VQModel
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.set_grad_enabled(False)
STEPS, PICTURES, SIDE = 6, 2, 8


def make_models():
    torch.manual_seed(5)
    vqvae = VQModel(in_channels=1, out_channels=1, block_out_channels=(8, 12), latent_channels=4, vq_embed_dim=2,
                    down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                    num_vq_embeddings=16, norm_num_groups=4, sample_size=2 * SIDE, scaling_factor=0.5)
    vqvae.quantize.embedding.weight.normal_()
    unet = UNet2DModel(sample_size=SIDE, in_channels=2, out_channels=2, block_out_channels=(8, 12),
                       down_block_types=("DownBlock2D", "AttnDownBlock2D"), layers_per_block=1,
                       up_block_types=("AttnUpBlock2D", "UpBlock2D"), norm_num_groups=4, attention_head_dim=4)
    for model in (vqvae, unet):
        for p in model.parameters():
            p.copy_(p.half().float())
    return vqvae, unet, DDPMScheduler(clip_sample=False)


def save(model, folder):
    os.makedirs(folder, exist_ok=True)
    config = {k: v for k, v in model.config.items() if not k.startswith("_")}
    with open(f"{folder}/config.json", "w") as f:
        json.dump(dict(config, _class_name=type(model).__name__), f, indent=1, sort_keys=True)
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()},
              f"{folder}/diffusion_pytorch_model.safetensors")


def main():
    folder = sys.argv[1] + "/vectors"
    vqvae, unet, scheduler = make_models()
    save(vqvae, folder)
    save(unet, folder + "/prior/unet")
    scheduler.save_pretrained(folder + "/prior/scheduler")
    noise, steps = torch.randn(PICTURES, 2, SIDE, SIDE), torch.randn(STEPS - 1, PICTURES, 2, SIDE, SIDE)
    rows, latents = iter(steps), []
    sys.modules[LDMPipeline.__module__].randn_tensor = lambda *_, **__: noise
    sys.modules[DDPMScheduler.__module__].randn_tensor = lambda *_, **__: next(rows)
    decode, scale = vqvae.decode, vqvae.config.scaling_factor
    vqvae.decode = lambda z: (latents.append(z * scale), decode(z))[1]
    pictures = LDMPipeline(vqvae, unet, scheduler)(batch_size=PICTURES, num_inference_steps=STEPS, output_type="np")
    save_file({"noise": noise, "step_noise": steps, "latents": latents[0].contiguous(),
               "pictures": torch.from_numpy(pictures.images)}, folder + "/golden.safetensors")


if __name__ == "__main__":
    main()
