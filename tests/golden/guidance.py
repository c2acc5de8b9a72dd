# SPDX-License-Identifier: MIT
"""Runs of a tiny model with the methods of guidance, through diffusers' UNet, schedulers and guiders.

    python tests/golden/guidance.py tests/data

Reads tests/data/model-train and model-train-xl. Writes tests/data/guidance.json (the cases) and guidance.safetensors
(noise and latents by case), in f32 on the CPU.
"""
import json
import sys
import warnings

import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.guiders.guider_utils import rescale_noise_cfg
from diffusers.models.attention_processor import PAGCFGIdentitySelfAttnProcessor2_0, PAGIdentitySelfAttnProcessor2_0
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
CASES = [
    dict(rescale=0.7),
    dict(begin=0.2, end=0.65),
    dict(projected=True, apg_eta=0.25),
    dict(projected=True, apg_eta=0.0, apg_momentum=-0.5, apg_norm=2.5),
    dict(projected=True, apg_eta=1.0, apg_momentum=0.3, apg_norm=0.5, rescale=0.4, begin=0.2, end=0.8, steps=6),
    dict(mimic_scale=2.0, mimic_percentile=0.9, guidance=9.0),
    dict(mimic_scale=3.0, mimic_percentile=1.0, begin=0.2, end=0.7, rescale=0.3),
    dict(pag_scale=3.0),
    dict(pag_scale=2.0, pag_layers="down.block_0,mid", rescale=0.5),
    dict(pag_scale=3.0, guidance=1.0),
    dict(model="train-xl", pag_scale=2.5),
    dict(slg_scale=2.5, slg_layers="0,2", slg_begin=0.1, slg_end=0.9, steps=6),
    dict(slg_scale=1.5, slg_layers="mid", slg_begin=0.01, slg_end=1.0),
    dict(plus=True, guidance=0.8),
    dict(sampler="ddim", plus=True, guidance=1.0),
    dict(sampler="euler_cfg_pp", guidance=1.2),
    # Ranges that end exactly at a step: 7 of 10.
    dict(pag_scale=2.0, pag_layers="blocks.1"),  # of both ways
    dict(begin=0.29, end=0.7, steps=10),
    dict(slg_scale=2.5, slg_layers="0,2", slg_begin=0.3, slg_end=0.7, steps=10),
]


def blocks_of(unet):
    """The transformer blocks in the order in which they run, with their paths."""
    order = {"down": 0, "mid": 1, "up": 2}
    found = [(n, m) for n, m in unet.named_modules() if n.rsplit(".", 1)[0].endswith("transformer_blocks")]
    return sorted(found, key=lambda item: order[item[0].split("_")[0]])


def listed(layers, path, index):
    for layer in layers.split(","):
        if layer.isdigit():
            if int(layer) == index:
                return True
        elif layer.replace("down", "down_blocks").replace("mid", "mid_block").replace(".block_", ".") + "." in path:
            return True
    return False


def perturb(unet, case, guided):
    """Makes the last third (or half) of a batch perturbed. Returns how to undo it."""
    processors = dict(unet.attn_processors)
    forwards = []
    for index, (path, block) in enumerate(blocks_of(unet)):
        if case.get("pag_scale") and listed(case.get("pag_layers", "mid"), path, index):
            block.attn1.set_processor((PAGCFGIdentitySelfAttnProcessor2_0 if guided else PAGIdentitySelfAttnProcessor2_0)())
        if case.get("slg_scale") and listed(case["slg_layers"], path, index):
            forward = block.forward
            forwards.append((block, forward))

            def skip(hidden, *args, forward=forward, **kwargs):
                out, parts = forward(hidden, *args, **kwargs), 3 if guided else 2
                return torch.cat([*out.chunk(parts)[:-1], hidden.chunk(parts)[-1]])
            block.forward = skip

    def undo():
        unet.set_attn_processor(processors)
        for block, forward in forwards:
            block.forward = forward
    return undo


def thresholded(m, mimicked, percentile):
    """sd-dynamic-thresholding's dynthres_core.py: channels apart, from the mean, by absolute values."""
    flat, other = m.flatten(2), mimicked.flatten(2)
    means = flat.mean(dim=2).unsqueeze(2)
    flat, other = flat - means, other - other.mean(dim=2).unsqueeze(2)
    wanted = other.abs().max(dim=2).values.unsqueeze(2)
    most = torch.maximum(wanted, torch.quantile(flat.abs(), percentile, dim=2).unsqueeze(2))
    return (flat.clamp(-most, most) / most * wanted + means).unflatten(2, m.shape[2:])


