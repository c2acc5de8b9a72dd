# SPDX-License-Identifier: MIT
"""Pictures enlarged by the x2 latent upscaler, through diffusers' StableDiffusionLatentUpscalePipeline.

    python tests/golden/low_res_latents.py tests/data

Writes tests/data/model-x2, a tiny model of k-diffusion's levels whose UNet reads the latents of a picture beside its own, then
low-res-latents.json (the cases) and low-res-latents.safetensors (the pictures, latents and 8-bit results by case). All draws
come from one CPU generator with the case's seed: those of the picture's latents, then the noise. All in f32. The UNet's
weights are stored as f8_e4m3 in two files, to keep them small: groups of 32 channels are part of the architecture.
"""
import os
import sys
import types
import warnings

import torch
from diffusers import (AutoencoderKL, EulerDiscreteScheduler, StableDiffusionLatentUpscalePipeline, StableDiffusionPipeline,
                       UNet2DConditionModel)

sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))  # runs.py imports it; no sampler here uses it
import low_res  # noqa: E402
import models  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
TEXT = 8  # channels of the prompt
UNET = dict(
    sample_size=16, in_channels=8, out_channels=5, block_out_channels=(32, 36, 36), layers_per_block=(1, 2, 1), mid_block_type=None,
    down_block_types=("KDownBlock2D", "KCrossAttnDownBlock2D", "KCrossAttnDownBlock2D"),
    up_block_types=("KCrossAttnUpBlock2D", "KCrossAttnUpBlock2D", "KUpBlock2D"), act_fn="gelu", norm_num_groups=None,
    cross_attention_dim=TEXT, attention_head_dim=4, time_cond_proj_dim=128 + TEXT, time_embedding_dim=36,
    time_embedding_type="fourier", timestep_post_act="gelu", resnet_time_scale_shift="scale_shift", conv_in_kernel=1,
    conv_out_kernel=1)


def tiny_unet(seed):
    unet = models.randomise(UNet2DConditionModel(**UNET), seed)
    for p in unet.parameters():
        p.data = p.data.to(torch.float8_e4m3fn).float()
    return unet


def save_model(data):
    base = StableDiffusionPipeline.from_pretrained(f"{data}/model-train", safety_checker=None)
    vae = dict(base.vae.config, block_out_channels=[8, 8], down_block_types=["DownEncoderBlock2D"] * 2,
               up_block_types=["UpDecoderBlock2D"] * 2, layers_per_block=1)
    pipe = StableDiffusionLatentUpscalePipeline(
        vae=models.randomise(AutoencoderKL.from_config(vae), 421), unet=tiny_unet(422),
        text_encoder=models.clip("x2", "text_encoder", 423, hidden_size=TEXT, intermediate_size=16)[0],
        tokenizer=StableDiffusionPipeline.from_pretrained(f"{data}/model-sd1", safety_checker=None).tokenizer,
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                         num_train_timesteps=1000, prediction_type="original_sample"))
    folder = f"{data}/model-x2"
    models.save(folder, pipe, f"{data}/model-sd1/tokenizer")
    os.remove(f"{folder}/unet/diffusion_pytorch_model.safetensors")
    pipe.unet.to(torch.float8_e4m3fn).save_pretrained(f"{folder}/unet", max_shard_size=170 << 10)
    models.clean(folder)


def cases():
    yield dict(steps=4)
    yield dict(steps=3, guidance=1.0)
    yield dict(steps=5, schedule="karras", negative="grey")
    yield dict(steps=3, spacing="trailing", height=8)
    yield dict(steps=3, spacing="leading", prompt="a blue house", guidance=2.0)


def main(data):
    save_model(data)
    pipe = StableDiffusionLatentUpscalePipeline.from_pretrained(f"{data}/model-x2", torch_dtype=torch.float32)
    index = [dict({"sampler": "euler", "prompt": "a red ship", "guidance": 5.0, "height": 12}, **case, seed=300 + i)
             for i, case in enumerate(cases())]
    low_res.write(f"{data}/low-res-latents", index, low_res.run_cases(pipe, index, 16))


if __name__ == "__main__":
    main(sys.argv[1])
