#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs of diffusers' T2I-adapter pipelines with tiny adapters: full, light, SDXL's, and two at once.

    python tests/golden/t2i_adapters.py tests/data

Reads tests/data/model-* (made by models.py). Writes tests/data/t2i: the UNets unet-sd and unet-xl, the adapters full (with
the original names of its tensors), light (also) and xl (diffusers' names), with the runs golden.json and
golden.safetensors (noise, pictures and latents by case). tests/pipeline/controls.c reads them. All in f32 on the CPU.
"""
import json
import os
import re
import shutil
import sys

import torch
from diffusers import (DDIMScheduler, EulerDiscreteScheduler, MultiAdapter, StableDiffusionAdapterPipeline,
                       StableDiffusionPipeline, StableDiffusionXLAdapterPipeline, StableDiffusionXLPipeline, T2IAdapter,
                       UNet2DConditionModel)
from PIL import Image
from safetensors.torch import save_file

from controlnets import make_picture
from models import clean, randomise

SHAPE = dict(sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, norm_num_groups=4, attention_head_dim=2)
UNETS = {
    "unet-sd": dict(SHAPE, block_out_channels=(8, 16, 16), cross_attention_dim=32,
                    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")),
    "unet-xl": dict(SHAPE, block_out_channels=(8, 8, 16), cross_attention_dim=56, addition_embed_type="text_time",
                    addition_time_embed_dim=8, projection_class_embeddings_input_dim=20 + 6 * 8, use_linear_projection=True,
                    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")),
}
ADAPTERS = {
    "full": dict(adapter_type="full_adapter", channels=[8, 16, 16], downscale_factor=2),
    "light": dict(adapter_type="light_adapter", channels=[8, 16], downscale_factor=2, num_res_blocks=3, in_channels=1),
    "xl": dict(adapter_type="full_adapter_xl", channels=[8, 8, 16, 16], downscale_factor=4),
}
CASES = [
    dict(base="sd1", nets=[dict(net="full", strength=0.8)], sampler="euler", steps=3, guidance=5.0),
    dict(base="sd1", nets=[dict(net="light", strength=1.0)], sampler="ddim", steps=4, guidance=3.0),
    dict(base="sdxl", nets=[dict(net="xl", strength=0.7, end=0.6)], sampler="euler", steps=5, guidance=4.0),
    dict(base="sd1", nets=[dict(net="full", strength=0.5), dict(net="full", strength=0.3)], sampler="euler", steps=3,
         guidance=1.0),
    # Levels with an odd row or column, which are halved by rounding up.
    dict(base="sd1", nets=[dict(net="full", strength=0.8)], sampler="euler", steps=2, guidance=1.0, width=20, height=28),
    dict(base="sdxl", nets=[dict(net="xl", strength=0.7, end=0.7)], sampler="euler", steps=10, guidance=1.0, width=28,
         height=20),
]
SAMPLERS = {"euler": EulerDiscreteScheduler, "ddim": DDIMScheduler}


def to_original(kind, name):
    """The names before diffusers: residual blocks of the full adapter are one list, two for each level."""
    name = name.removeprefix("adapter.")
    if kind == "light":
        return name.replace(".resnets.", ".body.")
    name = re.sub(r"body\.(\d)\.resnets\.(\d)", lambda m: f"body.{2 * int(m[1]) + int(m[2])}", name)
    return re.sub(r"body\.(\d)\.in_conv", lambda m: f"body.{2 * int(m[1])}.in_conv", name)


def make_models(folder):
    shutil.rmtree(folder, ignore_errors=True)
    unets = {name: randomise(UNet2DConditionModel(**config), 840 + i) for i, (name, config) in enumerate(UNETS.items())}
    adapters = {name: randomise(T2IAdapter(**config), 850 + i) for i, (name, config) in enumerate(ADAPTERS.items())}
    for name, model in {**unets, **adapters}.items():
        model.half().save_pretrained(f"{folder}/{name}")
        clean(f"{folder}/{name}")
        if name in ("full", "light"):
            save_file({to_original(name, k): v.contiguous() for k, v in model.state_dict().items()},
                      f"{folder}/{name}/diffusion_pytorch_model.safetensors")
        model.float()
    return unets, adapters


def run(data, case, unets, adapters):
    xl = case["base"] == "sdxl"
    base = (StableDiffusionXLPipeline if xl else StableDiffusionPipeline).from_pretrained(
        f"{data}/model-{case['base']}", torch_dtype=torch.float32, safety_checker=None)
    nets = [adapters[n["net"]] for n in case["nets"]]
    several = len(nets) > 1
    shared = base.components if xl else {k: v for k, v in base.components.items() if k != "image_encoder"}
    parts = dict(shared, unet=unets["unet-xl" if xl else "unet-sd"],
                 adapter=MultiAdapter(nets) if several else nets[0],
                 scheduler=SAMPLERS[case["sampler"]].from_config(base.scheduler.config, clip_sample=False))
    pipe = (StableDiffusionXLAdapterPipeline if xl else StableDiffusionAdapterPipeline)(**parts)
    pipe.set_progress_bar_config(disable=True)
    pipe.check_inputs = lambda *arguments: None  # which takes multiples of 8 alone
    width, height = case.get("width", 16), case.get("height", 16)
    generator = torch.Generator("cpu").manual_seed(case["seed"] + 1000)
    noise = torch.randn(1, 4, height // 2, width // 2, generator=generator)
    pictures = [make_picture(case["seed"] * 10 + i) for i in range(len(nets))]
    images = [Image.fromarray(p.numpy()) for p in pictures]
    images = [i.convert("L") if n.config.in_channels == 1 else i for i, n in zip(images, nets)]
    strengths = [n["strength"] for n in case["nets"]]
    more = {"adapter_conditioning_factor": case["nets"][0].get("end", 1.0)} if xl else {}
    latents = pipe(prompt=case["prompt"], image=images if several else images[0], height=height, width=width,
                   num_inference_steps=case["steps"], guidance_scale=case["guidance"], latents=noise.clone(),
                   output_type="latent", adapter_conditioning_scale=strengths if several else strengths[0], **more).images
    return noise, latents, pictures


def main(data):
    folder = f"{data}/t2i"
    unets, adapters = make_models(folder)
    index, tensors = [], {}
    for i, case in enumerate(CASES):
        case = dict(case, prompt="a red ship", seed=500 + i)
        noise, latents, pictures = run(data, case, unets, adapters)
        assert torch.isfinite(latents).all(), case
        index.append(case)
        tensors.update({f"{i}.noise": noise, f"{i}.latents": latents.contiguous()})
        tensors.update({f"{i}.picture.{k}": picture for k, picture in enumerate(pictures)})
        print(i, case["base"], float(latents.std()))
    with open(f"{folder}/golden.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{folder}/golden.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
