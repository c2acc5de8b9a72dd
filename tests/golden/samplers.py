# SPDX-License-Identifier: MIT
"""Writes tests/data/samplers.bin: runs of the diffusers schedulers on a synthetic model, for tests/sample/golden.c.

The model is tanh(0.7 x + 0.001 t) on 48 values. Each record, little-endian: u32 bytes and a JSON text
{"s": sampler or null, "c": schedule or null, "n": steps, "e": eta (below 0: none), "f": strength, "x": sdxl,
"d": double, "g": sigmas that are given (absent: none), "k": scheduler_config};
u32 count and that many f32 timesteps, one per model evaluation; then every third value of the finished sample, f32.
Initial noise and the noise of the steps come from one CPU generator of seed 7, in order. With a strength, the start
image is 0.5 cos(i) and the initial noise is added to it.

An eta on other samplers than ddim, and sigmas that are given, have k-diffusion as their reference, written here from its
formulas.

Runs marked "d" are done in double, with the schedule's f32 values: steps from very large sigmas cancel in f32, and the
reference would show its own rounding.

--all writes every combination rather than a selection, all in double: python samplers.py --all out.bin
"""
import itertools
import json
import math
import struct
import sys
import warnings
from pathlib import Path

import diffusers
import numpy as np
import torch

warnings.filterwarnings("ignore")
diffusers.logging.set_verbosity_error()
torch.set_num_threads(1)

COUNT = 48
CLASSES = {
    "ddpm": "DDPMScheduler", "ddim": "DDIMScheduler", "pndm": "PNDMScheduler", "lms": "LMSDiscreteScheduler",
    "euler": "EulerDiscreteScheduler", "euler_a": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler", "dpm2": "KDPM2DiscreteScheduler", "dpm2_a": "KDPM2AncestralDiscreteScheduler",
    "dpm++2s_a": "HeunDiscreteScheduler", "dpm++2m": "DPMSolverMultistepScheduler",
    "dpm++2m_sde": "DPMSolverMultistepScheduler", "dpm++3m_sde": "DPMSolverMultistepScheduler",
    "dpm++sde": "DPMSolverSDEScheduler", "unipc": "UniPCMultistepScheduler", "lcm": "LCMScheduler",
    "dpm++2m_sde_heun": "DPMSolverMultistepScheduler", "deis": "DEISMultistepScheduler",
    "sa_solver": "SASolverScheduler", "tcd": "TCDScheduler",
}
# diffusers has none of these: run_comfy follows ComfyUI's definitions, on Euler's schedules.
COMFY = ["ipndm", "ipndm_v", "res_multistep", "gradient_estimation", "er_sde"]
FIXED = {
    "dpm++2m": dict(algorithm_type="dpmsolver++", solver_order=2),
    "dpm++2m_sde": dict(algorithm_type="sde-dpmsolver++", solver_order=2),
    "dpm++3m_sde": dict(algorithm_type="sde-dpmsolver++", solver_order=3),
    "dpm++2m_sde_heun": dict(algorithm_type="sde-dpmsolver++", solver_order=2, solver_type="heun"),
}
FLAGGED = ["lms", "euler", "heun", "dpm2", "dpm2_a", "dpm++2s_a", "dpm++2m", "dpm++2m_sde", "dpm++3m_sde", "dpm++sde",
           "unipc", "dpm++2m_sde_heun", "deis", "sa_solver"]
BETAS = {
    "sd": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
    "linear": dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
    "zero_snr": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, rescale_betas_zero_snr=True),
}
EXTRA = ("sgm_uniform", "simple", "ays", "kl_optimal", "normal", "ddim_uniform", "polyexponential", "linear_quadratic",
         "bong_tangent")
AYS = {False: [14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904,
               0.6523686016, 0.3977456272, 0.1515232662, 0.0291671582],
       True: [14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289,
              0.3798540708, 0.2332364134, 0.1114188177, 0.0291671582]}