def scale_at(case, step, steps):
    if case.get("pag_scale"):
        return case["pag_scale"]
    inside = int(case["slg_begin"] * steps) < step < int(case["slg_end"] * steps)
    return case["slg_scale"] if inside else 0


@torch.no_grad()
def run(pipe, case, noise):
    scheduler = (DDIMScheduler if case["sampler"] == "ddim" else EulerDiscreteScheduler).from_config(pipe.scheduler.config)
    steps, g = case["steps"], case["guidance"]
    plus = case.get("plus") or case["sampler"].endswith("cfg_pp")
    guided = g != 1 or plus
    perturbed = bool(case.get("pag_scale") or case.get("slg_scale"))
    parts = ["c"] + ["u"] * guided
    order = ["u"] * guided + ["c"] + ["p"] * perturbed
    encoded = pipe.encode_prompt(case["prompt"], device="cpu", num_images_per_prompt=1, do_classifier_free_guidance="u" in parts,
                                 negative_prompt=case["negative"])
    xl = isinstance(pipe, StableDiffusionXLPipeline)
    text = {"c": encoded[0], "u": encoded[1], "p": encoded[0]}
    context, added = torch.cat([text[k] for k in order]), None
    if xl:
        pooled = {"c": encoded[2], "u": encoded[3], "p": encoded[2]}
        size = case["size"]
        ids = torch.tensor([[size, size, 0, 0, size, size]], dtype=torch.float32)
        added = {"text_embeds": torch.cat([pooled[k] for k in order]), "time_ids": ids.repeat(len(order), 1)}
    scheduler.set_timesteps(steps)
    momentum = MomentumBuffer(case["apg_momentum"]) if case.get("apg_momentum") else None
    undo = perturb(pipe.unet, case, guided)
    x = noise * scheduler.init_noise_sigma
    for i, t in enumerate(scheduler.timesteps):
        batch = scheduler.scale_model_input(torch.cat([x] * len(order)), t)
        out = pipe.unet(batch, t, encoder_hidden_states=context, added_cond_kwargs=added).sample
        out = dict(zip(order, out.chunk(len(order))))
        u, c = out.get("u"), out["c"]
        on = int(case.get("begin", 0) * steps) <= i < int(case.get("end", 1) * steps)
        if not on or u is None:
            m = c
        elif case.get("projected"):
            m = normalized_guidance(c, u, g, momentum, case["apg_eta"], case.get("apg_norm", 0))
        else:
            m = u + g * (c - u)
        if case.get("mimic_scale") and on:
            m = thresholded(m, u + case["mimic_scale"] * (c - u), case["mimic_percentile"])
        if perturbed:
            m = m + scale_at(case, i, steps) * (c - out["p"])
        if case.get("rescale"):
            m = rescale_noise_cfg(m, c, case["rescale"])
        if not plus:
            x = scheduler.step(m, t, x).prev_sample
            continue
        # CFG++ (Chung et al. 2024, algorithm 2), in k-diffusion's terms and in DDIM's: the model predicts epsilon.
        assert pipe.scheduler.config.prediction_type == "epsilon"
        if case["sampler"] == "ddim":
            at = scheduler.alphas_cumprod[t]
            before = t - scheduler.config.num_train_timesteps // steps
            to = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod
            x = to.sqrt() * (x - (1 - at).sqrt() * m) / at.sqrt() + (1 - to).sqrt() * u
        else:
            x = (x - scheduler.sigmas[i] * m) + scheduler.sigmas[i + 1] * u
            scheduler._step_index += 1
    undo()
    return x


def main(data):
    pipes, tensors, cases = {}, {}, []
    for index, given in enumerate(CASES):
        case = dict(model="train", sampler="euler", prompt="a red ship", negative="grey", steps=5, guidance=5.0, size=16) | given
        name = case["model"]
        if name not in pipes:
            cls = StableDiffusionXLPipeline if name.endswith("xl") else StableDiffusionPipeline
            pipe = pipes[name] = cls.from_pretrained(f"{data}/model-{name}", torch_dtype=torch.float32)
            for part in ("tokenizer", "tokenizer_2"):
                if hasattr(pipe, part):  # the tiny encoders read fewer tokens than the tokenizers' 77
                    getattr(pipe, part).model_max_length = pipe.text_encoder.config.max_position_embeddings
        torch.manual_seed(100 + index)
        noise = torch.randn(1, 4, case["size"] // 2, case["size"] // 2)
        tensors[f"{index}.noise"] = noise
        tensors[f"{index}.latents"] = run(pipes[name], case, noise).contiguous()
        cases.append(case)
    json.dump(cases, open(f"{data}/guidance.json", "w"), indent=1)
    save_file(tensors, f"{data}/guidance.safetensors")


main(*sys.argv[1:])
