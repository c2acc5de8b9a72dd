# SPDX-License-Identifier: MIT
"""Whole runs of the tiny models and of the shipped one through diffusers' own pipelines: latents and pictures for every sampler.

    python tests/golden/runs.py tests/data models/emoji

Reads tests/data/model-* (made by models.py), writes tests/data/runs.json (the cases) and runs.safetensors (noise,
latents and 8-bit pictures by case). Step noise comes from a CPU generator seeded with the case's seed, as the program
draws it with --rng cpu and --noise. All in f32 on the CPU.
"""
import json
import sys
import warnings

import numpy as np
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, DPMSolverSDEScheduler,
                       EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler, LCMScheduler, LMSDiscreteScheduler,
                       PNDMScheduler, StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline,
                       StableDiffusionXLPipeline, UniPCMultistepScheduler)
from diffusers.schedulers import scheduling_dpmsolver_sde as sde
from safetensors.torch import save_file
from transformers import CLIPTextModel

warnings.filterwarnings("ignore")
torch.set_num_threads(1)

# diffusers' clip_skip reaches for text_encoder.text_model, which transformers 5 no longer has.
if not hasattr(CLIPTextModel, "text_model"):
    CLIPTextModel.text_model = property(lambda self: self)

SAMPLERS = {
    "ddpm": (DDPMScheduler, {}), "ddim": (DDIMScheduler, {}), "pndm": (PNDMScheduler, {}),
    "lms": (LMSDiscreteScheduler, {}), "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}), "heun": (HeunDiscreteScheduler, {}),
    "dpm2": (KDPM2DiscreteScheduler, {}), "dpm2_a": (KDPM2AncestralDiscreteScheduler, {}),
    "dpm++2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm++2m_sde": (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    "dpm++3m_sde": (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}),
    "unipc": (UniPCMultistepScheduler, {}), "lcm": (LCMScheduler, {}),
    "dpm++sde": (DPMSolverSDEScheduler, {}),
}
LONG = ", ".join(["a red ship sails under the old stone bridge at dawn"] * 12)


def cases():
    out = []
    for family in ("sd1", "sd2", "sdxl"):
        for sampler in SAMPLERS:
            out.append(dict(model=family, sampler=sampler, steps=4))
        out.append(dict(model=family, sampler="euler", schedule="karras", steps=5))
        out.append(dict(model=family, sampler="ddim", spacing="trailing", steps=5))
        out.append(dict(model=family, sampler="ddim", eta=0.7, steps=4))
        out.append(dict(model=family, steps=4, width=24, height=16, guidance=7.5, negative="dull, grey"))
        out.append(dict(model=family, steps=3, guidance=1.0))
        out.append(dict(model=family, steps=3, clip_skip=2, negative="grey"))
        out.append(dict(model=family, steps=3, prompt=LONG, width=16, height=24))
    out.append(dict(model="sd1", sampler="dpm++2m", schedule="exponential", steps=5))
    out.append(dict(model="sd1", sampler="dpm++2m", schedule="beta", steps=5))
    out.append(dict(model="sd1", sampler="lms", schedule="karras", spacing="linspace", steps=6))
    emoji = dict(model="emoji", guidance=2.5, width=128, height=128)
    out.append(dict(emoji, prompt="a smiling cat face", steps=20))
    out.append(dict(emoji, prompt="rocket", steps=10, sampler="dpm++2m", schedule="karras"))
    for sampler in ("euler", "euler_a", "ddim", "dpm++2m", "heun", "unipc"):
        out.append(dict(model="refiner", sampler=sampler, steps=4, negative="grey"))
    out.append(dict(model="odd", steps=4, negative="grey"))
    out.append(dict(model="odd", sampler="dpm++2m", steps=4, width=24))
    out.append(dict(model="odd", sampler="euler_a", steps=3, guidance=1.0))
    out.append(dict(model="least", steps=3, negative="grey"))
    return out


FLAGS = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}


def scheduler(base, case):
    config = dict(base.config, clip_sample=False)  # latents are never clipped, as StableDiffusionPipeline has it
    if "spacing" in case:
        config["timestep_spacing"] = case["spacing"]
    if "schedule" in case:
        config[FLAGS[case["schedule"]]] = True
    if "sampler" not in case:
        return type(base).from_config(config)
    cls, more = SAMPLERS[case["sampler"]]
    return cls.from_config(config, **more)


