#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws from the tiny UNet2DModels of tests/data/model-variants (made by unet2d.py) as score models in continuous time
(Song et al. 2021), from given noise and with given noise in every stochastic step. The predictor and corrector of the
variance-exploding process are diffusers' own in f32; everything else is NumPy, SciPy and PyTorch in double.

    python tests/golden/scores.py tests/data

Writes tests/data/scores.json (the cases) and scores.safetensors (by case: noise, step_noise and latents, which are x
before it is clamped to a picture, and the pictures of ScoreSdeVePipeline where it can draw them). tests/pipeline/scores.c reads them.
"""
import importlib
import json
import math
import sys

import numpy as np
import torch
from diffusers import ScoreSdeVePipeline, ScoreSdeVeScheduler, UNet2DModel
from safetensors.torch import load_file
from scipy.integrate import solve_ivp

from pixels import HEIGHT, PICTURES, WIDTH, Draws, write

torch.set_num_threads(1)
torch.set_grad_enabled(False)

SIDE = 12  # of the pictures that ScoreSdeVePipeline draws
VP = dict(_class_name="ScoreSdeVpScheduler", num_train_timesteps=2000, beta_min=0.1, beta_max=20.0, sampling_eps=1e-3)
VE = dict(_class_name="ScoreSdeVeScheduler", num_train_timesteps=2000, sigma_min=0.01, sigma_max=5.0, snr=0.15,
          sampling_eps=1e-5, correct_steps=1, _pixel_range=[-1, 1])
HUB = {k: v for k, v in VE.items() if k != "_pixel_range"}  # as models of the Hub: pictures in 0..1


def cases():
    vp, ve = dict(unet="unet2d-plain", file=VP), dict(unet="unet2d-fourier", file=VE, index="ScoreSdeVePipeline")
    yield dict(vp, steps=9)
    yield dict(vp, sampler="sde", steps=4, file=dict(VP, sampling_eps=1e-5, beta_max=10.0))
    yield dict(vp, sampler="pc", steps=5)
    yield dict(vp, sampler="pc", steps=6, file=dict(VP, beta_max=4.0))
    yield dict(vp, sampler="ode")
    yield dict(vp, sampler="ode", file=dict(VP, sampling_eps=1e-5))
    yield dict(ve, steps=6)
    yield dict(ve, sampler="pc", steps=7, file=dict(VE, correct_steps=2, snr=0.3, sigma_max=20.0))
    yield dict(ve, sampler="pc", steps=1)
    yield dict(ve, sampler="sde", steps=6)
    yield dict(ve, sampler="ode")
    yield dict(ve, file=HUB, steps=5)


class Process:
    """The equations of training.md. `model` gives the network's output for x and a time."""

    def __init__(self, settings, model):
        self.__dict__.update(settings)
        self.exploding, self.model = settings["_class_name"] == VE["_class_name"], model

    def score(self, x, t):
        if self.exploding:
            return self.model(x, self.deviation(t))
        return -self.model(x, 999 * t) / self.deviation(t)

    def deviation(self, t):
        if self.exploding:
            return self.sigma_min * (self.sigma_max / self.sigma_min) ** t
        return math.sqrt(-math.expm1(-(self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t * t)))

    def drift(self, t):
        return 0.0 if self.exploding else -0.5 * (self.beta_min + t * (self.beta_max - self.beta_min))

    def diffusion2(self, t):
        if self.exploding:
            return self.deviation(t) ** 2 * 2 * math.log(self.sigma_max / self.sigma_min)
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def prior(self):
        return self.sigma_max if self.exploding else 1.0


def load(root, unet, dtype):
    folder = f"{root}/model-variants/{unet}"
    with open(f"{folder}/config.json") as f:
        model = UNet2DModel.from_config(json.load(f)).eval()
    model.load_state_dict({k: v.float() for k, v in
                           load_file(f"{folder}/diffusion_pytorch_model.safetensors").items()})
    return model.to(dtype)


def network(root, unet):
    model = load(root, unet, torch.double)
    return lambda x, t: model(x, torch.full((len(x),), t, dtype=torch.double)).sample


def norm(x):
    return x.flatten(1).norm(dim=1).mean().item()


