#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Likelihoods of pictures under the tiny score models of scores.py, by the probability flow with Skilling and
Hutchinson's estimate of its divergence (Song et al. 2021), by SciPy's RK45 and PyTorch in double.

    python tests/golden/likelihood.py tests/data

Writes tests/data/likelihood/*.png (pictures), likelihood.safetensors (eps, the signs of the estimate) and
likelihood.json (the cases and their results). tests/evaluate/likelihood.c reads them.
"""
import json
import math
import os
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.integrate import solve_ivp

from scores import HUB, VE, VP, Process, network

SIDE, PICTURES = 12, 3


def make_pictures(folder):
    """Smooth pictures, and as the program reads them: values in -1..1, [n, c, h, w]."""
    os.makedirs(folder, exist_ok=True)
    rows = []
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    for i in range(PICTURES):
        waves = [np.sin(2 * math.pi * (x * (i + 1) + y * c) / 2 + i + c) for c in range(3)]
        pixels = np.uint8(np.round(127.5 + 110 * np.stack(waves, axis=2)))
        Image.fromarray(pixels).save(f"{folder}/{i}.png", optimize=True)
        rows.append(pixels.astype(np.float64).transpose(2, 0, 1) / 255 * 2 - 1)
    return torch.from_numpy(np.stack(rows))


def cases():
    """Gentle processes, which random networks let be solved in few steps."""
    vp, ve = dict(unet="unet2d-plain"), dict(unet="unet2d-fourier", index="ScoreSdeVePipeline")
    yield dict(vp, file=dict(VP, beta_max=3.0), tolerance=1e-4)
    for file in VE, HUB:
        yield dict(ve, file=dict(file, sigma_min=0.3, sigma_max=2.0, sampling_eps=1e-3), tolerance=1e-4)


def likelihood(process, x, eps, tolerance):
    shape, count = x.shape, x.numel()

    def rate(t, state):
        y = torch.from_numpy(state[:count]).reshape(shape).requires_grad_()
        with torch.enable_grad():
            drift = process.drift(t) * y - 0.5 * process.diffusion2(t) * process.score(y, t)
            slope, = torch.autograd.grad((drift * eps).sum(), y)
        divergence = (slope * eps).flatten(1).sum(1)
        return np.concatenate([drift.detach().flatten().numpy(), divergence.numpy()])

    start = np.concatenate([x.flatten().numpy(), np.zeros(len(x))])
    solution = solve_ivp(rate, (process.sampling_eps, 1), start, rtol=tolerance, atol=tolerance)
    z, sigma = solution.y[:count, -1].reshape(len(x), -1), process.prior()
    prior = -0.5 * (z / sigma) ** 2 - 0.5 * math.log(2 * math.pi * sigma ** 2)
    return prior.sum(axis=1), solution.y[count:, -1], solution.nfev


def main():
    root, listed = sys.argv[1], []
    x = make_pictures(f"{root}/likelihood")
    eps = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(5)).double() * 2 - 1
    for case in cases():
        process = Process(case["file"], network(root, case["unet"]))
        unit = case.get("index") and "_pixel_range" not in case["file"]  # pictures in 0..1
        prior, change, evaluations = likelihood(process, x / 2 + 0.5 if unit else x, eps, case["tolerance"])
        log_p, numbers = prior + change, x[0].numel()
        listed.append(dict(case, log_p=log_p.mean(), evaluations=evaluations,
                           prior=-prior.mean() / math.log(2) / numbers,
                           bits=(8 if unit else 7) - log_p.mean() / math.log(2) / numbers))
    with open(f"{root}/likelihood.json", "w") as f:
        f.write("[" + ",\n ".join(json.dumps(c) for c in listed) + "]\n")
    save_file({"eps": eps.float()}, f"{root}/likelihood.safetensors")


if __name__ == "__main__":
    main()