def run(pipe, base, case, seed):
    pipe.scheduler = scheduler(base, case)
    width, height = case.get("width", 16), case.get("height", 16)
    factor = pipe.vae_scale_factor
    noise = torch.randn(1, pipe.vae.config.latent_channels, height // factor, width // factor,
                        generator=torch.Generator("cpu").manual_seed(seed + 1000))
    generator = torch.Generator("cpu").manual_seed(seed)
    # Plain draws from the generator in place of the Brownian tree: independent increments of unit variance.
    sde.BrownianTreeNoiseSampler = lambda *a, **k: lambda *sigmas: torch.randn(noise.shape, generator=generator)
    more = {}
    if "clip_skip" in case:
        more["clip_skip"] = case["clip_skip"] - 1
    if "eta" in case:
        more["eta"] = case["eta"]
    latents = pipe(prompt=case.get("prompt", "a red ship"), negative_prompt=case.get("negative"),
                   num_inference_steps=case["steps"], guidance_scale=case.get("guidance", 5.0), width=width, height=height,
                   generator=generator, latents=noise.clone(), output_type="latent", **more).images
    with torch.no_grad():
        picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
    picture = pipe.image_processor.postprocess(picture, output_type="np")[0]
    return noise, latents, torch.from_numpy((picture * 255).round().astype(np.uint8))


def run_refiner(pipe, base, case, seed):
    """The refiner from pure noise: diffusers' pipeline always starts from a picture, so its parts are put together."""
    pipe.scheduler = scheduler(base, case)
    width, height, guidance = case.get("width", 16), case.get("height", 16), case.get("guidance", 5.0)
    noise = torch.randn(1, 4, height // pipe.vae_scale_factor, width // pipe.vae_scale_factor,
                        generator=torch.Generator("cpu").manual_seed(seed + 1000))
    generator = torch.Generator("cpu").manual_seed(seed)
    with torch.no_grad():
        text, negative, pooled, negative_pooled = pipe.encode_prompt(
            case.get("prompt", "a red ship"), negative_prompt=case.get("negative"), do_classifier_free_guidance=True)
        size = (height, width)
        ids, negative_ids = pipe._get_add_time_ids(size, (0, 0), size, 6.0, 2.5, size, (0, 0), size, text.dtype, 20)
        added = {"text_embeds": torch.cat([negative_pooled, pooled]), "time_ids": torch.cat([negative_ids, ids])}
        pipe.scheduler.set_timesteps(case["steps"])
        x = noise * pipe.scheduler.init_noise_sigma
        step = {"generator": generator} if "generator" in pipe.scheduler.step.__code__.co_varnames else {}
        for t in pipe.scheduler.timesteps:
            inputs = pipe.scheduler.scale_model_input(torch.cat([x] * 2), t)
            out = pipe.unet(inputs, t, encoder_hidden_states=torch.cat([negative, text]), added_cond_kwargs=added).sample
            without, with_prompt = out.chunk(2)
            x = pipe.scheduler.step(without + guidance * (with_prompt - without), t, x, **step).prev_sample
        picture = pipe.vae.decode(x / pipe.vae.config.scaling_factor, return_dict=False)[0]
    picture = pipe.image_processor.postprocess(picture, output_type="np")[0]
    return noise, x, torch.from_numpy((picture * 255).round().astype(np.uint8))


def main(data, emoji):
    pipes = {}
    for name, cls in (("sd1", StableDiffusionPipeline), ("sd2", StableDiffusionPipeline),
                      ("sdxl", StableDiffusionXLPipeline), ("refiner", StableDiffusionXLImg2ImgPipeline),
                      ("odd", StableDiffusionPipeline), ("least", StableDiffusionPipeline),
                      ("emoji", StableDiffusionPipeline)):
        path = emoji if name == "emoji" else f"{data}/model-{name}"
        pipe = cls.from_pretrained(path, torch_dtype=torch.float32, safety_checker=None)
        pipe.set_progress_bar_config(disable=True)
        pipes[name] = (pipe, pipe.scheduler)
    index, tensors = [], {}
    for i, case in enumerate(cases()):
        make = run_refiner if case["model"] == "refiner" else run
        noise, latents, picture = make(*pipes[case["model"]], case, 100 + i)
        assert torch.isfinite(latents).all(), case
        case = dict({"prompt": "a red ship", "guidance": 5.0, "width": 16, "height": 16}, **case, seed=100 + i)
        index.append(case)
        tensors[f"{i}.noise"], tensors[f"{i}.latents"] = noise, latents.contiguous()
        tensors[f"{i}.picture"] = picture.contiguous()
        print(i, case["model"], case.get("sampler"), float(latents.std()), float(picture.float().std()))
    with open(f"{data}/runs.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/runs.safetensors")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
