#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/data/train_CASE.safetensors: short runs of the training recipes by PyTorch, in double.

A file holds the weights at step 0 (`init.`), everything that would be drawn (`replay.`), every term, learning rate and
gradient norm of each step (`log.`), and what the run ends with (`final.`, `ema.`). Its metadata are the recipe and the
settings, a line each. Pictures and noise are rounded to f16, which is how they are stored, before anything is computed.

Needs torch and diffusers; running the tests does not.

    python tests/golden/trainings.py tests/data [CASE ...]
"""
import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from diffusers import VQModel
from safetensors.torch import save_file

import trainings_diffusion
import trainings_latent

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
STEPS = 50
ACTIVATIONS = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu, "tanh": torch.tanh}


class Settings(dict):
    """Settings by SECTION.KEY, with the defaults that all recipes share."""
    DEFAULTS = {"train.accumulate": 1, "train.optimiser": "adamw", "train.beta1": 0.9, "train.beta2": 0.999,
                "train.eps": 1e-8, "train.weight_decay": 0.0, "train.momentum": 0.0, "train.lr_schedule": "constant",
                "train.warmup": 0, "train.clip": 0.0, "train.ema": 0.0}

    def __missing__(self, key):
        return self.DEFAULTS[key]

    def ints(self, key):
        return [int(n) for n in str(self[key]).split(",")]


# ---- vae and cvae ----

class Autoencoder(nn.Module):
    def __init__(self, s, shape):
        super().__init__()
        c, h, w = shape
        self.s, self.shape, self.activation = s, shape, ACTIVATIONS[s.get("model.activation", "relu")]
        self.conv = s.get("model.arch", "mlp") == "conv"
        widths = s.ints("model.channels" if self.conv else "model.hidden")
        levels, latent = len(widths), s["model.latent"]
        back = widths[::-1]
        if self.conv:
            sizes = [c] + widths
            self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(sizes, sizes[1:]))
            self.last = (widths[-1], h >> levels, w >> levels)
            flat = math.prod(self.last)
            self.expand = nn.Linear(latent, flat)
            self.decoder = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1) for a, b in zip(back, back[1:] + [widths[0]]))
            self.output = nn.Conv2d(widths[0], c, 3, 1, 1)
        else:
            sizes = [c * h * w] + widths
            self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
            flat = widths[-1]
            self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip([latent] + back, back))
            self.output = nn.Linear(widths[0], c * h * w)
        self.mean, self.log_variance = nn.Linear(flat, latent), nn.Linear(flat, latent)
        if "model.classes" in s:
            self.class_mean = nn.Embedding(s["model.classes"], latent)
            nn.init.zeros_(self.class_mean.weight)

    def encode(self, x):
        h = x if self.conv else x.flatten(1)
        for layer in self.encoder:
            h = self.activation(layer(h))
        return self.mean(h.flatten(1)), self.log_variance(h.flatten(1))

    def decode(self, z):
        h = self.activation(self.expand(z)).reshape(-1, *self.last) if self.conv else z
        for layer in self.decoder:
            if self.conv:
                h = F.interpolate(h, scale_factor=2)
            h = self.activation(layer(h))
        return self.output(h).reshape(-1, *self.shape)

    def loss(self, r):
        mean, log_variance = self.encode(r["x"])
        logits = self.decode(mean + torch.exp(log_variance / 2) * r["eps"])
        prior = self.class_mean(r["label"].long()) if "model.classes" in self.s else 0
        kl = 0.5 * ((mean - prior) ** 2 + log_variance.exp() - log_variance - 1).sum(1).mean()
        reconstruction = reconstruct(self.s, logits, r["x"])
        return reconstruction + self.s.get("loss.beta", 1) * kl, {"reconstruction": reconstruction, "kl": kl}

    def draws(self, rows):
        return {"eps": (rows, self.s["model.latent"])}

    def noise_size(self):
        return self.s["model.latent"]

    def draw(self, noise):
        z = noise + self.class_mean(torch.tensor([1])) if "model.classes" in self.s else noise
        return torch.sigmoid(self.decode(z))

    def reconstruct(self, x):
        return torch.sigmoid(self.decode(self.encode(x)[0]))


def reconstruct(s, logits, x):
    if s.get("loss.reconstruction", "bernoulli") == "bernoulli":
        each = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    else:
        each = (x - torch.sigmoid(logits)) ** 2 / (2 * s["loss.variance"])
    return each.flatten(1).sum(1).mean()


# ---- hvae ----

class Conditional(nn.Module):
    """A diagonal Gaussian with one hidden layer."""
    def __init__(self, given, hidden, size):
        super().__init__()
        self.hidden = nn.Linear(given, hidden)
        self.mean, self.log_variance = nn.Linear(hidden, size), nn.Linear(hidden, size)

    def forward(self, given):
        h = F.relu(self.hidden(given))
        return self.mean(h), self.log_variance(h)


class Decoder(nn.Module):
    def __init__(self, given, hidden, size):
        super().__init__()
        self.hidden, self.output = nn.Linear(given, hidden), nn.Linear(hidden, size)

    def forward(self, z):
        return self.output(F.relu(self.hidden(z)))


class Hierarchy(nn.Module):
    def __init__(self, s, shape):
        super().__init__()
        self.s, self.shape, self.sizes, hidden = s, shape, s.ints("model.latent"), s["model.hidden"]
        pixels = math.prod(shape)
        chain = [pixels] + self.sizes
        self.q = nn.ModuleDict({str(t): Conditional(chain[t - 1], hidden, chain[t]) for t in range(1, len(chain))})
        self.p = nn.ModuleDict({"0": Decoder(chain[1], hidden, pixels)})
        for t in range(1, len(chain) - 1):
            self.p[str(t)] = Conditional(chain[t + 1], hidden, chain[t])

    def loss(self, r):
        z, q = [r["x"].flatten(1)], [None]
        for t in range(1, len(self.sizes) + 1):
            q.append(self.q[str(t)](z[-1]))
            z.append(q[-1][0] + torch.exp(q[-1][1] / 2) * r[f"eps_{t}"])
        terms = {"reconstruction": reconstruct(self.s, self.p["0"](z[1]), z[0])}
        for t in range(1, len(self.sizes)):
            (m1, v1), (m2, v2) = q[t], self.p[str(t)](z[t + 1])
            each = 0.5 * (torch.exp(v1 - v2) + (m1 - m2) ** 2 / v2.exp() - 1 - v1 + v2)
            terms[f"consistency_{t}"] = each.sum(1).mean()
        m, v = q[-1]
        terms["prior"] = 0.5 * (m ** 2 + v.exp() - v - 1).sum(1).mean()
        loss = sum(terms.values())
        return loss, {**terms, "elbo": -loss}

    def draws(self, rows):
        return {f"eps_{t + 1}": (rows, n) for t, n in enumerate(self.sizes)}

    def noise_size(self):
        return sum(self.sizes)

    def draw(self, noise):
        parts = noise.split(self.sizes[::-1], dim=1)
        z = parts[0]
        for t, eps in zip(range(len(self.sizes) - 1, 0, -1), parts[1:]):
            mean, log_variance = self.p[str(t)](z)
            z = mean + torch.exp(log_variance / 2) * eps
        return torch.sigmoid(self.p["0"](z)).reshape(-1, *self.shape)

    def reconstruct(self, x):
        return torch.sigmoid(self.p["0"](self.q["1"](x.flatten(1))[0])).reshape(-1, *self.shape)


# ---- vqvae ----

class Vectors(nn.Module):
    """diffusers' VQModel with the losses of the recipe, and the codebook of moving averages."""
    KEYS = ("block_out_channels", "layers_per_block", "latent_channels", "vq_embed_dim", "num_vq_embeddings",
            "norm_num_groups", "mid_block_add_attention")

    def __init__(self, s, shape):
        super().__init__()
        config = {k: s["model." + k] for k in self.KEYS if "model." + k in s}
        config["mid_block_add_attention"] = s.get("model.mid_block_add_attention", "true") == "true"
        config["block_out_channels"] = tuple(s.ints("model.block_out_channels"))
        levels = len(config["block_out_channels"])
        self.s = s
        self.net = VQModel(in_channels=shape[0], out_channels=shape[0], scaling_factor=1.0,
                           down_block_types=("DownEncoderBlock2D",) * levels,
                           up_block_types=("UpDecoderBlock2D",) * levels, **config)
        self.averaged = s.get("loss.codebook", "gradient") == "ema"
        codes = self.net.quantize.embedding.weight
        codes.data = codes.data.float().double()
        self.counts, self.sums = torch.ones(len(codes)), codes.data.clone()
        self.idle, self.outputs = torch.zeros(len(codes)), []

    def state_dict(self, *args, **kwargs):
        return self.net.state_dict(*args, **kwargs)

    def trained(self):
        return [p for n, p in self.net.named_parameters() if not (self.averaged and n.startswith("quantize"))]

    def loss(self, r):
        x, codes = r["x"], self.net.quantize.embedding.weight
        z = self.net.encode(x).latents
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        ids = torch.cdist(flat, codes).argmin(1)
        self.outputs.append((ids, flat.detach()))
        vectors = codes[ids].reshape(z.shape[0], *z.shape[2:], -1).permute(0, 3, 1, 2)
        quantised = z + (vectors - z).detach()
        y = self.net.decoder(self.net.post_quant_conv(quantised))
        share = torch.bincount(ids, minlength=len(codes)) / len(ids)
        terms = {"reconstruction": F.mse_loss(y, x), "commitment": F.mse_loss(z, vectors.detach()),
                 "codebook": F.mse_loss(vectors, z.detach()),
                 "perplexity": torch.exp(-torch.xlogy(share, share).sum())}
        loss = terms["reconstruction"] + self.s.get("loss.commitment", 0.25) * terms["commitment"]
        return loss if self.averaged else loss + terms["codebook"], terms

    def after_update(self):
        codes, restart = self.net.quantize.embedding.weight.data, self.s.get("loss.restart", 0)
        ids = torch.cat([i for i, _ in self.outputs])
        flat, last = torch.cat([z for _, z in self.outputs]), self.outputs[-1][1]
        self.outputs = []
        counts = torch.bincount(ids, minlength=len(codes)).double()
        if self.averaged:
            d = self.s["loss.decay"]
            self.counts = d * self.counts + (1 - d) * counts
            self.sums = d * self.sums + (1 - d) * torch.zeros_like(codes).index_add_(0, ids, flat)
            total = self.counts.sum()
            smooth = (self.counts + 1e-5) / (total + len(codes) * 1e-5) * total
            codes.copy_(self.sums / smooth[:, None])
        if restart:
            self.idle = torch.where(counts > 0, torch.zeros_like(counts), self.idle + 1)
            dead = self.idle >= restart
            chosen = last.repeat(-(-len(codes) // len(last)), 1)
            chosen = chosen[::len(chosen) // len(codes)][:len(codes)]
            codes[dead], self.sums[dead] = chosen[dead], chosen[dead]
            self.counts[dead], self.idle[dead] = 1, 0

    def draws(self, rows):
        return {}

    def reconstruct(self, x):
        y = self.net.decode(self.net.encode(2 * x - 1).latents).sample
        return (y / 2 + 0.5).clamp(0, 1)


# ---- a run ----

def half(t):
    return t.half().double()


def optimiser(s, parameters):
    common = {"lr": 1.0, "weight_decay": s["train.weight_decay"]}
    if s["train.optimiser"] == "sgd":
        return torch.optim.SGD(parameters, momentum=s["train.momentum"], **common)
    kind = torch.optim.AdamW if s["train.optimiser"] == "adamw" else torch.optim.Adam
    return kind(parameters, betas=(s["train.beta1"], s["train.beta2"]), eps=s["train.eps"], **common)


def rate(s, done):
    warm = min(1, (done + 1) / s["train.warmup"]) if s["train.warmup"] else 1
    q = max(0, done - s["train.warmup"]) / (STEPS - s["train.warmup"])
    scale = {"constant": 1, "linear": 1 - q, "cosine": (1 + math.cos(math.pi * q)) / 2}[s["train.lr_schedule"]]
    return s["train.lr"] * warm * scale


def make_replay(s, model, shape, signed):
    rows = s["train.batch"] * s["train.accumulate"] * getattr(model, "copies", 1)
    x = torch.rand(STEPS, rows, *shape)
    # A few bright shapes on a dark ground, so that there is something to learn.
    centre = torch.rand(STEPS, rows, 1, 1, 1) * shape[2]
    x = 0.4 * x + 0.6 * (torch.arange(shape[2]) - centre).abs().lt(1.5)
    replay = {"x": half(2 * x - 1 if signed else x)}
    for name, size in model.draws(rows).items():
        replay[name] = half(torch.randn(STEPS, *size))
    for name, limit in (model.integers() if hasattr(model, "integers") else {}).items():
        replay[name] = torch.randint(0, limit, (STEPS, rows), dtype=torch.int32)
    for name, least in (model.uniforms() if hasattr(model, "uniforms") else {}).items():
        replay[name] = half(least + (1 - least) * torch.rand(STEPS, rows)).clamp(min=least)
    if hasattr(model, "more"):
        replay.update(model.more(STEPS, rows))
    if "model.classes" in s:
        limit = s["model.classes"] + getattr(model, "empty_classes", 0)
        replay["label"] = torch.randint(0, limit, (STEPS, rows), dtype=torch.int32)
    return replay


def train(s, model, replay):
    parameters = model.trained() if hasattr(model, "trained") else list(model.parameters())
    update = optimiser(s, parameters)
    averaged = {k: v.clone() for k, v in model.state_dict().items()} if s["train.ema"] else {}
    log = {}
    for step in range(STEPS):
        update.zero_grad()
        sums = {}
        for micro in range(s["train.accumulate"]):
            count = s["train.batch"] * getattr(model, "copies", 1)
            rows = slice(micro * count, (micro + 1) * count)
            loss, terms = model.loss({k: v[step, rows] for k, v in replay.items()})
            (loss / s["train.accumulate"]).backward()
            for name, value in {"loss": loss, **terms}.items():
                sums[name] = sums.get(name, 0) + value.item() / s["train.accumulate"]
        norm = torch.sqrt(sum((p.grad ** 2).sum() for p in parameters if p.grad is not None))
        if s["train.clip"]:
            torch.nn.utils.clip_grad_norm_(parameters, s["train.clip"])
        for name, value in {**sums, "lr": rate(s, step), "grad_norm": norm.item()}.items():
            log.setdefault(name, []).append(value)
        update.param_groups[0]["lr"] = rate(s, step)
        update.step()
        if hasattr(model, "after_update"):
            model.after_update()
        for name, value in averaged.items():
            value.mul_(s["train.ema"]).add_((1 - s["train.ema"]) * model.state_dict()[name])
    return log, averaged


def stored(prefix, tensors, dtype=torch.float32):
    return {prefix + k: v.detach().clone().to(dtype).contiguous() if v.is_floating_point() else v
            for k, v in tensors.items()}


def draw(model, shape, averaged):
    """What the trained model makes of given noise, and of a picture."""
    net = getattr(model, "net", model)
    if averaged:
        net.load_state_dict(averaged)
    picture = torch.randint(0, 256, (1, *shape)) / 255
    out = {"picture": picture}
    with torch.no_grad():
        out["reconstruction"] = model.reconstruct(picture)
        if hasattr(model, "draw"):
            noise = half(torch.randn(2, model.noise_size()))
            out.update(noise=noise[:, :, None, None], drawn=model.draw(noise))
    return out


def write_case(folder, name, recipe, build, shape, settings):
    torch.manual_seed(sum(name.encode()))
    s = Settings(settings)
    model = build(s, shape)
    for p in model.parameters():
        p.data = p.data.float().double()
    signed = recipe not in ("vae", "cvae", "hvae")
    replay = make_replay(s, model, shape, signed)
    out = {**stored("init.", model.state_dict()), **stored("replay.", replay, torch.float16)}
    log, averaged = train(s, model, replay)
    out.update({"log." + k: torch.tensor(v).float() for k, v in log.items()})
    out.update(stored("final.", model.state_dict()))
    out.update(stored("ema.", averaged))
    if hasattr(model, "reconstruct"):
        out.update(stored("draw.", draw(model, shape, averaged)))
    lines = "\n".join(f"{k}={v}" for k, v in {**settings, "train.steps": STEPS}.items() if k != "model")
    begins = {"model": model.folder} if hasattr(model, "folder") else {}
    if hasattr(model, "prior"):
        begins["prior"] = model.prior
    path = f"{folder}/train_{name}.safetensors"
    save_file(out, path, {"recipe": recipe, "settings": lines, **begins})
    print(f"{path}: loss {log['loss'][0]:.4f} to {log['loss'][-1]:.4f}")


# The bias of attention's keys has no gradient but rounding, which Adam would make as large as any other.
ATTENTION = {"train.eps": 1e-5}

CASES = {
    "vae_mlp": ("vae", Autoencoder, (1, 5, 7),
                {"model.hidden": "11,6", "model.latent": 3, "train.batch": 5, "train.lr": 5e-3,
                 "train.weight_decay": 0.1}),
    "vae_conv": ("vae", Autoencoder, (3, 8, 12),
                 {"model.arch": "conv", "model.channels": "5,7", "model.latent": 3, "model.activation": "silu",
                  "loss.reconstruction": "gaussian", "loss.variance": 0.5, "train.optimiser": "adam",
                  "train.batch": 3, "train.lr": 5e-3, "train.weight_decay": 0.01, "train.clip": 5.0,
                  "train.lr_schedule": "cosine", "train.warmup": 7}),
    "vae_accumulate": ("vae", Autoencoder, (1, 6, 6),
                       {"model.hidden": "9", "model.latent": 2, "model.activation": "tanh", "loss.beta": 0.5,
                        "train.optimiser": "sgd", "train.momentum": 0.8, "train.batch": 3, "train.accumulate": 2,
                        "train.lr": 0.02, "train.weight_decay": 0.02, "train.lr_schedule": "linear",
                        "train.warmup": 5, "train.clip": 20.0, "train.ema": 0.95}),
    "vae_gelu": ("vae", Autoencoder, (1, 8, 8),
                 {"model.arch": "conv", "model.channels": "3", "model.latent": 5, "model.activation": "gelu",
                  "train.optimiser": "sgd", "train.batch": 2, "train.lr": 0.01, "train.accumulate": 3,
                  "loss.beta": 4, "train.ema": 0.8}),
    "cvae": ("cvae", Autoencoder, (1, 6, 5),
             {"model.hidden": "10", "model.latent": 3, "model.classes": 3, "train.batch": 3, "train.accumulate": 2,
              "train.lr": 0.01, "train.weight_decay": 0.05, "loss.beta": 0.7}),
    "cvae_conv": ("cvae", Autoencoder, (3, 8, 8),
                  {"model.arch": "conv", "model.channels": "6,3", "model.latent": 4, "model.classes": 5,
                   "loss.reconstruction": "gaussian", "loss.variance": 0.1, "train.batch": 4, "train.lr": 5e-3,
                   "train.optimiser": "adam", "train.clip": 30.0}),
    "hvae": ("hvae", Hierarchy, (1, 5, 6),
             {"model.levels": 3, "model.latent": "7,5,3", "model.hidden": 11, "train.batch": 4, "train.lr": 5e-3,
              "train.clip": 3.0}),
    "hvae_gaussian": ("hvae", Hierarchy, (3, 4, 4),
                      {"model.levels": 2, "model.latent": "6,2", "model.hidden": 9, "train.batch": 2,
                       "train.accumulate": 2, "train.lr": 5e-3, "loss.reconstruction": "gaussian",
                       "loss.variance": 0.25}),
    "vqvae": ("vqvae", Vectors, (1, 6, 8),
              {"model.block_out_channels": "4,6", "model.layers_per_block": 1, "model.latent_channels": 3,
               "model.vq_embed_dim": 5, "model.num_vq_embeddings": 7, "model.norm_num_groups": 2, "train.batch": 3,
               "train.lr": 2e-3, "train.clip": 1.0, "train.ema": 0.9, **ATTENTION}),
    "vqvae_ema": ("vqvae", Vectors, (3, 4, 4),
                  {"model.block_out_channels": "6,4", "model.layers_per_block": 1, "model.latent_channels": 4,
                   "model.vq_embed_dim": 4, "model.num_vq_embeddings": 9, "model.norm_num_groups": 2,
                   "model.mid_block_add_attention": "false", "train.batch": 2, "train.accumulate": 2,
                   "train.lr": 2e-3, "train.weight_decay": 0.1, "train.ema": 0.8, "loss.codebook": "ema",
                   "loss.commitment": 0.5, "loss.decay": 0.9}),
    "vqvae_restart": ("vqvae", Vectors, (1, 4, 6),
                      {"model.block_out_channels": "4", "model.layers_per_block": 1, "model.latent_channels": 3,
                       "model.vq_embed_dim": 3, "model.num_vq_embeddings": 13, "model.norm_num_groups": 2,
                       "train.batch": 2, "train.lr": 2e-3, "loss.codebook": "ema", "loss.decay": 0.8,
                       "loss.restart": 5, **ATTENTION}),
    "vqvae_repeat": ("vqvae", Vectors, (1, 2, 4),
                     {"model.block_out_channels": "4,4", "model.layers_per_block": 1, "model.latent_channels": 2,
                      "model.vq_embed_dim": 2, "model.num_vq_embeddings": 11, "model.norm_num_groups": 2,
                      "train.batch": 2, "train.lr": 2e-3, "train.optimiser": "sgd", "loss.restart": 3}),
    **trainings_diffusion.CASES,
    **trainings_latent.CASES,
}


def main():
    wanted = sys.argv[2:] or list(CASES)
    for name in wanted:
        write_case(sys.argv[1], name, *CASES[name])


if __name__ == "__main__":
    main()
