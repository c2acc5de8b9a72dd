# SPDX-License-Identifier: MIT
"""Runs of the recipes of Stable Diffusion, for trainings.py: the ldm stages, lora, dreambooth and textual-inversion.

They begin with tests/data/model-train and model-train-xl, pipelines small enough to train on a CPU in seconds, which
`python tests/golden/trainings_latent.py tests/data` writes. Texts have eight tokens.
"""
import os
import shutil
import sys

import torch
import torch.nn as nn
from diffusers import (AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

VOCAB, END, TOKENS = 2813, 2812, 8


# ---- the models ----

def clip(cls, hidden, act, **more):
    return cls(CLIPTextConfig(vocab_size=VOCAB, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=2,
                              num_attention_heads=2, max_position_embeddings=TOKENS, hidden_act=act,
                              bos_token_id=END - 1, eos_token_id=END, pad_token_id=END, **more))


def write_models(folder):
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(1)
    vae = dict(block_out_channels=(4, 8), latent_channels=4, norm_num_groups=2, sample_size=16,
               down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2)
    unet = dict(sample_size=4, layers_per_block=1, norm_num_groups=4, block_out_channels=(8, 12), attention_head_dim=2,
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    betas = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False)

    def tokenizer():
        return CLIPTokenizer.from_pretrained(f"{folder}/model-sd1/tokenizer")

    parts = {
        "model-train": lambda: StableDiffusionPipeline(
            vae=AutoencoderKL(**vae), unet=UNet2DConditionModel(cross_attention_dim=8, **unet), tokenizer=tokenizer(),
            text_encoder=clip(CLIPTextModel, 8, "quick_gelu"), scheduler=DDPMScheduler(**betas), safety_checker=None,
            feature_extractor=None, requires_safety_checker=False),
        "model-train-xl": lambda: StableDiffusionXLPipeline(
            vae=AutoencoderKL(scaling_factor=0.13025, **vae), tokenizer=tokenizer(), tokenizer_2=tokenizer(),
            unet=UNet2DConditionModel(cross_attention_dim=14, use_linear_projection=True,
                                      addition_embed_type="text_time",
                                      addition_time_embed_dim=4, projection_class_embeddings_input_dim=5 + 6 * 4,
                                      **unet),
            text_encoder=clip(CLIPTextModel, 8, "quick_gelu"),
            text_encoder_2=clip(CLIPTextModelWithProjection, 6, "gelu", projection_dim=5),
            scheduler=DDPMScheduler(prediction_type="v_prediction", **betas)),
    }
    for name, build in parts.items():
        shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
        pipeline = build()
        for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder, getattr(pipeline, "text_encoder_2", None)):
            for key, p in part.named_parameters() if part else ():
                shifted = p.dim() == 1 and p.data.any()
                p.data = (p.data + 0.1 * torch.randn(p.shape) if shifted else p.data).half().float()
        pipeline.to(dtype=torch.float16).save_pretrained(f"{folder}/{name}")


# ---- layers ----

class Adapted(nn.Module):
    """A linear layer with an adapter of low rank."""

    def __init__(self, layer, rank, alpha):
        super().__init__()
        self.layer, self.scale = layer, alpha / rank
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features ** 0.5)
        self.up = nn.Parameter(0.1 * torch.randn(layer.out_features, rank))

    def forward(self, x):
        return self.layer(x) + self.scale * (x @ self.down.T @ self.up.T)


class Extended(nn.Module):
    """A token table with new rows at its end."""

    def __init__(self, table, rows):
        super().__init__()
        self.table, self.rows = table, nn.Parameter(0.3 * torch.randn(rows, table.weight.shape[1]))

    @property
    def weight(self):
        return self.table.weight

    def forward(self, ids):
        return torch.cat([self.table.weight, self.rows])[ids]


# ---- trainings ----

