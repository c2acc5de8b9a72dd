# SPDX-License-Identifier: MIT
"""Pictures of the tiny models with FreeU, through diffusers: latents and pictures.

    python tests/golden/freeu.py tests/data

Reads tests/data/model-* (made by models.py). Writes freeu.json (the cases) and freeu.safetensors (noise, latents
and 8-bit pictures by case). All in f32 on the CPU.
"""
import json
import sys
import warnings

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_grad_enabled(False)

CASES = [dict(model="sd1", freeu=[1.5, 1.6, 0.9, 0.2], width=16, height=16),
         dict(model="sd1", freeu=[1.2, 0.8, 0.5, 1.7], width=24, height=32),
         dict(model="sd1", freeu=[1.5, 1.0, 1.0, 0.4], width=16, height=16),
         dict(model="sd2", freeu=[1.4, 1.6, 0.9, 0.2], width=24, height=16),
         dict(model="sdxl", freeu=[1.3, 1.4, 0.9, 0.2], width=16, height=24)]


def main(data):
    tensors, index = {}, []
    for i, case in enumerate(CASES):
        case = dict(case, prompt="a red ship", negative="grey", guidance=5.0, steps=3, seed=520 + i)
        cls = StableDiffusionXLPipeline if case["model"] == "sdxl" else StableDiffusionPipeline
        pipe = cls.from_pretrained(f"{data}/model-{case['model']}", torch_dtype=torch.float32, safety_checker=None)
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
        b1, b2, s1, s2 = case["freeu"]
        pipe.enable_freeu(s1=s1, s2=s2, b1=b1, b2=b2)
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
        print(i, case["model"], float(latents.std()))
    with open(f"{data}/freeu.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/freeu.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
