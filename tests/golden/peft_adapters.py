# SPDX-License-Identifier: MIT
"""Runs of a tiny model with folders that PEFT saved, whose settings count: other kinds than LoRA, and patterns of modules.

    python tests/golden/peft_adapters.py tests/data

Writes tests/data/adapters/peft/*, peft-adapters.json (the cases) and peft-adapters.safetensors (noise and latents by case),
in f32 on the CPU. The UNets are those that PEFT's merge_and_unload gives.
"""
import json
import pathlib
import shutil
import sys
import warnings

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from peft import IA3Config, LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)

MODULES = ["attn1.to_q", "attn2.to_v", "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2", "resnets.0.conv1"]
FORWARD = ["down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2", "mid_block.resnets.0.conv1"]
CONFIGS = {
    "lora_pattern": LoraConfig(r=2, lora_alpha=5, target_modules=MODULES, rank_pattern={"attn2.to_v": 1},
                               alpha_pattern={"attn2.to_v": 1.5, r".*down_blocks\.\d\.(attentions|resnets).*to_q": 3,
                                              r"^mid_block.*conv1": 0.5}),
    "lora_bias": LoraConfig(r=2, lora_alpha=5, lora_bias=True, target_modules=["to_out.0", "resnets.0.conv1"]),
    "loha": LoHaConfig(r=2, alpha=5, alpha_pattern={"to_v": 1.5}, target_modules=MODULES),
    "loha_tucker": LoHaConfig(r=2, alpha=5, use_effective_conv2d=True, target_modules=["resnets.0.conv1"]),
    "lokr": LoKrConfig(r=1, alpha=3, decompose_factor=2, use_effective_conv2d=True, target_modules=MODULES),
    "lokr_both": LoKrConfig(r=1, alpha=3, decompose_both=True, decompose_factor=4, target_modules=MODULES),
    "lokr_whole": LoKrConfig(r=9, alpha=3, target_modules=MODULES, rank_pattern={"to_v": 8}),
    "ia3": IA3Config(target_modules=[*MODULES, *FORWARD], feedforward_modules=FORWARD),
    "ia3_regex": IA3Config(target_modules=MODULES, feedforward_modules=r".*(resnets\.0\.conv1|net\.2)"),
}


def load(data):
    pipe = StableDiffusionPipeline.from_pretrained(f"{data}/model-train", torch_dtype=torch.float32)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.tokenizer.model_max_length = pipe.text_encoder.config.max_position_embeddings
    pipe.set_progress_bar_config(disable=True)
    return pipe


def adapt(unet, config, folder):
    """Saves random factors as PEFT does. Returns the UNet that they merge to."""
    model = get_peft_model(unet, config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            noise = torch.randn(value.shape)
            if "ia3_l" in name:
                value.mul_(1 + 0.4 * noise)
            elif any(part in name for part in ("lora_", "hada_", "lokr_")):
                value.copy_(0.5 * noise)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    return model.merge_and_unload()


def run(pipe, seed):
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator("cpu").manual_seed(seed))
    latents = pipe(prompt="a red ship", num_inference_steps=4, guidance_scale=2.0, width=16, height=16,
                   latents=noise.clone(), output_type="latent").images
    return noise, latents


def main(data):
    index, tensors = [], {}
    for i, (name, config) in enumerate(CONFIGS.items()):
        folder = pathlib.Path(data, "adapters/peft", name)
        shutil.rmtree(folder, ignore_errors=True)
        torch.manual_seed(300 + i)
        pipe = load(data)
        _, without = run(pipe, 400 + i)
        pipe.unet = adapt(pipe.unet, config, folder)
        noise, latents = run(pipe, 400 + i)
        assert torch.isfinite(latents).all(), name
        index.append(dict(model="train", loras=[[f"peft/{name}", 1, 1]], prompt="a red ship", guidance=2.0, steps=4))
        tensors[f"{i}.noise"], tensors[f"{i}.latents"] = noise, latents.contiguous()
        print(name, "changes", float((latents - without).norm() / without.norm()))
    pathlib.Path(data, "peft-adapters.json").write_text(json.dumps(index, indent=0) + "\n", encoding="utf8")
    save_file(tensors, f"{data}/peft-adapters.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
