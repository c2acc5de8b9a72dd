# SPDX-License-Identifier: MIT
"""Runs of the tiny models with adapters and embeddings, through diffusers' own loading of the files.

    python tests/golden/adapters.py tests/data [PROGRAM]

Reads tests/data/model-train*, and the files of tests/data/adapters. With PROGRAM, a built fumarole, trains these first.
Writes tests/data/adapters.json (the cases) and adapters.safetensors (noise and latents by case), in f32 on the CPU.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image
from adapter_files import KINDS, write_kinds, write_styles
from safetensors.torch import load_file, save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)

SIZE = ["--set", "data.width=16", "--set", "data.height=16"]
ALL = ["--set", "lora.targets=all-linear", "--set", "lora.text_encoder=true"]
# What the program trains: the recipe, the model, and settings.
TRAINED = {
    "lora": ("lora", "train", ["--set", "lora.rank=3", "--set", "lora.alpha=6", "--lr", "0.02"]),
    "lora_all": ("lora", "train", ["--set", "lora.rank=2", "--set", "lora.alpha=1", "--lr", "0.05", *ALL]),
    "words/ember": ("textual-inversion", "train", ["--set", "inversion.vectors=2", "--lr", "0.3"]),
    "words/pale fox": ("textual-inversion", "train-xl", ["--set", "inversion.vectors=1", "--lr", "0.3"]),
    "lora_xl": ("lora", "train-xl", ["--set", "lora.rank=2", "--set", "lora.alpha=2", "--lr", "0.03", *ALL]),
}


def cases():
    kinds = [dict(model="train", loras=[[f"kinds/{kind}", 0.8, 0.6]]) for kind in KINDS]
    styles = [dict(model="train", loras=[[f"styles/{style}", 1, 0.5]])
              for style in ("peft", "diffusers", "processor", "bare", "ldm")]
    # PEFT scales DoRA's product alone, not what DoRA adds: the two agree at 1.
    styles.append(dict(model="train", loras=[["styles/peft_dora", 1, 1]]))
    return [
        dict(model="train", loras=[["lora", 1, 1]]),
        dict(model="train", loras=[["lora", 0.5, 0.5]], negative="grey"),
        dict(model="train", loras=[["lora_all", 1, 1]]),
        dict(model="train", loras=[["lora_all", 0.75, 0]]),
        dict(model="train", loras=[["lora_all", 0.5, 1.5], ["lora", -0.5, 1]]),
        dict(model="train-xl", loras=[["lora_xl", 1, 1]]),
        dict(model="train-xl", loras=[["lora_xl", 0.25, 1.5]], negative="grey"),
        dict(model="train", words=["ember"], prompt="a ember sea"),
        dict(model="train", words=["ember"], prompt="sea", negative="ember, grey", loras=[["lora_all", 0.5, 0.5]]),
        dict(model="train-xl", words=["pale fox"], prompt="a pale fox", negative="red"),
        *kinds, *styles,
    ]


def make_pictures(folder):
    """Writes a few pictures of two colours with their captions."""
    rng = np.random.default_rng(3)
    lines = ["file\tcaption"]
    for i, name in enumerate(("a red ship", "old stone", "a bridge", "the sea", "red stone")):
        pixels = np.zeros((16, 16, 3), np.uint8) + rng.integers(0, 255, 3).astype(np.uint8)
        pixels[4:12, 4:12] = rng.integers(0, 255, 3)
        Image.fromarray(pixels).save(f"{folder}/{i}.png")
        lines.append(f"{i}.png\t{name}")
    pathlib.Path(folder, "captions.tsv").write_text("\n".join(lines) + "\n", encoding="utf8")


def train(program, data):
    pathlib.Path(data, "adapters/words").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pictures = pathlib.Path(folder, "pictures")
        pictures.mkdir()
        make_pictures(pictures)
        for name, (recipe, model, settings) in TRAINED.items():
            if pathlib.Path(data, "adapters", f"{name}.safetensors").exists():
                continue  # remove a file to train it again
            out = pathlib.Path(folder, name)
            subprocess.run([program, "train", recipe, "-m", f"{data}/model-{model}", "--data", pictures, "-o", out,
                            "--steps", "20", "--batch", "2", *SIZE, *settings], check=True)
            (trained,) = out.glob("model/*.safetensors")
            shutil.copy(trained, f"{data}/adapters/{name}.safetensors")


def merge(pipe, merged, weights):
    """Moves the weights of a pipeline towards those of an adapter at strength 1."""
    with torch.no_grad():
        for part, parameters in merged.items():
            for name, value in parameters.items():
                weight = getattr(pipe, part).get_parameter(name)
                weight += weights[part] * (value - weight)


def load(data, case, merged):
    xl = case["model"].endswith("xl")
    cls = StableDiffusionXLPipeline if xl else StableDiffusionPipeline
    pipe = cls.from_pretrained(f"{data}/model-{case['model']}", torch_dtype=torch.float32)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    for name in ("tokenizer", "tokenizer_2"):
        if hasattr(pipe, name):  # the tiny encoders read fewer tokens than the tokenizers' 77
            getattr(pipe, name).model_max_length = pipe.text_encoder.config.max_position_embeddings
    names, weights = [], []
    for i, (name, unet, text) in enumerate(case["loras"]):
        if name in merged:
            merge(pipe, merged[name], {"unet": unet, "text_encoder": text})
            continue
        path = f"{data}/adapters/{name}.safetensors"
        pipe.load_lora_weights(path, adapter_name=f"a{i}")
        names.append(f"a{i}")
        parts = [p for p in ("text_encoder", "text_encoder_2") if hasattr(pipe, p)]
        weights.append({"unet": unet, **{p: text for p in parts}})
    for word in case["words"]:
        add_word(pipe, word, load_file(f"{data}/adapters/words/{word}.safetensors"))
    if names:
        pipe.set_adapters(names, weights)
    return pipe


def add_word(pipe, word, tensors):
    """Adds a textual inversion. SDXL's has a tensor for each encoder."""
    if "emb_params" in tensors:
        pipe.load_textual_inversion(tensors["emb_params"], token=word)
        return
    pipe.load_textual_inversion(tensors["clip_l"], token=word, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
    pipe.load_textual_inversion(tensors["clip_g"], token=word, text_encoder=pipe.text_encoder_2,
                                tokenizer=pipe.tokenizer_2)


def run(pipe, case, seed):
    noise = torch.randn(1, pipe.vae.config.latent_channels, 16 // pipe.vae_scale_factor, 16 // pipe.vae_scale_factor,
                        generator=torch.Generator("cpu").manual_seed(seed + 1000))
    latents = pipe(prompt=case["prompt"], negative_prompt=case.get("negative"), num_inference_steps=case["steps"],
                   guidance_scale=case["guidance"], width=16, height=16, latents=noise.clone(),
                   output_type="latent").images
    return noise, latents


def main(data, program=None):
    if program:
        train(program, data)
    merged = {**write_kinds(data), **write_styles(data)}
    del merged["styles/diffusers"]  # which diffusers reads itself
    index, tensors = [], {}
    for i, case in enumerate(cases()):
        case = {"loras": [], "words": [], "prompt": "a red ship", "guidance": 2.0, "steps": 4, "seed": 100 + i, **case}
        noise, latents = run(load(data, case, merged), case, case["seed"])
        _, without = run(load(data, dict(case, loras=[], words=[]), {}), case, case["seed"])
        assert torch.isfinite(latents).all(), case
        # The program reads words in any case of letters, and only as whole words.
        case["prompt"] = case["prompt"].replace("ember", "Ember").replace("pale fox", "PALE fox")
        index.append(case)
        tensors[f"{i}.noise"], tensors[f"{i}.latents"] = noise, latents.contiguous()
        print(i, case["loras"], case["words"], "changes", float((latents - without).norm() / without.norm()))
    pathlib.Path(data, "adapters.json").write_text(json.dumps(index, indent=0), encoding="utf8")
    save_file(tensors, f"{data}/adapters.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
