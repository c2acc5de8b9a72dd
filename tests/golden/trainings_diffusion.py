# SPDX-License-Identifier: MIT
"""The runs of trainings.py whose network is a UNet2DModel: ddpm, classifier and score."""
import json
import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DModel, VQModel
from safetensors.torch import load_file


def unet_config(s, shape, outputs=1, **changes):
    """UNet2DModel's settings, with attention in the innermost level."""
    channels = s.ints("model.block_out_channels")
    inner = len(channels) - 1
    return dict(sample_size=shape[1:], in_channels=shape[0], out_channels=shape[0] * outputs,
                block_out_channels=channels, layers_per_block=s.get("model.layers_per_block", 1),
                norm_num_groups=s["model.norm_num_groups"], attention_head_dim=s.get("model.attention_head_dim", 8),
                resnet_time_scale_shift=s.get("model.resnet_time_scale_shift", "default"),
                down_block_types=["DownBlock2D"] * inner + ["AttnDownBlock2D"],
                up_block_types=["AttnUpBlock2D"] + ["UpBlock2D"] * inner, **changes)


def mean_flat(x):
    return x.flatten(1).mean(1)


def normal_kl(mean1, logvar1, mean2, logvar2):
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def discretised_gaussian(x, means, log_scales):
    """-log p of x in nats, as improved-diffusion has it."""
    cdf = lambda v: 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3)))
    scale = torch.exp(-log_scales)
    plus, minus = cdf(scale * (x - means + 1 / 255)), cdf(scale * (x - means - 1 / 255))
    log = lambda p: p.clamp(min=1e-12).log()
    return -torch.where(x < -0.999, log(plus), torch.where(x > 0.999, log(1 - minus), log(plus - minus)))


class Ddpm(UNet2DModel):
    empty_classes = 1

    def __init__(self, s, shape):
        objective, self_classes = s.get("loss.objective", "simple"), s.get("model.classes", 0)
        super().__init__(**unet_config(s, shape, 1 if objective == "simple" else 2,
                                       num_class_embeds=self_classes + 1 if self_classes else None))
        self.s, self.shape, self.objective = s, shape, objective
        self.steps = s.get("scheduler.num_train_timesteps", 1000)
        betas = DDPMScheduler(self.steps, s.get("scheduler.beta_start", 1e-4), s.get("scheduler.beta_end", 0.02),
                              s.get("scheduler.beta_schedule", "linear")).betas
        self.betas = betas.double()
        self.alpha_bar = torch.cumprod(1 - self.betas, 0)

    def at(self, table, t):
        return table[t][:, None, None, None]

    def target(self, x, noise, t):
        a = self.at(self.alpha_bar, t)
        return {"epsilon": noise, "sample": x, "v_prediction": a.sqrt() * noise - (1 - a).sqrt() * x}[self.kind]

    @property
    def kind(self):
        return self.s.get("scheduler.prediction_type", "epsilon")

    def weight(self, t):
        if self.s.get("loss.weighting", "none") == "none":
            return 1
        snr = self.at(self.alpha_bar / (1 - self.alpha_bar), t)
        least = snr.clamp(max=self.s.get("loss.gamma", 5))
        return least / {"epsilon": snr, "sample": 1, "v_prediction": snr + 1}[self.kind]

    def start(self, xt, out, t):
        a = self.at(self.alpha_bar, t)
        return {"epsilon": (xt - (1 - a).sqrt() * out) / a.sqrt(), "sample": out,
                "v_prediction": a.sqrt() * xt - (1 - a).sqrt() * out}[self.kind]

    def bound(self, x, xt, t, out, values):
        """steps · L_t in bits, as improved-diffusion has it."""
        before = torch.cat([torch.ones(1), self.alpha_bar[:-1]])
        variance = self.betas * (1 - before) / (1 - self.alpha_bar)
        least = torch.cat([variance[1:2], variance[1:]]).log()
        c0 = self.at(self.betas * before.sqrt() / (1 - self.alpha_bar), t)
        ct = self.at((1 - self.betas).sqrt() * (1 - before) / (1 - self.alpha_bar), t)
        low, high, share = self.at(least, t), self.at(self.betas.log(), t), (values + 1) / 2
        logvar, mean = share * high + (1 - share) * low, c0 * self.start(xt, out, t) + ct * xt
        kl = mean_flat(normal_kl(c0 * x + ct * xt, low, mean, logvar))
        nll = mean_flat(discretised_gaussian(x, mean, 0.5 * logvar))
        return torch.where(t == 0, nll, kl).mean() / math.log(2) * self.steps

    def loss(self, r):
        x, noise, t = r["x"], r["noise"], r["t"].long()
        a = self.at(self.alpha_bar, t)
        xt = a.sqrt() * x + (1 - a).sqrt() * noise
        out = self(xt, t, r["label"].long() if "label" in r else None).sample
        out, values = (out, None) if self.objective == "simple" else out.chunk(2, 1)
        terms = {"simple": (self.weight(t) * (self.target(x, noise, t) - out) ** 2).mean()}
        if self.objective == "simple":
            return terms["simple"], terms
        terms["vlb"] = self.bound(x, xt, t, out.detach() if self.objective == "hybrid" else out, values)
        return terms["vlb"] if self.objective == "vlb" else terms["simple"] + 0.001 * terms["vlb"], terms

    def draws(self, rows):
        return {"noise": (rows, *self.shape)}

    def integers(self):
        # the first steps often, since their formulas differ
        return {"t": self.steps} if self.steps < 100 or self.objective == "simple" else {"t": 4}