def correct(process, x, i, t, steps, z):
    """Langevin dynamics as in the paper's code (LangevinCorrector), where a process has the smallest scale alpha."""
    score = process.score(x, t)
    level = int(t * (steps - 1))
    alpha = 1 - np.linspace(process.beta_min / steps, process.beta_max / steps, steps)[level]
    size = 2 * max(alpha, 0) * (0.16 * norm(z) / norm(score)) ** 2
    return x + size * score + math.sqrt(2 * size) * z


def draw(process, x, steps, corrections, draws):
    """Euler and Maruyama's method on the reverse equation, without noise at the end."""
    mean = x
    for i, t in enumerate(np.linspace(1, process.sampling_eps, steps)):
        for _ in range(corrections):
            x = correct(process, x, i, t, steps, draws(x.shape))
        g2 = process.diffusion2(t)
        mean = x - (process.drift(t) * x - g2 * process.score(x, t)) / steps
        x = mean + math.sqrt(g2 / steps) * draws(x.shape)
    return mean


def flow(process, x, tolerance=1e-5):
    shape = x.shape

    def rate(t, y):
        y = torch.from_numpy(y).reshape(shape)
        return (process.drift(t) * y - 0.5 * process.diffusion2(t) * process.score(y, t)).flatten().numpy()

    solution = solve_ivp(rate, (1, process.sampling_eps), x.flatten().numpy(), rtol=tolerance, atol=tolerance)
    return torch.from_numpy(solution.y[:, -1]).reshape(shape)


def diffusers_pc(root, case, x, draws):
    """ScoreSdeVePipeline's loop."""
    model = load(root, case["unet"], torch.float)
    scheduler = ScoreSdeVeScheduler.from_config(dict(case["file"]))
    importlib.import_module(ScoreSdeVeScheduler.__module__).randn_tensor = draws
    x = x * scheduler.init_noise_sigma
    scheduler.set_timesteps(case["steps"])
    scheduler.set_sigmas(case["steps"])
    for i, t in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[i] * torch.ones(PICTURES)
        for _ in range(scheduler.config.correct_steps):
            x = scheduler.step_correct(model(x, sigma).sample, x).prev_sample
        output = scheduler.step_pred(model(x, sigma).sample, t, x)
        x = output.prev_sample
    return output.prev_sample_mean


def picture(root, case, x, draws):
    """ScoreSdeVePipeline itself, whose pictures are in 0..1: [n, h, w, c]."""
    pipeline = ScoreSdeVePipeline(load(root, case["unet"], torch.float), ScoreSdeVeScheduler.from_config(dict(case["file"])))
    pipeline.set_progress_bar_config(disable=True)
    importlib.import_module(ScoreSdeVeScheduler.__module__).randn_tensor = draws
    importlib.import_module(ScoreSdeVePipeline.__module__).randn_tensor = lambda shape, **_: x.reshape(shape)
    images = pipeline(batch_size=PICTURES, num_inference_steps=case["steps"], output_type="np").images
    return torch.from_numpy(images)


def run_pipeline(root, case, seed):
    """The pictures, and x before it is clamped."""
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(PICTURES, 3, SIDE, SIDE, generator=g)
    steps = torch.randn(32, PICTURES, 3, SIDE, SIDE, generator=g)
    draws = Draws(steps)
    return {"noise": noise, "pictures": picture(root, case, noise, Draws(steps)),
            "latents": diffusers_pc(root, case, noise, draws), "step_noise": steps[:draws.used].clone()}


def run(root, case, seed):
    if case["file"] == HUB:
        return run_pipeline(root, case, seed)
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(PICTURES, 3, HEIGHT, WIDTH, generator=g)
    draws = Draws(torch.randn(32, PICTURES, 3, HEIGHT, WIDTH, generator=g))
    process = Process(case["file"], network(root, case["unet"]))
    sampler = case.get("sampler", "pc" if process.exploding else "sde")
    start = noise.double() * process.prior()
    if sampler == "ode":
        x = flow(process, start)
    elif sampler == "pc" and process.exploding:
        x = diffusers_pc(root, case, noise, draws)
    else:
        x = draw(process, start, case["steps"], 1 if sampler == "pc" else 0, draws)
    tensors = {"noise": noise, "latents": x.float()}
    if draws.used:
        tensors["step_noise"] = draws.noise[:draws.used].clone()
    return tensors


def main():
    root, listed = sys.argv[1], list(cases())
    write(root, "scores", listed, (run(root, case, 170 + i) for i, case in enumerate(listed)))


if __name__ == "__main__":
    main()
