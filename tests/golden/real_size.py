# SPDX-License-Identifier: MIT
"""One run of a checkpoint of real size through diffusers, to compare with fumarole's: numbers, seconds, memory.

    python tests/golden/checkpoints.py --file sd1.5 sd15.safetensors sd15-parts
    fumarole generate -m sd15.safetensors -p "a red ship" -W 256 -H 256 --steps 2 -s 1 --rng cpu \\
        --sampling-method euler --precision f32 -o out.png --save-latents latents.safetensors
    python tests/golden/real_size.py sd15-parts CLIP_VOCABULARY latents.safetensors out.png [--steps 2] [--size 256]

CLIP_VOCABULARY is bpe_simple_vocab_16e6.txt, which scripts/clip-vocab fetches. Prints the relative RMS error of the
latents, the PSNR of the picture, diffusers' seconds per step and for the VAE, and its peak resident memory.
"""
import argparse
import os
import resource
import time

import numpy as np
import torch
from diffusers import (AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from PIL import Image
from safetensors.numpy import load_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from tokenizer import clip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts")
    parser.add_argument("vocabulary")
    parser.add_argument("latents")
    parser.add_argument("picture")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--guidance", type=float, default=7.0)
    parser.add_argument("--prompt", default="a red ship")
    args = parser.parse_args()
    torch.set_num_threads(2)

    f32 = dict(torch_dtype=torch.float32, low_cpu_mem_usage=True)
    unet = UNet2DConditionModel.from_pretrained(args.parts, subfolder="unet", **f32)
    vae = AutoencoderKL.from_pretrained(args.parts, subfolder="vae", **f32)
    text = CLIPTextModel.from_pretrained(args.parts, subfolder="text_encoder", dtype=torch.float32)
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
                                       timestep_spacing="leading")
    tokenizer = clip(args.vocabulary)
    if os.path.isdir(os.path.join(args.parts, "text_encoder_2")):
        text_2 = CLIPTextModelWithProjection.from_pretrained(args.parts, subfolder="text_encoder_2", dtype=torch.float32)
        tokenizer_2 = clip(args.vocabulary)
        tokenizer_2.pad_token = "!"
        pipe = StableDiffusionXLPipeline(vae, text, text_2, tokenizer, tokenizer_2, unet, scheduler, add_watermarker=False)
    else:
        pipe = StableDiffusionPipeline(vae, text, tokenizer, unet, scheduler, None, None, requires_safety_checker=False)
    stamps = [time.time()]
    pipe.set_progress_bar_config(disable=True)

    def on_step(pipe, step, timestep, tensors):
        stamps.append(time.time())
        return tensors

    latents = pipe(args.prompt, num_inference_steps=args.steps, guidance_scale=args.guidance, width=args.size,
                   height=args.size, generator=torch.Generator("cpu").manual_seed(1), output_type="latent",
                   callback_on_step_end=on_step).images
    start = time.time()
    with torch.no_grad():
        picture = vae.decode(latents / vae.config.scaling_factor).sample
    decode = time.time() - start
    picture = (pipe.image_processor.postprocess(picture, output_type="np")[0] * 255).round()

    ours = load_file(args.latents)["latents"]
    theirs = latents.numpy()
    error = np.sqrt(((ours - theirs) ** 2).sum() / (theirs ** 2).sum())
    ours = np.asarray(Image.open(args.picture).convert("RGB")).astype(np.float64)
    mse = ((ours - picture) ** 2).mean()
    psnr = 10 * np.log10(255 ** 2 / mse) if mse else float("inf")
    seconds = [b - a for a, b in zip(stamps, stamps[1:])]
    print(f"latents: relative RMS {error:.2e}; picture: PSNR {psnr:.1f} dB; diffusers: {seconds[-1]:.1f} s a step, "
          f"{decode:.1f} s the VAE, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
