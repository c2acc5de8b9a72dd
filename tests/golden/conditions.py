# SPDX-License-Identifier: MIT
"""Whole runs of UNets that read more than a prompt: LCM's guidance embedding and class labels, through diffusers.

    python tests/golden/conditions.py tests/data

Reads tests/data/model-* (made by models.py). Writes the tiny UNets model-variants/guided and guided-xl, conditions.json
(the cases) and conditions.safetensors (noise and latents by case). A case is the model `base` with its
UNet replaced by the variant `unet`. All in f32 on the CPU.
"""
import json
import os
import shutil
import sys
import warnings

import torch
from diffusers import (EulerDiscreteScheduler, LCMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from safetensors.torch import save_file

from models import clean, randomise

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_grad_enabled(False)

SHAPE = dict(sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, norm_num_groups=4,
             block_out_channels=(8, 16), attention_head_dim=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
             up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"))
GUIDED = {
    "guided": dict(SHAPE, cross_attention_dim=32, time_cond_proj_dim=13),
    "guided-xl": dict(SHAPE, cross_attention_dim=56, time_cond_proj_dim=16, addition_embed_type="text_time",
                      addition_time_embed_dim=8, projection_class_embeddings_input_dim=20 + 6 * 8),
}
CASES = [
    dict(base="sd1", unet="guided", sampler="lcm", steps=3, guidance=8.5),
    dict(base="sd1", unet="guided", sampler="lcm", steps=2, guidance=1.0),
    dict(base="sd1", unet="guided", sampler="euler", steps=3, guidance=4.0),
    dict(base="sdxl", unet="guided-xl", sampler="lcm", steps=3, guidance=7.3),
    dict(base="sd1", unet="class-table", sampler="euler", steps=3, guidance=5.0, negative="grey", label=4),
    dict(base="sd1", unet="class-table", sampler="euler", steps=2, guidance=1.0, label=0),
    dict(base="sd1", unet="class-timestep", sampler="euler", steps=3, guidance=5.0, label=250.5),
]
SAMPLERS = {"lcm": LCMScheduler, "euler": EulerDiscreteScheduler}


def make_unets(data):
    for i, (name, config) in enumerate(GUIDED.items()):
        folder = os.path.join(data, "model-variants", name)
        shutil.rmtree(folder, ignore_errors=True)
        randomise(UNet2DConditionModel(**config), 700 + i).half().save_pretrained(folder)
        clean(folder)


def with_labels(pipe, case, noise, generator):
    """Classes: no text-to-image pipeline passes them on, so the UNet is called in a loop, both branches with the label."""
    guided = case["guidance"] > 1
    text, negative = pipe.encode_prompt(case["prompt"], "cpu", 1, guided, negative_prompt=case.get("negative"))
    context = torch.cat([negative, text]) if guided else text
    whole = pipe.unet.config.num_class_embeds is not None
    labels = torch.tensor([case["label"]] * len(context), dtype=torch.long if whole else torch.float32)
    pipe.scheduler.set_timesteps(case["steps"])
    x = noise * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        inputs = pipe.scheduler.scale_model_input(torch.cat([x] * len(context)), t)
        out = pipe.unet(inputs, t, encoder_hidden_states=context, class_labels=labels).sample
        if guided:
            without, with_prompt = out.chunk(2)
            out = without + case["guidance"] * (with_prompt - without)
        x = pipe.scheduler.step(out, t, x, generator=generator).prev_sample
    return x


def run(data, case, seed):
    cls = StableDiffusionXLPipeline if case["base"] == "sdxl" else StableDiffusionPipeline
    pipe = cls.from_pretrained(f"{data}/model-{case['base']}", torch_dtype=torch.float32, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet = UNet2DConditionModel.from_pretrained(f"{data}/model-variants/{case['unet']}", torch_dtype=torch.float32)
    pipe.scheduler = SAMPLERS[case["sampler"]].from_config(pipe.scheduler.config)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator("cpu").manual_seed(seed + 1000))
    generator = torch.Generator("cpu").manual_seed(seed)
    if "label" in case:
        latents = with_labels(pipe, case, noise, generator)
    else:
        latents = pipe(prompt=case["prompt"], num_inference_steps=case["steps"], guidance_scale=case["guidance"], width=16,
                       height=16, generator=generator, latents=noise.clone(), output_type="latent").images
    return noise, latents


def main(data):
    make_unets(data)
    index, tensors = [], {}
    for i, case in enumerate(CASES):
        case = dict(case, prompt="a red ship", seed=300 + i)
        noise, latents = run(data, case, case["seed"])
        assert torch.isfinite(latents).all(), case
        index.append(case)
        tensors.update({f"{i}.noise": noise, f"{i}.latents": latents.contiguous()})
        print(i, case["unet"], float(latents.std()))
    with open(f"{data}/conditions.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/conditions.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