class Prior(Ddpm):
    """A ddpm on the latents of tests/data/vectors, which the encoder gives before they are rounded."""
    prior = "vectors"

    def __init__(self, s, shape):
        folder = os.path.join(os.path.dirname(__file__), "../data", self.prior)
        with open(folder + "/config.json") as f:
            vqvae = VQModel.from_config(json.load(f))
        weights = load_file(folder + "/diffusion_pytorch_model.safetensors")
        vqvae.load_state_dict({k: v.double() for k, v in weights.items()})
        factor = 2 ** (len(vqvae.config.block_out_channels) - 1)
        super().__init__(s, (vqvae.config.vq_embed_dim, shape[1] // factor, shape[2] // factor))
        self.encode = lambda x: vqvae.encode(x).latents * vqvae.config.scaling_factor

    def loss(self, r):
        with torch.no_grad():
            x = self.encode(r["x"])
        return super().loss({**r, "x": x})


class Classifier(UNet2DModel):
    """The encoding half of a UNet2DModel, and a linear layer on the mean of its last features."""

    def __init__(self, s, shape):
        super().__init__(**unet_config(s, shape))
        self.s, self.shape, self.noisy = s, shape, s.get("loss.noisy", "true") == "true"
        last = s.ints("model.block_out_channels")[-1]
        del self.up_blocks, self.conv_out
        self.conv_norm_out = nn.GroupNorm(s["model.norm_num_groups"], last, eps=1e-5)
        self.classifier = nn.Linear(last, s["model.classes"])
        self.alpha_bar = torch.cumprod(1 - DDPMScheduler().betas.double(), 0)

    def loss(self, r):
        x, label = r["x"], r["label"].long()
        t = r["t"].long() if self.noisy else torch.zeros(len(x))
        if self.noisy:
            a = self.alpha_bar[t][:, None, None, None]
            x = a.sqrt() * x + (1 - a).sqrt() * r["noise"]
        h, emb = self.conv_in(x), self.time_embedding(self.time_proj(t).double())
        for block in self.down_blocks:
            h, _ = block(hidden_states=h, temb=emb)
        h = F.silu(self.conv_norm_out(self.mid_block(h, emb)))
        logits = self.classifier(h.mean(dim=(2, 3)))
        accuracy = (logits.argmax(1) == label).double().mean()
        return F.cross_entropy(logits, label), {"accuracy": accuracy}

    def draws(self, rows):
        return {"noise": (rows, *self.shape)} if self.noisy else {}

    def integers(self):
        return {"t": 1000} if self.noisy else {}


class Score(UNet2DModel):
    def __init__(self, s, shape):
        self_ve = s.get("sde.kind", "vp") == "ve"
        super().__init__(**unet_config(s, shape, time_embedding_type="fourier" if self_ve else "positional"))
        self.s, self.shape, self.ve = s, shape, self_ve

    def loss(self, r):
        x, noise, t = r["x"], r["noise"], r["t"]
        if self.ve:
            sigma = self.s["sde.sigma_min"] * (self.s["sde.sigma_max"] / self.s["sde.sigma_min"]) ** t
            std = sigma[:, None, None, None]
            score = self(x + std * noise, sigma).sample
        else:
            low, high = self.s.get("sde.beta_min", 0.1), self.s.get("sde.beta_max", 20)
            b = (low * t + 0.5 * (high - low) * t ** 2)[:, None, None, None]
            std = (-torch.expm1(-b)).sqrt()
            score = -self(torch.exp(-b / 2) * x + std * noise, 999 * t).sample / std
        return ((std * score + noise) ** 2).mean(), {}

    def draws(self, rows):
        return {"noise": (rows, *self.shape)}

    def uniforms(self):
        return {"t": self.s.get("sde.eps", 1e-5)}


# Pictures of the bounds stay near their means, since f32 has no tails of the normal distribution.
# The gradient of a key's bias is 0 but for rounding, which Adam's eps must outweigh.
CASES = {
    "ddpm_simple": ("ddpm", Ddpm, (3, 8, 12),
                    {"model.block_out_channels": "8,12", "model.norm_num_groups": 4, "model.attention_head_dim": 4,
                     "train.batch": 3, "train.lr": 2e-3, "train.eps": 1e-4, "train.ema": 0.9, "train.weight_decay": 0.01}),
    "ddpm_classes": ("ddpm", Ddpm, (1, 6, 6),
                     {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "model.classes": 3,
                      "scheduler.beta_schedule": "squaredcos_cap_v2", "scheduler.prediction_type": "v_prediction",
                      "loss.weighting": "min_snr", "train.batch": 2, "train.accumulate": 2, "train.lr": 2e-3, "train.eps": 1e-4,
                      "train.clip": 0.5}),
    "ddpm_sample": ("ddpm", Ddpm, (1, 4, 6),
                    {"model.block_out_channels": "4,8", "model.norm_num_groups": 2,
                     "model.resnet_time_scale_shift": "scale_shift", "scheduler.beta_schedule": "scaled_linear",
                     "scheduler.beta_start": 0.00085, "scheduler.beta_end": 0.012,
                     "scheduler.prediction_type": "sample", "loss.weighting": "min_snr", "train.batch": 2,
                     "train.lr": 2e-3, "train.eps": 1e-4}),
    "ddpm_weighted": ("ddpm", Ddpm, (1, 6, 4),
                      {"model.block_out_channels": "4", "model.norm_num_groups": 2, "model.attention_head_dim": 2, "loss.weighting": "min_snr",
                       "loss.gamma": 3, "train.batch": 2, "train.lr": 2e-3, "train.eps": 1e-4}),
    "ddpm_prior": ("ddpm", Prior, (1, 12, 8),
                   {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "model.classes": 3,
                    "model.attention_head_dim": 4, "train.batch": 2, "train.accumulate": 2, "train.lr": 2e-3,
                    "train.eps": 1e-4, "train.ema": 0.9}),
    "ddpm_bound": ("ddpm", Ddpm, (1, 6, 6),
                   {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "loss.objective": "vlb",
                    "scheduler.num_train_timesteps": 4, "scheduler.beta_start": 0.9, "scheduler.beta_end": 0.95,
                    "scheduler.prediction_type": "sample",
                    "train.batch": 3, "train.lr": 2e-3, "train.eps": 1e-4}),
    "ddpm_hybrid": ("ddpm", Ddpm, (3, 6, 6),
                    {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "loss.objective": "hybrid",
                     "train.batch": 3, "train.lr": 2e-3, "train.eps": 1e-4}),
    "classifier": ("classifier", Classifier, (1, 6, 8),
                   {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "model.classes": 3,
                    "train.batch": 3, "train.lr": 5e-3, "train.eps": 1e-4, "train.ema": 0.9}),
    "classifier_clean": ("classifier", Classifier, (3, 4, 6),
                         {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "model.classes": 4,
                          "loss.noisy": "false", "train.batch": 2, "train.lr": 5e-3, "train.eps": 1e-4}),
    "score_vp": ("score", Score, (1, 6, 6),
                 {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "train.batch": 3,
                  "train.lr": 2e-3, "train.eps": 1e-4}),
    "score_ve": ("score", Score, (3, 4, 6),
                 {"model.block_out_channels": "4,8", "model.norm_num_groups": 2, "sde.kind": "ve",
                  "sde.sigma_min": 0.05, "sde.sigma_max": 20.0, "train.batch": 3, "train.lr": 2e-3,
                  "train.eps": 1e-4, "train.ema": 0.9}),
}
