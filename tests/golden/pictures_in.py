# SPDX-License-Identifier: MIT
"""Runs that start from pictures, through diffusers' pipelines: img2img, both inpaintings, instruct-pix2pix.

    python tests/golden/pictures_in.py tests/data

Reads tests/data/model-*, writes tests/data/pictures-in.json (the cases) and pictures-in.safetensors (the pictures that
are given, latents and 8-bit pictures by case). All draws come from one CPU generator with the case's seed: the picture's
posterior, the noise, the masked picture's posterior, then the steps' noise. All in f32 on the CPU.
"""
import json
import sys
import types
import warnings

import numpy as np
import torch
from diffusers import (StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline, StableDiffusionInstructPix2PixPipeline,
                       StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLInpaintPipeline,
                       UNet2DConditionModel)
from PIL import Image
from safetensors.torch import save_file

sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))  # runs.py imports it; no sampler here uses it
import models  # noqa: E402
import runs  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
STRENGTHS = (0.3, 0.75, 1.0)


def photo(seed, width, height, channels=3):
    """A picture with edges and gradients."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 60 * np.sin(x * g.uniform(.1, .6) + g.uniform(0, 6)) + 60 * np.cos(y * g.uniform(.1, .6)) for _ in range(channels)]
    picture = np.stack(planes, 2)
    picture[height // 4:height // 2, width // 3:width // 2] = g.uniform(0, 255, channels)
    return np.clip(picture + g.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def img2img_cases():
    for sampler in ("euler", "euler_a", "ddim", "dpm++2m", "heun", "pndm", "unipc", "dpm++2m_sde", "lms", "dpm2_a"):
        for strength in STRENGTHS:
            yield dict(model="sd1", task="img2img", sampler=sampler, steps=5, strength=strength)
    yield dict(model="sd2", task="img2img", sampler="ddim", steps=4, strength=0.6, width=24, height=16)
    yield dict(model="sdxl", task="img2img", sampler="euler", steps=4, strength=0.7)
    yield dict(model="sdxl", task="img2img", sampler="dpm++2m", schedule="karras", steps=5, strength=0.5, guidance=1.0)


def inpaint_cases():
    for sampler in ("euler", "euler_a", "ddim", "dpm++2m", "heun", "unipc", "pndm", "dpm2"):
        yield dict(model="sd1", task="inpaint", sampler=sampler, steps=4, strength=0.75)
    yield dict(model="sd1", task="inpaint", sampler="euler", steps=3, strength=1.0)
    yield dict(model="sd1", task="inpaint", sampler="ddim", steps=3, strength=1.0, guidance=1.0, width=24)
    yield dict(model="sdxl", task="inpaint", sampler="euler", steps=4, strength=0.6)
    for strength in (1.0, 0.7):
        yield dict(model="inpaint", task="inpaint", sampler="euler_a", steps=4, strength=strength)
        yield dict(model="inpaint", task="inpaint", sampler="dpm++2m", steps=4, strength=strength, negative="grey")
    yield dict(model="inpaint", task="inpaint", sampler="ddim", steps=3, strength=1.0, guidance=1.0)


def edit_cases():
    for sampler in ("euler", "euler_a", "ddim", "dpm++2m"):
        yield dict(model="edit", task="pix2pix", sampler=sampler, steps=4, guidance=7.5, image_guidance=1.5)
    yield dict(model="edit", task="pix2pix", sampler="ddim", steps=3, guidance=4.0, image_guidance=2.5, negative="grey")
    yield dict(model="edit", task="pix2pix", sampler="ddim", steps=3, guidance=1.0, image_guidance=1.5)


def cases():
    yield from img2img_cases()
    yield from inpaint_cases()
    yield from edit_cases()
    yield dict(model="refiner", task="img2img", sampler="euler", steps=5, strength=0.3, negative="grey")
    yield dict(model="refiner", task="img2img", sampler="dpm++2m", steps=4, strength=0.75, negative="grey")
    for sampler in ("euler", "ddim"):
        yield dict(model="sd1", task="inpaint", sampler=sampler, steps=4, strength=0.75, padding=2)


def save_model(data, name, channels, seed, cls):
    """A tiny model whose UNet reads more than latents."""
    base = StableDiffusionPipeline.from_pretrained(f"{data}/model-train", safety_checker=None)
    parts = dict(base.components)
    parts["unet"] = models.randomise(UNet2DConditionModel.from_config(dict(base.unet.config, in_channels=channels)), seed)
    parts["text_encoder"] = models.clip(name, "text_encoder", seed + 10, hidden_size=8, intermediate_size=16)[0]
    parts["tokenizer"] = StableDiffusionPipeline.from_pretrained(f"{data}/model-sd1", safety_checker=None).tokenizer
    parts["scheduler"] = runs.EulerDiscreteScheduler.from_config(dict(base.scheduler.config))
    pipe = cls(**parts, requires_safety_checker=False)
    models.save(f"{data}/model-{name}", pipe, f"{data}/model-sd1/tokenizer")


PIPELINES = {("sd1", "img2img"): StableDiffusionImg2ImgPipeline, ("sd2", "img2img"): StableDiffusionImg2ImgPipeline,
             ("sdxl", "img2img"): StableDiffusionXLImg2ImgPipeline, ("sd1", "inpaint"): StableDiffusionInpaintPipeline,
             ("sdxl", "inpaint"): StableDiffusionXLInpaintPipeline, ("inpaint", "inpaint"): StableDiffusionInpaintPipeline,
             ("edit", "pix2pix"): StableDiffusionInstructPix2PixPipeline,
             ("refiner", "img2img"): StableDiffusionXLImg2ImgPipeline}


def arguments(case, given):
    more = dict(image=Image.fromarray(given["picture"]), num_inference_steps=case["steps"],
                guidance_scale=case["guidance"], prompt=case["prompt"], negative_prompt=case.get("negative"),
                output_type="latent")
    if case["task"] != "pix2pix":
        more["strength"] = case["strength"]
    if case["task"] == "inpaint":
        more.update(mask_image=Image.fromarray(given["mask"]), width=case["width"], height=case["height"])
    else:  # which have no size of their own
        more["image"] = more["image"].resize((case["width"], case["height"]), Image.LANCZOS)
    if case["task"] == "pix2pix":
        more["image_guidance_scale"] = case["image_guidance"]
    return more


def run(pipe, base, case, given):
    pipe.scheduler = runs.scheduler(base, case)
    generator = torch.Generator("cpu").manual_seed(case["seed"])
    if "padding" in case:  # which diffusers pastes into the picture itself
        return run_masked_part(pipe, case, given, generator)
    latents = pipe(generator=generator, **arguments(case, given)).images
    with torch.no_grad():
        picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
    picture = pipe.image_processor.postprocess(picture, output_type="np")[0]
    return latents, torch.from_numpy((picture * 255).round().astype(np.uint8))


def run_masked_part(pipe, case, given, generator):
    last = []

    def keep(pipe, step, timestep, values):
        last[:] = [values["latents"]]
        return values

    more = dict(arguments(case, given), output_type="pil", padding_mask_crop=case["padding"], callback_on_step_end=keep)
    picture = pipe(generator=generator, **more).images[0]
    return last[0], torch.from_numpy(np.asarray(picture).copy())


def main(data):
    save_model(data, "inpaint", 9, 301, StableDiffusionInpaintPipeline)
    save_model(data, "edit", 8, 302, StableDiffusionInstructPix2PixPipeline)
    mask = np.zeros((18, 20), np.uint8)
    mask[4:13, 6:17] = 255
    given = {"picture": photo(1, 20, 18), "mask": mask}
    tensors = {name: torch.from_numpy(value) for name, value in given.items()}
    index, pipes = [], {}
    for i, case in enumerate(cases()):
        case = dict({"prompt": "a red ship", "guidance": 5.0, "width": 16, "height": 16}, **case, seed=100 + i)
        key = case["model"], case["task"]
        if key not in pipes:
            pipe = PIPELINES[key].from_pretrained(f"{data}/model-{case['model']}", torch_dtype=torch.float32,
                                                  **({} if case["model"] in ("sdxl", "refiner") else {"safety_checker": None}))
            pipe.set_progress_bar_config(disable=True)
            pipes[key] = pipe, pipe.scheduler
        latents, picture = run(*pipes[key], case, given)
        assert torch.isfinite(latents).all(), case
        index.append(case)
        tensors[f"{i}.latents"], tensors[f"{i}.picture"] = latents.contiguous(), picture.contiguous()
        print(i, case["model"], case["task"], case.get("sampler"), float(latents.std()), float(picture.float().std()))
    with open(f"{data}/pictures-in.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/pictures-in.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