def model(x, t):
    return torch.tanh(0.7 * x.double() + 0.001 * float(t)).float()


def extra_sigmas(scheduler, name, steps, sdxl):
    """The schedules that diffusers lacks, from their definitions in ComfyUI."""
    train = np.array(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5).astype(np.float64)
    last = len(train) - 1
    if name == "simple":
        return np.array([train[-(1 + int(i * (len(train) / steps)))] for i in range(steps)])
    if name == "sgm_uniform":
        t = np.linspace(last, 0, steps + 1)[:-1]
        return np.exp(np.interp(t, np.arange(len(train)), np.log(train)))
    if name == "kl_optimal":
        low, high = scheduler_ends(scheduler, train)
        ramp = np.arange(steps) / (steps - 1)
        return np.tan(ramp * math.atan(low) + (1 - ramp) * math.atan(high))
    if name == "normal":
        return np.exp(np.interp(np.linspace(last, 0, steps), np.arange(len(train)), np.log(train)))
    if name == "ddim_uniform":  # ComfyUI takes one more where the stride leaves room for it
        return train[1::len(train) // steps][:steps][::-1]
    if name in ("polyexponential", "linear_quadratic", "bong_tangent"):
        return curve(name, steps, *scheduler_ends(scheduler, train))
    where = np.linspace(0, 1, steps + 1)
    return np.exp(np.interp(where, np.linspace(0, 1, 11), np.log(AYS[sdxl])))[:-1]


def curve(name, n, low, high):
    if name == "polyexponential":
        return np.exp(np.linspace(1, 0, n) * (math.log(high) - math.log(low)) + math.log(low))
    if name == "linear_quadratic":
        even, threshold = n // 2, 0.025
        first = np.arange(even) * threshold / even
        a = (even - threshold * n) / (even * (n - even)**2)
        b = threshold / even - 2 * (even - threshold * n) / (n - even)**2
        i = np.arange(even, n)
        return high * (1 - np.concatenate([first, a * i**2 + b * i + a * even**2]))

    def piece(count, slope, pivot, start, end):
        v = np.arctan(-slope * (np.arange(count) - pivot))
        return (v - v[-1]) / (v[0] - v[-1]) * (start - end) + end

    count, pivot, slope, middle = n + 2, int((n + 2) * 0.6), 0.2 / ((n + 2) / 40), low + (high - low) / 2
    upper = piece(pivot, slope, pivot, high, middle)
    return np.concatenate([upper[:-1], piece(count - pivot, slope, 0, middle, low)])[:n]


def scheduler_ends(scheduler, train):
    if isinstance(scheduler, diffusers.EulerDiscreteScheduler):
        return float(scheduler.sigmas[-2]), float(scheduler.sigmas[0])
    return train[0], train[-1]


def set_extra(scheduler, name, steps, sdxl):
    sigmas = extra_sigmas(scheduler, name, steps, sdxl)
    logs = np.log(np.array(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5))
    scheduler.timesteps = torch.tensor([float(scheduler._sigma_to_t(s, logs)) for s in sigmas])
    # DEIS and SA-Solver never reach 0: they end at the smallest level, as on their plain schedule.
    low = isinstance(scheduler, (diffusers.DEISMultistepScheduler, diffusers.SASolverScheduler))
    scheduler.sigmas = torch.tensor([*sigmas, np.exp(logs[0]) if low else 0.0], dtype=torch.float32)


def set_given(scheduler, sigmas):
    logs = np.log(np.array(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5))
    scheduler.timesteps = torch.tensor([float(scheduler._sigma_to_t(np.float64(s), logs)) for s in sigmas[:-1]])
    scheduler.sigmas = torch.tensor(sigmas, dtype=torch.float32)


def ancestral_step(s, s_next, eta):
    if not eta:
        return s_next, 0.0
    up = min(s_next, eta * math.sqrt(s_next**2 * (s**2 - s_next**2) / s**2))
    return math.sqrt(s_next**2 - up**2), up


def run_k_diffusion(scheduler, sampler, x, generator, config, eta, given=False):
    """k-diffusion's samplers with eta in double, from its formulas. x is unit noise."""
    sigmas, times = [float(s) for s in scheduler.sigmas], [float(t) for t in scheduler.timesteps]
    if not given and sampler in ("dpm2_a", "dpm++2s_a", "dpm++sde"):  # classes that hold both evaluations of a step
        sigmas = [sigmas[0], *sigmas[1::2]]
        times = [times[0], *times[1::2]] if sampler == "dpm++2s_a" else times[::2]
    logs = np.log(np.array(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5))
    kind, seen, x = config.get("prediction_type", "epsilon"), [], x.double()
    vp = isinstance(scheduler, diffusers.DPMSolverMultistepScheduler)
    x = x * (math.sqrt(sigmas[0]**2 + 1) if vp else float(scheduler.init_noise_sigma))

    def denoise(x, sigma, t):
        seen.append(float(t))
        out = model(x / math.sqrt(sigma**2 + 1), t).double()
        if kind == "epsilon":
            return x - sigma * out
        return x / (sigma**2 + 1) - out * sigma / math.sqrt(sigma**2 + 1) if kind == "v_prediction" else out

    def middle(x, sigma):
        return denoise(x, sigma, scheduler._sigma_to_t(np.float64(sigma), logs))

    def noise():
        return torch.randn(COUNT, generator=generator).double() if eta else 0.0

    old, h_1, h_2 = [], None, None
    for s, s_next, t in zip(sigmas, sigmas[1:], times):
        d = denoise(x, s, t)
        down, up = ancestral_step(s, s_next, eta)
        if sampler == "euler_a":
            x = x + (x - d) / s * (down - s) + noise() * up
        elif s_next == 0:
            x = d
        elif sampler == "heun":
            x2 = x + (x - d) / s * (s_next - s)
            x = x + ((x - d) / s + (x2 - middle(x2, s_next)) / s_next) / 2 * (s_next - s)
        elif sampler in ("dpm2", "dpm2_a"):
            mid = math.exp(0.5 * (math.log(s) + math.log(down)))
            x2 = x + (x - d) / s * (mid - s)
            x = x + (x2 - middle(x2, mid)) / mid * (down - s) + noise() * up
        elif sampler == "dpm++2s_a":
            mid = math.sqrt(s * down)
            x2 = mid / s * x + (1 - mid / s) * d
            x = down / s * x + (1 - down / s) * middle(x2, mid) + noise() * up
        elif sampler == "dpm++sde":
            mid = math.sqrt(s * s_next)
            sd, su = ancestral_step(s, mid, eta)
            x2 = sd / s * x + (1 - sd / s) * d + noise() * su
            x = down / s * x + (1 - down / s) * middle(x2, mid) + noise() * up
        else:
            h = math.log(s / s_next)
            g = h * (1 + eta)
            x_next = s_next / s * math.exp(-eta * h) * x - math.expm1(-g) * d
            phi_2 = math.expm1(-g) / g + 1
            if len(old) > 1 and sampler == "dpm++3m_sde":
                r0, r1 = h_1 / h, h_2 / h
                d1_0, d1_1 = (d - old[-1]) / r0, (old[-1] - old[-2]) / r1
                d1, d2 = d1_0 + (d1_0 - d1_1) * r0 / (r0 + r1), (d1_0 - d1_1) / (r0 + r1)
                x_next = x_next + phi_2 * d1 - (phi_2 / g - 0.5) * d2
            elif old and config.get("solver_type") == "heun":
                x_next = x_next + phi_2 * (d - old[-1]) * h / h_1
            elif old:
                x_next = x_next - 0.5 * math.expm1(-g) * (d - old[-1]) * h / h_1
            x = x_next + noise() * s_next * math.sqrt(-math.expm1(-2 * eta * h))
            h_1, h_2, old = h, h_1, [*old, d]
    return x.float(), seen


def run_comfy(scheduler, sampler, x, generator, config, eta):
    """Samplers of ComfyUI in double, from their definitions there. x is unit noise."""
    sigmas, times = [float(s) for s in scheduler.sigmas], [float(t) for t in scheduler.timesteps]
    kind, seen, x = config.get("prediction_type", "epsilon"), [], x.double() * float(scheduler.init_noise_sigma)
    ds, denoised, slopes, downs = [], [], [None], []

    def noise():
        return torch.randn(COUNT, generator=generator).double()

    def scale(v):
        return v * (np.exp(v**0.3) + 10.0)

    for i, (s, s_next, t) in enumerate(zip(sigmas, sigmas[1:], times)):
        seen.append(t)
        out = model(x / math.sqrt(s**2 + 1), t).double()
        if kind == "epsilon":
            d = x - s * out
        else:
            d = x / (s**2 + 1) - out * s / math.sqrt(s**2 + 1) if kind == "v_prediction" else out
        ds.append((x - d) / s)
        denoised.append(d)
        h = s_next - s
        if sampler == "res_multistep":
            down, up = ancestral_step(s, s_next, eta)
            if down == 0 or i == 0:
                x = x + ds[-1] * (down - s)
            else:
                h = math.log(s / down)
                c2 = (math.log(downs[-1]) - math.log(sigmas[i - 1])) / h
                phi1 = math.expm1(-h) / -h
                phi2 = (phi1 - 1) / -h
                x = math.exp(-h) * x + h * ((phi1 - phi2 / c2) * d + phi2 / c2 * denoised[-2])
            if s_next > 0 and eta:
                x = x + noise() * up
            downs.append(down)
        elif s_next == 0:
            x = d
        elif sampler == "gradient_estimation":
            x = x + ds[-1] * h + (ds[-1] - ds[-2]) * h if i else x + ds[-1] * h
        elif sampler == "er_sde":
            r = scale(s_next) / scale(s)
            x = r * x + (1 - r) * d
            if i:
                step = -h / 200
                at = s_next + np.arange(200) * step
                slopes.append((d - denoised[-2]) / (s - sigmas[i - 1]))
                x = x + (h + np.sum(1 / scale(at)) * step * scale(s_next)) * slopes[-1]
            if i > 1:
                u = (slopes[-1] - slopes[-2]) / ((s - sigmas[i - 2]) / 2)
                x = x + (h**2 / 2 + np.sum((at - s) / scale(at)) * step * scale(s_next)) * u
            x = x + noise() * math.sqrt(max(s_next**2 - s**2 * r**2, 0))
        elif sampler == "ipndm":
            weights = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]][min(i, 3)]
            x = x + h * sum(w * v for w, v in zip(weights, ds[::-1]))
        else:
            x = x + h * sum(w * v for w, v in zip(variable_weights(sigmas, i), ds[::-1]))
    return x.float(), seen


