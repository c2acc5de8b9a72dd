#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole runs of the tiny UNet2DModels of tests/data/model-variants (made by unet2d.py), as DDPMPipeline and DDIMPipeline
run them, from given noise and with given noise in every stochastic step.

    python tests/golden/pixels.py tests/data

Writes tests/data/pixels.json (the cases) and pixels.safetensors (by case: noise, step_noise and latents, which are x
before it is clamped to a picture). tests/pipeline/pixels.c reads them.
"""
import importlib
import json
import sys

import diffusers
import torch
from diffusers import UNet2DModel
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
torch.set_grad_enabled(False)

HEIGHT, WIDTH, PICTURES = 12, 8, 2
LINEAR = dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02, num_train_timesteps=1000)
DDPM, DDIM = "DDPMScheduler", "DDIMScheduler"


def cases():
    yield dict(unet="unet2d", label=2, file=dict(LINEAR, _class_name=DDPM), steps=8)
    yield dict(unet="unet2d", label=1, guidance=3.0, file=dict(LINEAR, _class_name=DDPM, clip_sample=True), steps=6)
    yield dict(unet="unet2d-plain", file=dict(LINEAR, _class_name=DDPM, variance_type="fixed_large", clip_sample=False,
                                              prediction_type="v_prediction"), steps=7)
    yield dict(unet="unet2d-plain", file=dict(_class_name=DDPM, beta_schedule="squaredcos_cap_v2",
                                              num_train_timesteps=10, prediction_type="sample"), steps=10)
    yield dict(unet="unet2d-scale-shift", label=3, steps=6,
               file=dict(LINEAR, _class_name=DDPM, variance_type="learned_range", clip_sample_range=1.5))
    yield dict(unet="unet2d-plain", file=dict(LINEAR, _class_name=DDIM, clip_sample=True), eta=0.6, steps=5)
    yield dict(unet="unet2d-plain", file=dict(LINEAR, _class_name=DDIM, beta_schedule="scaled_linear"), steps=5,
               index="DDIMPipeline")
    # With the default sample_max_value thresholding is a clamp.
    for sampler, cls in ((None, DDPM), (None, DDIM), ("dpm++2m", "DPMSolverMultistepScheduler")):
        case = dict(unet="unet2d-plain", file=dict(LINEAR, _class_name=cls, thresholding=True), steps=5)
        yield dict(case, sampler=sampler) if sampler else case
    # Other samplers on a folder of DDPMScheduler.
    for sampler, cls in (("euler", "EulerDiscreteScheduler"), ("euler_a", "EulerAncestralDiscreteScheduler"),
                         ("dpm++2m", "DPMSolverMultistepScheduler"), ("unipc", "UniPCMultistepScheduler"),
                         ("heun", "HeunDiscreteScheduler"), ("pndm", "PNDMScheduler"), ("ddim", DDIM)):
        yield dict(unet="unet2d-plain", file=dict(LINEAR, _class_name=DDPM, clip_sample=False), steps=5,
                   sampler=sampler, reference=cls)
    # Dynamic thresholding.
    dynamic = dict(LINEAR, thresholding=True, dynamic_thresholding_ratio=0.9, sample_max_value=2.5)
    yield dict(unet="unet2d-plain", file=dict(dynamic, _class_name=DDPM), steps=5)
    yield dict(unet="unet2d", label=1, guidance=3.0, steps=5, eta=0.4,
               file=dict(dynamic, _class_name=DDIM, dynamic_thresholding_ratio=0.95))
    yield dict(unet="unet2d-plain", steps=6, sampler="dpm++2m", file=dict(
        dynamic, _class_name="DPMSolverMultistepScheduler", prediction_type="v_prediction"))
    yield dict(unet="unet2d-plain", steps=5, sampler="unipc", file=dict(dynamic, _class_name="UniPCMultistepScheduler"))
    # The network gives the variance itself. A random one gives negative numbers, too, which stand for none.
    yield dict(unet="unet2d-scale-shift", label=3, steps=6, file=dict(LINEAR, _class_name=DDPM, variance_type="learned"))


class Draws:
    """Stands in for randn_tensor of a scheduler's module: hands out the rows of `noise` in order."""

    def __init__(self, noise):
        self.noise, self.used = noise, 0

    def __call__(self, shape, **_):
        self.used += 1
        return self.noise[self.used - 1]


def make_scheduler(case):
    own = getattr(diffusers, case["file"]["_class_name"]).from_config(dict(case["file"]))
    return getattr(diffusers, case["reference"]).from_config(own.config) if "reference" in case else own


def predict(model, case, x, t):
    def run(label):
        labels = None
        if label is not None:
            kind = model.config.class_embed_type
            labels = torch.full((PICTURES,), label, dtype=torch.float32 if kind == "timestep" else torch.long)
        return model(x, t, class_labels=labels).sample

    out = run(case.get("label"))
    if "guidance" in case:
        empty = run(model.config.num_class_embeds - 1)
        out = empty + case["guidance"] * (out - empty)
    return out


def run(root, case, seed):
    folder = f"{root}/model-variants/{case['unet']}"
    with open(f"{folder}/config.json") as f:
        model = UNet2DModel.from_config(json.load(f)).eval()
    model.load_state_dict({k: v.float() for k, v in
                           load_file(f"{folder}/diffusion_pytorch_model.safetensors").items()})
    scheduler = make_scheduler(case)
    g = torch.Generator().manual_seed(seed)
    channels = model.config.in_channels
    noise = torch.randn(PICTURES, channels, HEIGHT, WIDTH, generator=g)
    draws = Draws(torch.randn(case["steps"] + 1, PICTURES, channels, HEIGHT, WIDTH, generator=g))
    importlib.import_module(type(scheduler).__module__).randn_tensor = draws
    scheduler.set_timesteps(case["steps"])
    x, extra = noise * scheduler.init_noise_sigma, {}
    if case.get("eta"):
        extra["eta"] = case["eta"]
    for t in scheduler.timesteps:
        out = predict(model, case, scheduler.scale_model_input(x, t), t)
        if case["file"].get("variance_type") == "learned":
            out[:, channels:].clamp_(min=0)
        x = scheduler.step(out, t, x, **extra).prev_sample
    tensors = {"noise": noise, "latents": x}
    if draws.used:
        tensors["step_noise"] = draws.noise[:draws.used].clone()
    return tensors


def write(root, name, listed, results):
    """Writes the cases and their tensors, where tests/pipeline/golden.h reads them."""
    tensors = {f"{i}.{k}": v.contiguous() for i, result in enumerate(results) for k, v in result.items()}
    with open(f"{root}/{name}.json", "w") as f:
        f.write("[" + ",\n ".join(json.dumps(c) for c in listed) + "]\n")
    save_file(tensors, f"{root}/{name}.safetensors")


def main():
    root, listed = sys.argv[1], list(cases())
    write(root, "pixels", listed, (run(root, case, 70 + i) for i, case in enumerate(listed)))


if __name__ == "__main__":
    main()
