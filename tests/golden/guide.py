#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole runs of the tiny UNet2DModels of tests/data/model-variants, guided by small classifiers (Dhariwal and Nichol
2021): the mean of a DDPM step moves by s Σ ∇ log p(y|x_t), and other schedulers get ε − √(1 − ᾱ_t) s ∇ log p(y|x_t),
converted from and to what the model predicts.

    python tests/golden/guide.py tests/data

Writes the classifiers as fumarole train classifier does (tests/data/guide/CHANNELS), tests/data/guide.json (the cases)
and guide.safetensors (by case: noise, step_noise and latents). tests/pipeline/guide.c reads them.
"""
import importlib
import json
import os
import sys

import torch
from diffusers import UNet2DModel
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from pixels import DDIM, DDPM, HEIGHT, LINEAR, PICTURES, WIDTH, Draws, make_scheduler, predict

CLASSES = 6
V = dict(prediction_type="v_prediction")


def cases():
    plain, ddpm = dict(unet="unet2d-plain", label=4), dict(LINEAR, _class_name=DDPM, clip_sample=False)
    yield dict(plain, scale=8.0, file=ddpm, steps=8)
    yield dict(plain, scale=5.0, file=dict(ddpm, variance_type="fixed_large", **V), steps=6)
    yield dict(plain, scale=4.0, file=dict(LINEAR, _class_name=DDPM, prediction_type="sample"), steps=6)
    yield dict(unet="unet2d-scale-shift", label=3, scale=30.0, steps=6,
               file=dict(LINEAR, _class_name=DDPM, variance_type="learned_range", clip_sample_range=1.5))
    yield dict(unet="unet2d", label=2, guidance=3.0, scale=6.0, file=dict(LINEAR, _class_name=DDPM), steps=5)
    yield dict(plain, scale=3.0, file=dict(LINEAR, _class_name=DDIM, clip_sample=True), steps=5)
    yield dict(plain, scale=3.0, file=dict(LINEAR, _class_name=DDIM, clip_sample=False, **V), eta=0.6, steps=5)
    yield dict(plain, scale=-2.0, file=dict(LINEAR, _class_name=DDIM, prediction_type="sample"), steps=5)
    yield dict(unet="unet2d", label=1, guidance=2.5, scale=4.0, file=dict(LINEAR, _class_name=DDIM), steps=5)
    for sampler, cls, more in (("dpm++2m", "DPMSolverMultistepScheduler", {}),
                               ("dpm++2m", "DPMSolverMultistepScheduler", V),
                               ("euler", "EulerDiscreteScheduler", V), ("euler_a", "EulerAncestralDiscreteScheduler", {}),
                               ("heun", "HeunDiscreteScheduler", {}), ("unipc", "UniPCMultistepScheduler", {}),
                               ("pndm", "PNDMScheduler", {}), ("lms", "LMSDiscreteScheduler", {})):
        yield dict(plain, scale=12.0, file=dict(ddpm, **more), steps=5, sampler=sampler, reference=cls)


class Classifier(UNet2DModel):
    def __init__(self, channels):
        self.settings = dict(sample_size=[HEIGHT, WIDTH], in_channels=channels, out_channels=channels,
                             block_out_channels=[8, 16], layers_per_block=1, attention_head_dim=8, norm_num_groups=4,
                             down_block_types=["DownBlock2D", "AttnDownBlock2D"],
                             up_block_types=["AttnUpBlock2D", "UpBlock2D"])
        super().__init__(**self.settings)
        del self.up_blocks, self.conv_out
        self.conv_norm_out = nn.GroupNorm(4, 16, eps=1e-5)
        self.classifier = nn.Linear(16, CLASSES)

    def forward(self, x, t):
        h, emb = self.conv_in(x), self.time_embedding(self.time_proj(t.expand(len(x))))
        for block in self.down_blocks:
            h, _ = block(hidden_states=h, temb=emb)
        return self.classifier(F.silu(self.conv_norm_out(self.mid_block(h, emb))).mean(dim=(2, 3)))

    def gradient(self, x, t, label):
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            log_p = F.log_softmax(self(x, torch.as_tensor(t, dtype=torch.float32)), dim=1)[:, label]
            return torch.autograd.grad(log_p.sum(), x)[0]

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        save_file(self.state_dict(), f"{folder}/model.safetensors")
        with open(f"{folder}/config.json", "w") as file:
            json.dump(dict(_class_name="FumaroleClassifier", classes=CLASSES, **self.settings), file, indent=1)
            file.write("\n")


def make_classifier(channels):
    torch.manual_seed(20 + channels)
    net = Classifier(channels).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
        net.classifier.weight.mul_(6)
    return net


def levels(scheduler, t):
    """α and σ of x_t = α x_0 + σ ε, as the model reads it."""
    if scheduler.init_noise_sigma == 1:
        alpha = scheduler.alphas_cumprod[int(t)] ** 0.5
        return alpha, (1 - alpha ** 2) ** 0.5
    if getattr(scheduler, "step_index", None) is None:
        scheduler._init_step_index(t)
    sigma = scheduler.sigmas[scheduler.step_index]
    return 1 / (sigma ** 2 + 1) ** 0.5, sigma / (sigma ** 2 + 1) ** 0.5


def move_output(scheduler, out, x, t, shift):
    """Adds `shift` to ε and returns what the model would have predicted."""
    alpha, sigma = levels(scheduler, t)
    kind = scheduler.config.prediction_type
    start = {"epsilon": (x - sigma * out) / alpha, "sample": out, "v_prediction": alpha * x - sigma * out}[kind]
    epsilon = (x - alpha * start) / sigma + sigma * shift
    start = (x - sigma * epsilon) / alpha
    return {"epsilon": epsilon, "sample": start, "v_prediction": alpha * epsilon - sigma * start}[kind]


def variance(scheduler, out, t, channels):
    if scheduler.variance_type != "learned_range":
        return scheduler._get_variance(t)
    return torch.exp(scheduler._get_variance(t, predicted_variance=out[:, channels:]))


def run(root, case, classifiers, seed):
    folder = f"{root}/model-variants/{case['unet']}"
    with open(f"{folder}/config.json") as f:
        model = UNet2DModel.from_config(json.load(f)).eval()
    model.load_state_dict({k: v.float() for k, v in
                           load_file(f"{folder}/diffusion_pytorch_model.safetensors").items()})
    scheduler, channels = make_scheduler(case), model.config.in_channels
    classifier = classifiers[channels]
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(PICTURES, channels, HEIGHT, WIDTH, generator=g)
    draws = Draws(torch.randn(case["steps"] + 1, PICTURES, channels, HEIGHT, WIDTH, generator=g))
    importlib.import_module(type(scheduler).__module__).randn_tensor = draws
    scheduler.set_timesteps(case["steps"])
    x, extra = noise * scheduler.init_noise_sigma, {"eta": case["eta"]} if "eta" in case else {}
    takes_label = model.config.class_embed_type or model.config.num_class_embeds
    for t in scheduler.timesteps:
        given = scheduler.scale_model_input(x, t)
        out = predict(model, case if takes_label else dict(case, label=None), given, t)
        push = case["scale"] * classifier.gradient(given, t, case["label"])
        if case["file"]["_class_name"] == DDPM and "reference" not in case:
            x = scheduler.step(out, t, x).prev_sample
            if t > 0:
                x = x + variance(scheduler, out, t, channels) * push
        else:
            x = scheduler.step(move_output(scheduler, out, given, t, -push), t, x, **extra).prev_sample
    tensors = {"noise": noise, "latents": x}
    if draws.used:
        tensors["step_noise"] = draws.noise[:draws.used].clone()
    return tensors


def main():
    root, tensors, listed = sys.argv[1], {}, list(cases())
    classifiers = {channels: make_classifier(channels) for channels in (1, 3)}
    for channels, classifier in classifiers.items():
        classifier.save(f"{root}/guide/{channels}")
    for i, case in enumerate(listed):
        tensors.update({f"{i}.{k}": v.contiguous() for k, v in run(root, case, classifiers, 170 + i).items()})
        plain = run(root, dict(case, scale=0.0), classifiers, 170 + i)["latents"]
        moved = (tensors[f"{i}.latents"] - plain).pow(2).mean().sqrt() / plain.pow(2).mean().sqrt()
        print(f"{i:2} {case['unet']:20} {case.get('sampler', ''):8} guidance moves x by {moved:.3f}")
    with open(f"{root}/guide.json", "w") as f:
        f.write("[" + ",\n ".join(json.dumps(c) for c in listed) + "]\n")
    save_file(tensors, f"{root}/guide.safetensors")


if __name__ == "__main__":
    main()