def variable_weights(t, i):
    h = [t[i + 1 - k] - t[i - k] for k in range(min(i, 3) + 1)]
    if len(h) == 1:
        return [1]
    h0, h1 = h[:2]
    w = [(2 + h0 / h1) / 2, -(h0 / h1) / 2, 0, 0]
    if len(h) > 2:
        h2 = h[2]
        a = (1 - h0 / (3 * (h0 + h1)) * (h0 * (h0 + h1)) / (h1 * (h1 + h2))) / 2
        w = [w[0] + a, w[1] - (1 + h1 / h2) * a, a * h1 / h2, 0]
    if len(h) > 3:
        h3 = h[3]
        b = ((1 - h0 / (3 * (h0 + h1))) / 2 + (1 - h0 / (2 * (h0 + h1))) * h0 / (6 * (h0 + h1 + h2)))
        b *= (h0 * (h0 + h1) * (h0 + h1 + h2)) / (h1 * (h1 + h2) * (h1 + h2 + h3))
        q = h1 * (h1 + h2) / (h2 * (h2 + h3))
        w = [w[0] + b, w[1] - (1 + h1 / h2 + q) * b, w[2] + (h1 / h2 + q * (1 + h2 / h3)) * b, -b * q * h1 / h2]
    return w


def run_2s_ancestral(scheduler, x, generator, config, double):
    """DPM-Solver++(2S) with ancestral noise, written from the formulas that k-diffusion documents."""
    sigmas = [float(s) for s in torch.cat([scheduler.sigmas[:1], scheduler.sigmas[1::2]])]
    times = [float(t) for t in torch.cat([scheduler.timesteps[:1], scheduler.timesteps[1::2]])]
    logs = np.log(np.array(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5))
    seen = []
    x = x.double() if double else x

    def denoise(x, sigma, t):
        seen.append(float(t))
        out = model(x / math.sqrt(sigma**2 + 1), t)
        kind = config.get("prediction_type", "epsilon")
        if kind == "epsilon":
            return x - sigma * out
        return x / (sigma**2 + 1) - out * sigma / math.sqrt(sigma**2 + 1) if kind == "v_prediction" else out

    for s, s_next, t in zip(sigmas, sigmas[1:], times):
        d = denoise(x, s, t)
        if s_next == 0:
            x = x + (x - d) / s * (0 - s)
            break
        up = min(s_next, math.sqrt(s_next**2 * (s**2 - s_next**2) / s**2))
        down = math.sqrt(s_next**2 - up**2)
        h = -math.log(down) + math.log(s)
        middle = math.exp(-(-math.log(s) + 0.5 * h))
        x2 = middle / s * x - math.expm1(-h / 2) * d
        d2 = denoise(x2, middle, scheduler._sigma_to_t(np.float64(middle), logs))
        x = down / s * x - math.expm1(-h) * d2 + up * torch.randn(COUNT, generator=generator)
    return x, seen