class Latent(nn.Module):
    """The loss of a pipeline's UNet, and what of it is trained by its names in fumarole's files."""
    copies = 1

    def __init__(self, s, shape):
        super().__init__()
        self.folder = s.get("model", "model-train")
        folder, load = f"{sys.argv[1]}/{self.folder}", {"torch_dtype": torch.float64}
        self.s, self.shape, self.xl = s, shape, self.folder.endswith("-xl")
        self.vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", **load)
        self.unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **load)
        classes = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
        parts = list(classes)[:2 if self.xl else 1]
        self.texts = nn.ModuleList(classes[part].from_pretrained(folder, subfolder=part, dtype=torch.float64)
                                   for part in parts)
        self.schedule = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
        for part in (self.vae, self.unet, self.texts):
            part.requires_grad_(False)
        self.named = {}
        self.prepare()
        for p in self.named.values():
            p.requires_grad_(True)

    def parameters(self, recurse=True):
        return iter(self.named.values())

    def state_dict(self, *args, **kwargs):
        return {k: v.detach() for k, v in self.named.items()}

    def take(self, prefix, part):
        """Names a part's parameters; a text encoder's begin with text_model in every version of transformers."""
        text = prefix.startswith("text_encoder")
        for name, p in part.named_parameters():
            bare = text and not name.startswith("text_model.")
            self.named[prefix + ("text_model." if bare else "") + name] = p

    def prepare(self):
        train = self.s.get("model.train", "both")
        if train != "text_encoder":
            self.take("unet.", self.unet)
        if train != "unet":
            self.take("text_encoder.", self.texts[0])

    def encode(self, ids):
        if not self.xl:
            return self.texts[0](ids)[0], {}
        outs = [text(ids, output_hidden_states=True) for text in self.texts]
        context = torch.cat([o.hidden_states[-2] for o in outs], -1)
        c, h, w = self.shape
        sizes = torch.tensor([[h, w, 0, 0, h, w]] * len(ids), dtype=torch.float64)
        return context, {"text_embeds": outs[1].text_embeds, "time_ids": sizes}

    def errors(self, r):
        q = self.vae.encode(r["x"]).latent_dist
        z = (q.mean + q.std * r["eps"]) * self.vae.config.scaling_factor
        t = r["t"].long()
        a = self.schedule.alphas_cumprod.double()[t].view(-1, 1, 1, 1)
        context, more = self.encode(r["ids"].long())
        out = self.unet(a.sqrt() * z + (1 - a).sqrt() * r["noise"], t, context, added_cond_kwargs=more).sample
        v = self.schedule.config.prediction_type == "v_prediction"
        target = a.sqrt() * r["noise"] - (1 - a).sqrt() * z if v else r["noise"]
        return (target - out) ** 2

    def loss(self, r):
        return self.errors(r).mean(), {}

    def draws(self, rows):
        c, h, w = self.shape
        return {"eps": (rows, 4, h // 2, w // 2), "noise": (rows, 4, h // 2, w // 2)}

    def integers(self):
        return {"t": 1000}

    def more(self, steps, rows):
        ids = torch.full((steps, rows, TOKENS), END, dtype=torch.int32)
        ids[..., 0] = END - 1
        ids[..., 1:4] = torch.randint(1, END - 1, (steps, rows, 3), dtype=torch.int32)
        return {"ids": ids}


class Lora(Latent):
    def prepare(self):
        linear, text = self.s.get("lora.targets") == "all-linear", self.s.get("lora.text_encoder") == "true"
        ends = ("to_q", "to_k", "to_v", "to_out.0")
        self.adapt(self.unet, "lora_unet_", lambda n: linear or n.endswith(ends))
        text_ends = ("q_proj", "k_proj", "v_proj", "out_proj") + (("fc1", "fc2") if linear else ())
        for i, encoder in enumerate(self.texts if text else ()):
            head = f"lora_te{i + 1}_" if self.xl else "lora_te_"
            # The UNet of XL reads the states before the last layer of its first encoder.
            unused = ".layers.1." if self.xl and i == 0 else "none"
            self.adapt(encoder, head, lambda n: n.endswith(text_ends) and unused not in n)

    def adapt(self, root, head, wanted):
        for name, layer in list(root.named_modules()):
            if not isinstance(layer, nn.Linear) or not wanted(name):
                continue
            adapted = Adapted(layer, self.s["lora.rank"], self.s["lora.alpha"])
            path, _, last = name.rpartition(".")
            setattr(root.get_submodule(path), last, adapted)
            if head != "lora_unet_" and not name.startswith("text_model."):
                name = "text_model." + name
            key = head + name.replace(".", "_")
            self.named[key + ".lora_down.weight"], self.named[key + ".lora_up.weight"] = adapted.down, adapted.up


class Inversion(Latent):
    def prepare(self):
        for encoder, name in zip(self.texts, ("clip_l", "clip_g") if self.xl else ("emb_params",)):
            path = next(n for n, _ in encoder.named_modules() if n.endswith("token_embedding"))
            parent = encoder.get_submodule(path.rpartition(".")[0])
            table = Extended(parent.token_embedding, self.s["inversion.vectors"])
            parent.token_embedding = table
            self.named[name] = table.rows

    def more(self, steps, rows):
        ids = super().more(steps, rows)["ids"]
        for i in range(self.s["inversion.vectors"]):
            ids[:, :, 2 + i] = VOCAB + i
        return {"ids": ids}


class DreamBooth(Latent):
    copies = 2

    def prepare(self):
        self.take("unet.", self.unet)

    def loss(self, r):
        errors, half = self.errors(r), len(r["x"]) // 2
        instance, prior = errors[:half].mean(), errors[half:].mean()
        return instance + self.s.get("loss.prior", 1) * prior, {"instance": instance, "prior": prior}


class DreamBoothLora(DreamBooth):
    prepare, adapt = Lora.prepare, Lora.adapt


class Autoencoder(nn.Module):
    def __init__(self, s, shape):
        super().__init__()
        channels = s.ints("model.block_out_channels")
        n = len(channels)
        self.s, self.shape = s, shape
        self.network = AutoencoderKL(
            in_channels=shape[0], out_channels=shape[0], block_out_channels=channels,
            latent_channels=s["model.latent_channels"], norm_num_groups=s["model.norm_num_groups"],
            layers_per_block=s["model.layers_per_block"], down_block_types=["DownEncoderBlock2D"] * n,
            up_block_types=["UpDecoderBlock2D"] * n).double()

    def state_dict(self, *args, **kwargs):
        return self.network.state_dict()

    def loss(self, r):
        q = self.network.encode(r["x"]).latent_dist
        y = self.network.decode(q.mean + q.std * r["eps"]).sample
        reconstruction, kl = ((r["x"] - y) ** 2).mean(), q.kl().mean()
        loss = reconstruction + self.s["loss.kl"] * kl / r["x"][0].numel()
        return loss, {"reconstruction": reconstruction, "kl": kl}

    def draws(self, rows):
        c, h, w = self.shape
        factor = 2 ** (len(self.s.ints("model.block_out_channels")) - 1)
        return {"eps": (rows, self.s["model.latent_channels"], h // factor, w // factor)}


# The bias of a key has no gradient but rounding, which Adam's eps must outweigh.
COMMON = {"train.lr": 2e-3, "train.eps": 1e-5}
XL = {"model": "model-train-xl"}

CASES = {
    "ldm_vae": ("ldm", Autoencoder, (3, 8, 6),
                {"model.block_out_channels": "4,8", "model.latent_channels": 3, "model.norm_num_groups": 2,
                 "model.layers_per_block": 1, "loss.kl": 0.05, "train.batch": 2, "train.ema": 0.9, **COMMON}),
    "ldm_unet": ("ldm", Latent, (3, 8, 8), {"model.train": "unet", "train.batch": 2, **COMMON}),
    "ldm_text": ("ldm", Latent, (3, 4, 8),
                 {"model.train": "text_encoder", "train.batch": 1, "train.accumulate": 2, **COMMON,
                  "train.eps": 1e-4}),
    "lora": ("lora", Lora, (3, 8, 8), {"lora.rank": 3, "lora.alpha": 6, "train.batch": 2, **COMMON}),
    "lora_all": ("lora", Lora, (3, 4, 8), {"lora.rank": 2, "lora.alpha": 1, "lora.targets": "all-linear",
                                           "lora.text_encoder": "true", "train.batch": 2, **COMMON}),
    "lora_xl": ("lora", Lora, (3, 8, 4), {"lora.rank": 2, "lora.alpha": 2, "lora.targets": "all-linear",
                                          "lora.text_encoder": "true", "train.batch": 2, **COMMON, **XL}),
    "dreambooth": ("dreambooth", DreamBooth, (3, 4, 8),
                   {"loss.prior": 0.7, "train.batch": 1, "train.accumulate": 2, **COMMON}),
    "dreambooth_lora": ("dreambooth", DreamBoothLora, (3, 4, 4),
                        {"lora.rank": 2, "lora.alpha": 2, "train.batch": 2, **COMMON}),
    "inversion": ("textual-inversion", Inversion, (3, 4, 8), {"inversion.vectors": 2, "train.batch": 2, **COMMON}),
    "inversion_xl": ("textual-inversion", Inversion, (3, 8, 4),
                     {"inversion.vectors": 2, "train.batch": 1, **COMMON, **XL}),
}

if __name__ == "__main__":
    write_models(os.path.abspath(sys.argv[1]))
