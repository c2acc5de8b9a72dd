# SPDX-License-Identifier: MIT
"""Seamless pictures of the tiny models through diffusers, whose Conv2d pad circularly: latents and pictures.

    python tests/golden/seamless.py tests/data

Reads tests/data/model-* (made by models.py). Writes seamless.json (the cases) and seamless.safetensors (noise, latents
and 8-bit pictures by case). All in f32 on the CPU.
"""
import json
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_grad_enabled(False)

CASES = [dict(model=model, seamless=axes, width=width, height=height)
         for model in ("sd1", "sdxl") for axes, width, height in (("x", 24, 16), ("y", 16, 24), ("xy", 24, 32))]


def wrap(network, axes):
    """Makes every convolution pad by the opposite border along the axes, and by zeros along the others."""
    for conv in network.modules():
        if not isinstance(conv, torch.nn.Conv2d):
            continue

        def forward(x, conv=conv):
            high, wide = conv.padding
            x = F.pad(x, (wide, wide, 0, 0), mode="circular" if "x" in axes and wide else "constant")
            x = F.pad(x, (0, 0, high, high), mode="circular" if "y" in axes and high else "constant")
            return F.conv2d(x, conv.weight, conv.bias, conv.stride, 0, conv.dilation, conv.groups)
        conv.forward = forward


def main(data):
    tensors, index = {}, []
    for i, case in enumerate(CASES):
        case = dict(case, prompt="a red ship", negative="grey", guidance=5.0, steps=3, seed=500 + i)
        cls = StableDiffusionXLPipeline if case["model"] == "sdxl" else StableDiffusionPipeline
        pipe = cls.from_pretrained(f"{data}/model-{case['model']}", torch_dtype=torch.float32, safety_checker=None)
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
        wrap(pipe.unet, case["seamless"])
        wrap(pipe.vae.decoder, case["seamless"])
        noise = torch.randn(1, 4, case["height"] // 2, case["width"] // 2,
                            generator=torch.Generator("cpu").manual_seed(case["seed"]))
        latents = pipe(prompt=case["prompt"], negative_prompt=case["negative"], num_inference_steps=case["steps"],
                       guidance_scale=case["guidance"], width=case["width"], height=case["height"],
                       latents=noise.clone(), output_type="latent").images
        picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample[0]
        picture = (picture / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
        tensors.update({f"{i}.noise": noise, f"{i}.latents": latents.contiguous(),
                        f"{i}.pixels": torch.from_numpy(np.ascontiguousarray((picture * 255).round(), dtype=np.uint8))})
        index.append(case)
        print(i, case["model"], case["seamless"], float(latents.std()))
    with open(f"{data}/seamless.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/seamless.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