def run(case):
    sampler, steps, config = case["s"], case["n"], dict(case["k"])
    class_name = CLASSES.get(sampler, "EulerDiscreteScheduler") if sampler else config["_class_name"]
    class_name = "EulerDiscreteScheduler" if case["g"] else class_name
    settings = dict(config, **FIXED.get(sampler, {}))
    settings.pop("_class_name", None)
    if case["c"] in ("karras", "exponential", "beta"):
        settings[f"use_{case['c']}_sigmas"] = True
    elif case["c"]:
        settings = {k: v for k, v in settings.items() if not k.startswith("use_")}
    scheduler = getattr(diffusers, class_name).from_config(settings)
    scheduler.set_timesteps(len(case["g"]) - 1 if case["g"] else steps)
    if case["g"]:
        set_given(scheduler, case["g"])
    if case["c"] in EXTRA:
        set_extra(scheduler, case["c"], steps, case["x"])
    generator = torch.Generator("cpu").manual_seed(7)
    noise = torch.randn(COUNT, generator=generator)
    times = scheduler.timesteps
    if case["f"]:
        start = max(steps - min(int(steps * case["f"]), steps), 0) * scheduler.order
        times = times[start:]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(start)
        image = 0.5 * torch.cos(torch.arange(COUNT).float())
        x = scheduler.add_noise(image[None, None], noise[None, None], times[:1])
    else:
        x = noise[None, None] * scheduler.init_noise_sigma
    if sampler in COMFY:
        return run_comfy(scheduler, sampler, noise, generator, config, max(case["e"], 0))
    if case["g"]:
        ancestral = sampler in ("euler_a", "dpm2_a", "dpm++2s_a", "dpm++sde")
        return run_k_diffusion(scheduler, sampler, noise, generator, config, case["e"] or float(ancestral), True)
    if case["e"] and sampler not in ("ddim", "tcd"):
        return run_k_diffusion(scheduler, sampler, noise, generator, config, max(case["e"], 0))
    if sampler == "dpm++2s_a":
        return run_2s_ancestral(scheduler, x[0, 0], generator, config, case["d"])
    if case["d"]:
        use_double(scheduler)
        x = x.double() if case["f"] else noise[None, None].double() * float(scheduler.init_noise_sigma)
    draw = dict(generator=generator)
    extra = {"ddim": dict(eta=case["e"], **draw), "tcd": dict(eta=case["e"] or 0.3, **draw)}
    extra.update({k: draw for k in ("ddpm", "euler_a", "dpm2_a", "dpm++2m_sde", "dpm++2m_sde_heun", "dpm++3m_sde", "lcm",
                                    "sa_solver")})
    if class_name in ("DPMSolverMultistepScheduler", "EDMDPMSolverMultistepScheduler"):
        extra[sampler] = draw
    if class_name == "DPMSolverSDEScheduler":
        scheduler.noise_sampler = lambda a, b: torch.randn(1, 1, COUNT, generator=generator)
    for t in times:
        x_in = scheduler.scale_model_input(x, t)
        out = model(x_in, t)
        x = scheduler.step(out.double() if case["d"] else out, t, x, **extra.get(sampler, {})).prev_sample
    if case["d"]:
        use_single(scheduler)
    return x[0, 0], [float(t) for t in times]


