#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gradients of every weight of a tiny conditional UNet, a UNet2DModel, a VAE and a text encoder, by PyTorch in f64.

    python tests/golden/model_gradients.py tests/data

Writes tests/data/model_gradients.safetensors, which tests/model/train.c reads: by network ("model-odd/vae:" and the
weight's name) the gradient of the mean of the squared output, in the order of the model's file. Inputs are those of the
network's golden.safetensors. Each picture has a timestep of its own, and the VAE decodes mean + logvar of its picture.
"""
import os
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel


def golden(folder):
    return {k: v.double() if v.is_floating_point() else v
            for k, v in load_file(os.path.join(folder, "golden.safetensors")).items()}


def conditional(data, name):
    folder = os.path.join(data, name)
    model, g = UNet2DConditionModel.from_pretrained(folder).double(), golden(folder)
    x = g["unet.in.x"]
    return model, model(x, g["unet.in.timesteps"][:len(x)], g["unet.in.context"]).sample


def pictures(data, name):
    folder = os.path.join(data, name)
    model, g = UNet2DModel.from_pretrained(folder).double(), golden(folder)
    x, labels = g["unet.in.x"], g.get("unet.in.class_labels")
    return model, model(x, g["unet.in.timesteps"][:len(x)], labels).sample


def autoencoder(data, name):
    model, g = AutoencoderKL.from_pretrained(os.path.join(data, name, "vae")).double(), golden(os.path.join(data, name))
    latents = model.encode(g["vae.in.pixels"]).latent_dist
    return model, model.decode(latents.mean + latents.logvar).sample


def text(data, name):
    folder = os.path.join(data, name)
    model = CLIPTextModel.from_pretrained(os.path.join(folder, "text_encoder")).double()
    return model, model(golden(folder)["text_encoder.in.ids"].long()).last_hidden_state


NETWORKS = {"model-variants/tiny/unet": conditional, "model-variants/unet2d/unet": pictures, "model-odd/vae": autoencoder,
            "model-odd/text_encoder": text}


def main(data):
    tensors = {}
    for name, run in NETWORKS.items():
        model, out = run(data, name.rsplit("/", 1)[0])
        out.square().mean().backward()
        for weight, p in model.named_parameters():
            if p.grad is not None:
                within = "text_model." if run is text and not weight.startswith("text_model.") else ""
                tensors[f"{name}:{within}{weight}"] = p.grad.float().contiguous()
    path = os.path.join(data, "model_gradients.safetensors")
    save_file(tensors, path)
    os.chmod(path, 0o644)


if __name__ == "__main__":
    main(sys.argv[1])
