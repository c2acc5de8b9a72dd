# SPDX-License-Identifier: MIT
"""Pictures enlarged by the x4 upscaler, through diffusers' StableDiffusionUpscalePipeline.

    python tests/golden/low_res.py tests/data

Writes tests/data/model-x4, a tiny model whose UNet reads a picture of three channels and the level of its noise, then
low-res.json (the cases) and low-res.safetensors (the picture, latents and 8-bit results by case). All draws come from one
CPU generator with the case's seed: the noise of the picture, that of the latents, then the steps' noise. All in f32.
"""
import json
import sys
import types
import warnings

import numpy as np
import torch
from diffusers import (AutoencoderKL, DDIMScheduler, DDPMScheduler, StableDiffusionPipeline, StableDiffusionUpscalePipeline,
                       UNet2DConditionModel)
from PIL import Image
from safetensors.torch import save_file

sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))  # runs.py imports it; no sampler here uses it
import models  # noqa: E402
import pictures_in  # noqa: E402
import runs  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
LEVELS = 40  # rows of the table of levels, to keep the file small
BETAS = dict(beta_start=0.0001, beta_end=0.02, beta_schedule="scaled_linear", num_train_timesteps=1000)


def save_model(data):
    base = StableDiffusionPipeline.from_pretrained(f"{data}/model-train", safety_checker=None)
    unet = dict(base.unet.config, in_channels=7, num_class_embeds=LEVELS, only_cross_attention=[True, False],
                use_linear_projection=True)
    vae = dict(base.vae.config, block_out_channels=[8, 8, 8], down_block_types=["DownEncoderBlock2D"] * 3,
               up_block_types=["UpDecoderBlock2D"] * 3, scaling_factor=0.08333, layers_per_block=1)
    pipe = StableDiffusionUpscalePipeline(
        vae=models.randomise(AutoencoderKL.from_config(vae), 411), unet=models.randomise(UNet2DConditionModel.from_config(unet), 412),
        text_encoder=models.clip("x4", "text_encoder", 413, hidden_size=8, intermediate_size=16)[0],
        tokenizer=StableDiffusionPipeline.from_pretrained(f"{data}/model-sd1", safety_checker=None).tokenizer,
        low_res_scheduler=DDPMScheduler(**BETAS),
        scheduler=DDIMScheduler(**BETAS, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        max_noise_level=30)
    models.save(f"{data}/model-x4", pipe, f"{data}/model-sd1/tokenizer")


def cases():
    for sampler in ("ddim", "euler", "euler_a", "dpm++2m", "ddpm"):
        yield dict(sampler=sampler, steps=4)
    yield dict(sampler="ddim", steps=3, level=0)
    yield dict(sampler="ddim", steps=3, level=30, guidance=1.0)
    yield dict(sampler="euler", steps=3, level=7, negative="grey", height=8)


def run_cases(pipe, index, width, **of_case):
    """Returns the tensors to store for the cases of an upscaler. `of_case` names the pipeline's arguments that cases set."""
    pipe.set_progress_bar_config(disable=True)
    base, tensors = pipe.scheduler, {f"picture{h}": torch.from_numpy(pictures_in.photo(h, width, h)) for h in (12, 8)}
    for i, case in enumerate(index):
        pipe.scheduler = runs.scheduler(base, case)
        latents = pipe(case["prompt"], Image.fromarray(tensors[f"picture{case['height']}"].numpy()),
                       num_inference_steps=case["steps"], guidance_scale=case["guidance"],
                       negative_prompt=case.get("negative"), output_type="latent",
                       generator=torch.Generator("cpu").manual_seed(case["seed"]),
                       **{name: case[key] for key, name in of_case.items()}).images
        with torch.no_grad():
            picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
        picture = pipe.image_processor.postprocess(picture, output_type="np")[0]
        tensors[f"{i}.latents"] = latents.contiguous()
        tensors[f"{i}.picture"] = torch.from_numpy((picture * 255).round().astype(np.uint8)).contiguous()
        print(i, case["sampler"], float(latents.std()), tensors[f"{i}.picture"].shape, float(picture.std()))
    return tensors


def write(path, index, tensors):
    with open(f"{path}.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{path}.safetensors")


def main(data):
    save_model(data)
    pipe = StableDiffusionUpscalePipeline.from_pretrained(f"{data}/model-x4", torch_dtype=torch.float32)
    index = [dict({"prompt": "a red ship", "guidance": 5.0, "level": 20, "height": 12}, **case, seed=200 + i)
             for i, case in enumerate(cases())]
    write(f"{data}/low-res", index, run_cases(pipe, index, 12, level="noise_level"))


if __name__ == "__main__":
    main(sys.argv[1])
