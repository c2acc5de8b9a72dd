#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""DDIM inversion of a picture by the tiny models, as diffusers' DDIMInverseScheduler does it.

    python tests/golden/invert.py tests/data

Writes tests/data/invert.json (the cases) and invert.safetensors (by case: pixels, and the noise that they come from),
which tests/pipeline/invert.c reads. The picture is encoded to the mean of its latents.
"""
import json
import sys

import torch
from diffusers import DDIMInverseScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.set_grad_enabled(False)


def cases():
    yield dict(model="sd1", prompt="", steps=5, width=24, height=16)
    yield dict(model="sd1", prompt="a red ship", guidance=3.0, steps=4, width=16, height=16)
    yield dict(model="sd2", prompt="", steps=6, width=16, height=16)


def run(root, case, seed):
    pipe = StableDiffusionPipeline.from_pretrained(f"{root}/model-{case['model']}", safety_checker=None,
                                                   torch_dtype=torch.float32)
    scheduler = DDIMInverseScheduler.from_config(pipe.scheduler.config, clip_sample=False, steps_offset=1,
                                                 timestep_spacing="leading")
    g = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (case["height"], case["width"], 3), generator=g, dtype=torch.uint8)
    x = pixels.permute(2, 0, 1)[None].float() / 255 * 2 - 1
    x = pipe.vae.encode(x).latent_dist.mean * pipe.vae.config.scaling_factor
    guidance = case.get("guidance", 1.0)
    prompt, empty = pipe.encode_prompt(case["prompt"], "cpu", 1, True, "")
    scheduler.set_timesteps(case["steps"])
    for t in scheduler.timesteps:
        out = pipe.unet(x, t, prompt).sample
        if guidance != 1:
            without = pipe.unet(x, t, empty).sample
            out = without + guidance * (out - without)
        x = scheduler.step(out, t, x).prev_sample
    return {"pixels": pixels, "noise": x}


def main():
    root, tensors, listed = sys.argv[1], {}, list(cases())
    for i, case in enumerate(listed):
        tensors.update({f"{i}.{k}": v.contiguous() for k, v in run(root, case, 90 + i).items()})
    with open(f"{root}/invert.json", "w") as f:
        f.write("[" + ",\n ".join(json.dumps(c) for c in listed) + "]\n")
    save_file(tensors, f"{root}/invert.safetensors")


if __name__ == "__main__":
    main()
