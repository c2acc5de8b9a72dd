# SPDX-License-Identifier: MIT
"""Runs in two passes, as A1111's hires fix makes them, by diffusers' pipelines.

    python tests/golden/hires.py tests/data

Reads tests/data/model-*, writes tests/data/hires.json (the cases) and hires.safetensors (latents and 8-bit pictures by
case). Both passes draw from a CPU generator of the case's seed. Latents are enlarged by torch, pictures by PIL. All in
f32.
"""
import json
import sys
import types
import warnings

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import save_file

sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))  # runs.py imports it; no sampler here uses it
import runs  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
MODES = {"latent": "bilinear", "latent-bicubic": "bicubic"}
FILTERS = {"nearest": Image.NEAREST, "lanczos": Image.LANCZOS}


def cases():
    yield dict(upscaler="latent", strength=0.7, steps=4, sampler="euler")
    yield dict(upscaler="latent-bicubic", strength=0.5, steps=4, hires_steps=6, sampler="dpm++2m", large=[40, 24])
    yield dict(upscaler="nearest", strength=0.6, steps=3, sampler="ddim")
    yield dict(upscaler="lanczos", strength=0.7, steps=4, sampler="euler_a", large=[24, 32])


def decode(pipe, latents):
    with torch.no_grad():
        picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
    return (pipe.image_processor.postprocess(picture, output_type="np")[0] * 255).round().astype(np.uint8)


def run(first, second, base, case):
    shared = dict(prompt=case["prompt"], guidance_scale=case["guidance"], output_type="latent")
    width, height = case["large"]
    first.scheduler = runs.scheduler(base, case)
    latents = first(generator=torch.Generator("cpu").manual_seed(case["seed"]), width=16, height=16,
                    num_inference_steps=case["steps"], **shared).images
    if case["upscaler"] in MODES:
        factor = 2 ** (len(first.vae.config.block_out_channels) - 1)
        image = torch.nn.functional.interpolate(latents, (height // factor, width // factor), mode=MODES[case["upscaler"]])
    else:
        image = Image.fromarray(decode(first, latents)).resize((width, height), FILTERS[case["upscaler"]])
    second.scheduler = runs.scheduler(base, case)
    latents = second(generator=torch.Generator("cpu").manual_seed(case["seed"]), image=image, strength=case["strength"],
                     num_inference_steps=case.get("hires_steps", case["steps"]), **shared).images
    return latents, torch.from_numpy(decode(second, latents))


def main(data):
    kinds = StableDiffusionPipeline, StableDiffusionImg2ImgPipeline
    pipes = [kind.from_pretrained(f"{data}/model-sd1", torch_dtype=torch.float32, safety_checker=None) for kind in kinds]
    for pipe in pipes:
        pipe.set_progress_bar_config(disable=True)
    index, tensors, base = [], {}, pipes[0].scheduler
    for i, case in enumerate(cases()):
        case = dict({"prompt": "a red ship", "guidance": 5.0, "large": [32, 32]}, **case, seed=70 + i)
        latents, picture = run(*pipes, base, case)
        assert torch.isfinite(latents).all(), case
        index.append(case)
        tensors[f"{i}.latents"], tensors[f"{i}.picture"] = latents.contiguous(), picture.contiguous()
        print(i, case["upscaler"], tuple(latents.shape), float(latents.std()), float(picture.float().std()))
    with open(f"{data}/hires.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/hires.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