class Doubled:
    """torch, but its float32 is float64."""

    def __getattr__(self, name):
        return torch.float64 if name == "float32" else getattr(torch, name)


def use_double(scheduler):
    for name in ("sigmas", "sigmas_interpol", "sigmas_up", "sigmas_down", "alphas_cumprod", "final_alpha_cumprod", "one"):
        if hasattr(scheduler, name):
            setattr(scheduler, name, getattr(scheduler, name).double())
    module = sys.modules[type(scheduler).__module__]
    module.torch = Doubled()
    module.randn_tensor = lambda shape, generator=None, **_: torch.randn(shape, generator=generator).double()


def use_single(scheduler):
    module = sys.modules[type(scheduler).__module__]
    module.torch = torch
    module.randn_tensor = diffusers.utils.torch_utils.randn_tensor


def case(sampler, steps, config, schedule=None, eta=0.0, strength=0.0, sdxl=False, given=None):
    double = config.get("beta_schedule") == "squaredcos_cap_v2" or config.get("rescale_betas_zero_snr", False)
    double = double or (sampler == "dpm++3m_sde" and schedule == "beta")
    double = double or config.get("_class_name", "").startswith("EDM")
    double = double or (sampler in ("deis", "sa_solver") and schedule in EXTRA)
    double = double or given or "--all" in sys.argv
    return {"s": sampler, "c": schedule, "n": steps, "e": eta, "f": strength, "x": sdxl, "d": bool(double), "g": given,
            "k": config}


