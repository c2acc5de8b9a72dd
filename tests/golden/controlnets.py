#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs of diffusers' ControlNet pipelines with tiny ControlNets: one, and two at once, with start and end.

    python tests/golden/controlnets.py tests/data

Reads tests/data/model-* (made by models.py). Writes tests/data/controls: the UNets unet-sd and unet-xl, the ControlNets
net-a and net-xl (folders) and net-b.safetensors (the original layout), with the runs golden.json and golden.safetensors
(noise, pictures and latents by case). tests/pipeline/controls.c reads them. All in f32 on the CPU.
"""
import json
import os
import shutil
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import (ControlNetModel, DDIMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       StableDiffusionControlNetPipeline, StableDiffusionPipeline, StableDiffusionXLControlNetPipeline,
                       StableDiffusionXLPipeline, UNet2DConditionModel)
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from PIL import Image
from safetensors.torch import save_file

from models import clean, randomise

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_grad_enabled(False)

SHAPE = dict(sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, norm_num_groups=4,
             block_out_channels=(8, 16), attention_head_dim=2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
             up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
UNETS = {
    "unet-sd": dict(SHAPE, cross_attention_dim=32),
    "unet-xl": dict(SHAPE, cross_attention_dim=56, addition_embed_type="text_time", addition_time_embed_dim=8,
                    projection_class_embeddings_input_dim=20 + 6 * 8, use_linear_projection=True),
}
NETS = {"net-a": "unet-sd", "net-b": "unet-sd", "net-xl": "unet-xl"}
CASES = [
    dict(base="sd1", nets=[dict(net="net-a", strength=0.9)], sampler="euler", steps=4, guidance=5.0),
    dict(base="sd1", nets=[dict(net="net-a", strength=0.7, end=0.6), dict(net="net-b", strength=1.2, start=0.3)],
         sampler="ddim", steps=5, guidance=3.0),
    dict(base="sd1", nets=[dict(net="net-b", strength=1.0, end=0.5)], sampler="heun", steps=3, guidance=1.0),
    dict(base="sd2", nets=[dict(net="net-a", strength=0.9, start=0.5)], sampler="ddim", steps=4, guidance=5.0),
    dict(base="sdxl", nets=[dict(net="net-xl", strength=0.9)], sampler="euler", steps=3, guidance=4.0),
    dict(base="sdxl", nets=[dict(net="net-xl", strength=0.5), dict(net="net-xl", strength=0.4, end=0.7)],
         sampler="euler", steps=3, guidance=4.0),
    # Steps that begin or end exactly at a share: 3 and 7 of 10.
    dict(base="sd1", nets=[dict(net="net-a", strength=0.9, start=0.3, end=0.7)], sampler="ddim", steps=10, guidance=1.0),
]
SAMPLERS = {"euler": EulerDiscreteScheduler, "ddim": DDIMScheduler, "heun": HeunDiscreteScheduler}
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
LDM = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0",
       "down_blocks.0.resnets.0": "input_blocks.1.0", "down_blocks.0.attentions.0": "input_blocks.1.1",
       "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op", "down_blocks.1.resnets.0": "input_blocks.3.0",
       "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
       "mid_block.resnets.1": "middle_block.2", "controlnet_mid_block": "middle_block_out.0",
       "controlnet_cond_embedding.conv_in": "input_hint_block.0", "controlnet_cond_embedding.blocks.0": "input_hint_block.2",
       "controlnet_cond_embedding.blocks.1": "input_hint_block.4", "controlnet_cond_embedding.conv_out": "input_hint_block.6"}


def to_original(name):
    """Renames a tensor of a ControlNet of SHAPE as the original layout names it."""
    if name.startswith("controlnet_down_blocks."):
        return name.replace("controlnet_down_blocks.", "zero_convs.").replace(".weight", ".0.weight").replace(
            ".bias", ".0.bias")
    for module, original in LDM.items():
        if name.startswith(module + "."):
            rest = name[len(module) + 1:]
            if ".resnets." in module:
                part, _, kind = rest.rpartition(".")
                rest = f"{RESNET[part]}.{kind}"
            return f"{original}.{rest}"
    raise KeyError(name)


def make_models(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    unets, nets = {}, {}
    for i, (name, config) in enumerate(UNETS.items()):
        unets[name] = randomise(UNet2DConditionModel(**config), 800 + i)
    for i, (name, unet) in enumerate(NETS.items()):
        net = ControlNetModel.from_unet(unets[unet], conditioning_embedding_out_channels=(4, 6))
        nets[name] = randomise(net, 820 + i)
    for name, model in {**unets, "net-a": nets["net-a"], "net-xl": nets["net-xl"]}.items():
        model.half().save_pretrained(f"{folder}/{name}")
        clean(f"{folder}/{name}")
        model.float()
    original = {"control_model." + to_original(k): v.half().contiguous() for k, v in nets["net-b"].state_dict().items()}
    save_file(original, f"{folder}/net-b.safetensors")
    converted = convert_controlnet_checkpoint(dict(original), dict(nets["net-b"].config))
    expected = nets["net-b"].state_dict()
    missing = [k for k in expected if "cond_embedding" not in k and not torch.equal(converted[k].float(), expected[k])]
    assert not missing, missing  # diffusers knows embeddings of four levels alone
    return unets, nets


def make_picture(seed):
    small = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    large = F.interpolate(small, (16, 16), mode="bicubic")[0].clamp(0, 1)
    return (large.permute(1, 2, 0) * 255).round().to(torch.uint8).contiguous()


def run(data, case, unets, nets):
    xl = case["base"] == "sdxl"
    base = (StableDiffusionXLPipeline if xl else StableDiffusionPipeline).from_pretrained(
        f"{data}/model-{case['base']}", torch_dtype=torch.float32, safety_checker=None)
    parts = dict(base.components, unet=unets["unet-xl" if xl else "unet-sd"],
                 controlnet=[nets[n["net"]] for n in case["nets"]],
                 scheduler=SAMPLERS[case["sampler"]].from_config(base.scheduler.config, clip_sample=False))
    pipe = (StableDiffusionXLControlNetPipeline if xl else StableDiffusionControlNetPipeline)(**parts)
    pipe.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator("cpu").manual_seed(case["seed"] + 1000))
    pictures = [make_picture(case["seed"] * 10 + i) for i in range(len(case["nets"]))]
    latents = pipe(prompt=case["prompt"], image=[Image.fromarray(p.numpy()) for p in pictures], height=16, width=16,
                   num_inference_steps=case["steps"], guidance_scale=case["guidance"], latents=noise.clone(),
                   output_type="latent", controlnet_conditioning_scale=[n["strength"] for n in case["nets"]],
                   control_guidance_start=[n.get("start", 0.0) for n in case["nets"]],
                   control_guidance_end=[n.get("end", 1.0) for n in case["nets"]]).images
    return noise, latents, pictures


def main(data):
    folder = f"{data}/controls"
    unets, nets = make_models(folder)
    index, tensors = [], {}
    for i, case in enumerate(CASES):
        case = dict(case, prompt="a red ship", seed=400 + i)
        noise, latents, pictures = run(data, case, unets, nets)
        assert torch.isfinite(latents).all(), case
        index.append(case)
        tensors.update({f"{i}.noise": noise, f"{i}.latents": latents.contiguous()})
        tensors.update({f"{i}.picture.{k}": picture for k, picture in enumerate(pictures)})
        print(i, case["base"], float(latents.std()))
    with open(f"{folder}/golden.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{folder}/golden.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