def cases(everything):
    latent = dict(clip_sample=False, skip_prk_steps=True)
    for sampler in COMFY:
        for schedule, steps, kind in itertools.product(("discrete", "karras"), (1, 2, 3, 4, 5, 20), ("epsilon", "v_prediction")):
            yield case(sampler, steps, dict(BETAS["sd"], **latent, steps_offset=1, prediction_type=kind), schedule)
    for eta in (0.3, 1.0):
        yield case("res_multistep", 12, dict(BETAS["sd"], **latent, steps_offset=1), eta=eta)
        yield case("tcd", 6, dict(BETAS["sd"], **latent, steps_offset=1), eta=eta)
    for order, lower, steps in itertools.product((1, 2, 3), (True, False), (3, 16)):
        yield case("deis", steps, dict(BETAS["sd"], **latent, steps_offset=1, solver_order=order, lower_order_final=lower))
    for sampler in CLASSES:
        schedules = ["discrete", "karras", "exponential", "beta"] if sampler in FLAGGED else ["discrete"]
        spacings = ["leading", "linspace", "trailing"]
        for schedule, spacing, steps in itertools.product(schedules, spacings, [1, 2, 5, 20]):
            yield case(sampler, steps, dict(BETAS["sd"], **latent, timestep_spacing=spacing, steps_offset=1), schedule)
        kinds = ["epsilon", "v_prediction", "sample"]
        few = [5, 20] if everything else [5]
        for beta, kind, spacing, steps in itertools.product(BETAS, kinds, spacings, few):
            for schedule in schedules if everything else ["discrete"]:
                if beta == "zero_snr" and (kind == "epsilon" or sampler == "pndm"):
                    continue
                if not everything and (beta == "sd" and kind == "epsilon" or spacing == "leading"):
                    continue
                yield case(sampler, steps, dict(BETAS[beta], **latent, timestep_spacing=spacing, prediction_type=kind),
                           schedule)
        yield case(sampler, 7, {"clip_sample": False})
        if sampler not in ("dpm++2s_a", "dpm++sde"):
            for strength in (0.75, 0.3, 1.0):
                yield case(sampler, 10, dict(BETAS["sd"], **latent, steps_offset=1), strength=strength)
    sd = dict(BETAS["sd"], **latent, steps_offset=1)
    for eta in (0.3, 1.0):
        yield case("ddim", 6, dict(sd, timestep_spacing="leading"), eta=eta)
        yield case("ddim", 6, dict(sd, timestep_spacing="trailing", prediction_type="v_prediction",
                                   rescale_betas_zero_snr=True), eta=eta)
    for sampler in ("ddim", "ddpm", "lcm", "heun"):
        for limit in (0.5, 1.0):
            yield case(sampler, 8, dict(BETAS["linear"], clip_sample=True, clip_sample_range=limit))
    for variance in ("fixed_small", "fixed_small_log", "fixed_large"):
        yield case("ddpm", 12, dict(BETAS["linear"], clip_sample=False, variance_type=variance))
    for steps in (4, 11, 50):
        yield case("pndm", steps, dict(BETAS["sd"], skip_prk_steps=False, set_alpha_to_one=steps == 11))
        yield case("lcm", min(steps, 25), dict(original_inference_steps=50, timestep_scaling=8.0))
        yield case("euler", steps, dict(sd, timestep_spacing="trailing", final_sigmas_type="sigma_min"))
    for order, solver, final in itertools.product((1, 2, 3), ("midpoint", "heun"), ("zero", "sigma_min")):
        for algorithm in ("dpmsolver++", "sde-dpmsolver++"):
            for steps in (6, 16):
                yield case(None, steps, dict(sd, _class_name="DPMSolverMultistepScheduler", solver_order=order,
                                             solver_type=solver, algorithm_type=algorithm, final_sigmas_type=final,
                                             lower_order_final=solver == "midpoint", euler_at_final=steps == 16))
    for order, solver, steps in itertools.product((1, 2, 3), ("bh1", "bh2"), (3, 16)):
        for final in ("zero", "sigma_min"):
            yield case("unipc", steps, dict(sd, solver_order=order, solver_type=solver, final_sigmas_type=final))
            yield case("unipc", steps, dict(sd, solver_order=order, solver_type=solver, final_sigmas_type=final),
                       "karras")
    yield case("euler", 9, dict(sd, sigma_min=0.05, sigma_max=12.0), "karras")
    yield case("unipc", 9, dict(sd, sigma_min=0.05, sigma_max=12.0), "exponential")
    yield case(None, 9, dict(sd, _class_name="EulerDiscreteScheduler", use_karras_sigmas=True))
    yield case(None, 9, dict(sd, _class_name="DDIMScheduler", timestep_spacing="trailing"))
    # eta, of which k-diffusion's SDEs have "heun" in their second step.
    for sampler in ("euler_a", "dpm2_a", "dpm++2s_a", "dpm++sde", "dpm++2m_sde", "dpm++3m_sde"):
        for eta, kind in itertools.product((-1, 0.4), ("epsilon", "v_prediction")):
            solver = {"solver_type": "heun"} if sampler == "dpm++3m_sde" else {}
            yield case(sampler, 16, dict(sd, prediction_type=kind, timestep_spacing="trailing", **solver), eta=eta)
    # EDM: the classes' own solvers; and a folder's noise levels under a sampler that the user names.
    for kind, curve in itertools.product(("epsilon", "v_prediction"), ("karras", "exponential")):
        for steps in (2, 5, 20):
            edm = dict(prediction_type=kind, sigma_schedule=curve)
            yield case(None, steps, dict(edm, _class_name="EDMEulerScheduler"))
            yield case(None, steps, dict(edm, _class_name="EDMDPMSolverMultistepScheduler"))
    cosxl = dict(prediction_type="v_prediction", sigma_schedule="exponential", sigma_data=1.0, sigma_max=120.0)
    yield case(None, 7, dict(cosxl, _class_name="EDMEulerScheduler"))
    yield case(None, 7, dict(sigma_min=0.02, sigma_max=30.0, rho=5.0, _class_name="EDMEulerScheduler"))
    for order, solver, algorithm in itertools.product((1, 2, 3), ("midpoint", "heun"), ("", "sde-")):
        if order == 3 and algorithm:
            continue
        for steps in (6, 16):
            yield case(None, steps, dict(_class_name="EDMDPMSolverMultistepScheduler", solver_order=order,
                                         solver_type=solver, algorithm_type=algorithm + "dpmsolver++"))
    yield case(None, 16, dict(_class_name="DPMSolverMultistepScheduler", solver_order=3, **BETAS["sd"]))
    for name, steps in itertools.product(EXTRA, (2, 7, 10, 20)):
        yield case("euler", steps, sd, name)
        yield case("euler", steps, dict(sd, timestep_spacing="leading"), name, sdxl=True)
        yield case("dpm++2m", steps, sd, name)
    for sampler, name in itertools.product(("deis", "sa_solver"), EXTRA):
        yield case(sampler, 6, sd, name)
    for sampler, last in itertools.product(("heun", "dpm2", "dpm2_a", "dpm++2s_a", "dpm++sde"), (0.0, 0.5)):
        yield case(sampler, 0, sd, given=[14.0, 5.0, 2.0, last])


def main():
    everything = "--all" in sys.argv
    paths = [a for a in sys.argv[1:] if not a.startswith("-")]
    out = Path(paths[0]) if paths else Path(__file__).parent.parent / "data" / "samplers.bin"
    blob, count, skipped = b"", 0, {}
    for c in cases(everything):
        try:
            sample, times = run(c)
        except (NotImplementedError, ValueError, AssertionError, IndexError, RuntimeError) as e:
            key = (c["s"], type(e).__name__, str(e)[:60])
            skipped[key] = skipped.get(key, 0) + 1
            continue
        if not torch.isfinite(sample).all():
            key = (c["s"], "not finite", str(c["n"]))
            skipped[key] = skipped.get(key, 0) + 1
            continue
        text = json.dumps({k: v for k, v in c.items() if v}, separators=(",", ":")).encode()
        values = sample[::3].tolist()
        blob += struct.pack("<I", len(text)) + text + struct.pack(f"<I{len(times)}f", len(times), *times)
        blob += struct.pack(f"<{len(values)}f", *values)
        count += 1
    out.write_bytes(blob)
    print(f"{count} runs, {len(blob)} bytes; the reference refused or failed:")
    for key, number in skipped.items():
        print(" ", number, *key)


main()
