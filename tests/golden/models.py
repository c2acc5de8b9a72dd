#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/data/model-*: tiny random-weight pipelines of each family, as diffusers saves them, and beside them
golden.safetensors with inputs and the outputs of every block, in f32 on the CPU.

Needs torch, diffusers and transformers; running the tests does not. Weights are rounded to f16, which is how they are
stored, before anything is computed, so that both sides start from the same numbers.

    python tests/golden/models.py models/emoji/tokenizer tests/data
"""
import json
import os
import shutil
import sys

import torch
from diffusers import (AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline,
                       StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline, UNet2DConditionModel)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

torch.set_num_threads(2)
torch.set_grad_enabled(False)
VOCAB, END = 2813, 2812


def randomise(model, seed):
    """Weights that keep activations near unit size, norms and biases that are not the identity; rounded to f16."""
    g = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=g)
        if name.endswith("bias"):
            value = 0.1 * noise
        elif "embedding.weight" in name and "class" not in name and "time" not in name:
            value = 0.5 * noise
        elif p.dim() == 1:
            value = 1 + 0.2 * noise
        else:
            value = noise / (p[0].numel() ** 0.5)
        p.data = value.half().float()
    return model.eval()


class Recorder:
    """Keeps the outputs of modules under their paths; images stay [batch, channels, height, width]."""

    WANTED = ("ResnetBlock2D", "Transformer2DModel", "BasicTransformerBlock", "TimestepEmbedding", "CLIPEncoderLayer",
              "CLIPTextEmbeddings")
    LAST = ("conv_in", "conv_out", "conv", "final_layer_norm", "quant_conv", "post_quant_conv", "proj_in")

    def __init__(self, tensors, prefix, model, strip=""):
        self.hooks = []
        for path, module in model.named_modules():
            wanted = type(module).__name__ in self.WANTED or path.split(".")[-1] in self.LAST
            wanted = wanted or (type(module).__name__ == "Attention" and ".attentions." in path and "blocks" not in
                                path.split(".attentions.")[1])
            if wanted:
                name = prefix + strip + path
                self.hooks.append(module.register_forward_hook(self.keep(tensors, name)))

    @staticmethod
    def keep(tensors, name):
        def hook(module, args, output):
            y = output[0] if isinstance(output, tuple) else getattr(output, "sample", output)
            tensors[name] = y.detach().clone().contiguous()
        return hook

    def stop(self):
        for hook in self.hooks:
            hook.remove()


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def ids(seed, rows, length, lengths):
    """Token ids with a start, words, an end and padding by the end token."""
    g = torch.Generator().manual_seed(seed)
    out = torch.full((rows, length), END)
    out[:, 0] = END - 1
    for row, n in enumerate(lengths):
        out[row, 1:1 + n] = torch.randint(1, END - 1, (n,), generator=g)
    return out


def clip(folder, part, seed, cls=CLIPTextModel, **changes):
    settings = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
                    num_attention_heads=2, max_position_embeddings=77, hidden_act="quick_gelu", bos_token_id=END - 1,
                    eos_token_id=END, pad_token_id=END, projection_dim=24)
    model = randomise(cls(CLIPTextConfig(**{**settings, **changes})), seed)
    tensors = {}
    tokens = ids(seed, 2, 12, (4, 9))
    strip = "" if any(n.startswith("text_model.") for n, _ in model.named_modules()) else "text_model."
    recorder = Recorder(tensors, part + ".", model, strip)
    out = model(tokens, output_hidden_states=True)
    recorder.stop()
    tensors[part + ".in.ids"] = tokens.int()
    tensors[part + ".hidden"] = out.last_hidden_state
    for skip in (1, 2):
        states = out.hidden_states[-1 - skip]
        tensors[f"{part}.skip{skip}"] = states.contiguous()
        norm = next(m for n, m in model.named_modules() if n.endswith("final_layer_norm"))
        tensors[f"{part}.skip{skip}.normed"] = norm(states)
    tensors[part + ".pooled"] = out.text_embeds if cls is CLIPTextModelWithProjection else out.pooler_output
    return model, tensors


def unet(seed, size=(8, 6), steps=(901.0, 481.0, 21.0), row=1, pooled=0, ids_per_picture=0, record=True, **config):
    settings = dict(sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, norm_num_groups=8,
                    cross_attention_dim=32)
    model = randomise(UNet2DConditionModel(**{**settings, **config}), seed)
    channels = model.config.in_channels
    context = model.config.encoder_hid_dim or model.config.cross_attention_dim
    tensors = {"unet.in.x": normal(seed + 1, 2, channels, *size),
               "unet.in.context": normal(seed + 2, 2, 7, context),
               "unet.in.timesteps": torch.tensor(steps), "unet.in.counter": torch.tensor([row], dtype=torch.int32)}
    extra = {}
    if pooled:
        sizes = torch.tensor([[64., 48., 0., 8., 64., 48.], [32., 96., 16., 0., 512., 6.]])[:, :ids_per_picture]
        extra["added_cond_kwargs"] = {"text_embeds": normal(seed + 3, 2, pooled), "time_ids": sizes}
        tensors["unet.in.text_embeds"] = extra["added_cond_kwargs"]["text_embeds"]
        tensors["unet.in.time_ids"] = sizes.contiguous()
    kind = model.config.class_embed_type
    if kind == "timestep":
        extra["class_labels"] = torch.tensor([3.0, 250.0])
    elif kind is not None:
        extra["class_labels"] = normal(seed + 4, 2, model.config.projection_class_embeddings_input_dim)
    elif model.config.num_class_embeds:
        extra["class_labels"] = torch.tensor([1, 4])
    if "class_labels" in extra:
        labels = extra["class_labels"]
        tensors["unet.in.class_labels"] = labels if labels.is_floating_point() else labels.int()
    if model.config.time_cond_proj_dim:
        extra["timestep_cond"] = normal(seed + 5, 1, model.config.time_cond_proj_dim)
        tensors["unet.in.timestep_cond"] = extra["timestep_cond"]
    recorder = Recorder(tensors, "unet.", model) if record else None
    out = model(tensors["unet.in.x"], torch.tensor(steps[row]), tensors["unet.in.context"], **extra).sample
    if record:
        recorder.stop()
    tensors["unet.out"] = out
    # An odd size: upsampling must give back what downsampling took.
    x = normal(seed + 6, 2, channels, 5, 7)
    tensors["unet.odd.x"] = x
    tensors["unet.odd.out"] = model(x, torch.tensor(steps[row]), tensors["unet.in.context"], **extra).sample
    return model, tensors


def vae(seed, **config):
    settings = dict(in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(16, 32), layers_per_block=1,
                    norm_num_groups=8, sample_size=16, down_block_types=("DownEncoderBlock2D",) * 2,
                    up_block_types=("UpDecoderBlock2D",) * 2)
    model = randomise(AutoencoderKL(**{**settings, **config}), seed)
    factor = 2 ** (len(model.config.block_out_channels) - 1)
    tensors = {"vae.in.pixels": torch.tanh(normal(seed + 1, 1, 3, 6 * factor, 4 * factor)),
               "vae.in.latents": normal(seed + 2, 1, model.config.latent_channels, 4, 6)}
    recorder = Recorder(tensors, "vae.", model)
    out = model.encode(tensors["vae.in.pixels"]).latent_dist
    tensors["vae.mean"], tensors["vae.logvar"] = out.mean.contiguous(), out.logvar.contiguous()
    tensors["vae.out"] = model.decode(tensors["vae.in.latents"]).sample
    recorder.stop()
    return model, tensors


def save(folder, pipeline, tokenizer_folder):
    """Saves the pipeline in f16, and tokenizers as the files that every version of transformers reads."""
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.to(torch.float16)
    pipeline.save_pretrained(folder)
    for part in ("tokenizer", "tokenizer_2"):
        big = os.path.join(folder, part, "tokenizer.json")
        if os.path.exists(big):
            os.remove(big)
            for name in ("vocab.json", "merges.txt"):
                shutil.copyfile(os.path.join(tokenizer_folder, name), os.path.join(folder, part, name))
    clean(folder)


def finish(folder, pipeline, tensors, tokenizer_folder):
    """Saves the pipeline and the goldens."""
    save(folder, pipeline, tokenizer_folder)
    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(folder, "golden.safetensors"))


def clean(folder):
    """No paths of this machine in what is committed."""
    for root, _, files in os.walk(folder):
        for name in files:
            os.chmod(os.path.join(root, name), 0o644)
            if name.endswith(".json") and name != "vocab.json":
                path = os.path.join(root, name)
                with open(path) as f:
                    data = json.load(f)
                if isinstance(data, dict) and data.pop("_name_or_path", None) is not None:
                    with open(path, "w") as f:
                        json.dump(data, f, indent=2)


def sd(data, tokenizer, name, text, u, v, scheduler):
    tensors = {**text[1], **u[1], **v[1]}
    pipe = StableDiffusionPipeline(text_encoder=text[0], tokenizer=tokenizer, unet=u[0], vae=v[0], scheduler=scheduler,
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    finish(os.path.join(data, name), pipe, tensors, tokenizer.name_or_path)


def sdxl(data, tokenizer, name, text, text_2, u, v, scheduler, cls=StableDiffusionXLPipeline, **settings):
    tensors = {**(text[1] if text else {}), **text_2[1], **u[1], **v[1]}
    pipe = cls(text_encoder=text and text[0], tokenizer=text and tokenizer, text_encoder_2=text_2[0],
               tokenizer_2=tokenizer, unet=u[0], vae=v[0], scheduler=scheduler, add_watermarker=False, **settings)
    finish(os.path.join(data, name), pipe, tensors, tokenizer.name_or_path)


def only_unets(data):
    """Settings that no pipeline above has, each one UNet: config, weights and the result."""
    cross = ("CrossAttnDownBlock2D", "DownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D")
    base = dict(block_out_channels=(8, 16), down_block_types=cross[0], up_block_types=cross[1], norm_num_groups=4,
                attention_head_dim=2)
    variants = {
        "tiny": dict(base, mid_block_type=None, down_block_types=("CrossAttnDownBlock2D",) * 2,
                     up_block_types=("CrossAttnUpBlock2D",) * 2),
        "class-table": dict(base, num_class_embeds=6, mid_block_type="UNetMidBlock2D", layers_per_block=(1, 2)),
        "class-projection": dict(base, class_embed_type="projection", projection_class_embeddings_input_dim=10,
                                 mid_block_scale_factor=1.4142, downsample_padding=0),
        "class-timestep": dict(base, class_embed_type="timestep", only_cross_attention=(True, False),
                               flip_sin_to_cos=False, freq_shift=1),
        "lcm": dict(base, time_cond_proj_dim=12, center_input_sample=True, conv_in_kernel=5, in_channels=9),
        "scale-shift": dict(base, resnet_time_scale_shift="scale_shift", encoder_hid_dim=20,
                            transformer_layers_per_block=[[2], 1], reverse_transformer_layers_per_block=[1, [2, 1]]),
        # Heads of 1 and 7, channels and groups that are no multiple of 4.
        "odd-channels": dict(block_out_channels=(7, 14, 21), norm_num_groups=7, attention_head_dim=[7, 2, 3],
                             down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                             up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
                             cross_attention_dim=13, time_embedding_dim=9, in_channels=1, out_channels=2,
                             resnet_time_scale_shift="scale_shift", use_linear_projection=True),
        # Heads that do not divide the channels: 4 of 2 in 10 and 5 of 2 in 12.
        "rest-heads": dict(base, block_out_channels=(10, 12), norm_num_groups=2, attention_head_dim=[4, 5]),
    }
    for i, (name, config) in enumerate(variants.items()):
        model, tensors = unet(900 + 10 * i, record=False, size=(6, 4), **config)
        folder = os.path.join(data, "model-variants", name)
        shutil.rmtree(folder, ignore_errors=True)
        model.half().save_pretrained(folder)
        save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(folder, "golden.safetensors"))
        clean(folder)


def main(tokenizer_folder, data):
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder, model_max_length=77)
    betas = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
    cross = ("CrossAttnDownBlock2D", "DownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D")
    late = ("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")

    sd(data, tokenizer, "model-sd1", clip("model-sd1", "text_encoder", 100),
       unet(200, block_out_channels=(32, 48), down_block_types=cross[0], up_block_types=cross[1], layers_per_block=2,
            attention_head_dim=4),
       vae(300),
       PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, **betas))
    sd(data, tokenizer, "model-sd2", clip("model-sd2", "text_encoder", 110, hidden_act="gelu"),
       unet(210, block_out_channels=(24, 36), down_block_types=cross[0], up_block_types=cross[1],
            attention_head_dim=[2, 3], norm_num_groups=4, use_linear_projection=True, upcast_attention=True),
       vae(310, layers_per_block=2, block_out_channels=(8, 16), norm_num_groups=4),
       DDIMScheduler(clip_sample=False, set_alpha_to_one=False, prediction_type="v_prediction", **betas))
    sdxl(data, tokenizer, "model-sdxl",
         clip("model-sdxl", "text_encoder", 120),
         clip("model-sdxl", "text_encoder_2", 130, CLIPTextModelWithProjection, hidden_act="gelu", hidden_size=24,
              num_attention_heads=3, projection_dim=20, eos_token_id=2),
         unet(220, block_out_channels=(24, 36), down_block_types=late[0], up_block_types=late[1], cross_attention_dim=56,
              norm_num_groups=4, attention_head_dim=[2, 3], transformer_layers_per_block=[1, 2],
              use_linear_projection=True, pooled=20, ids_per_picture=6, addition_embed_type="text_time", addition_time_embed_dim=8,
              projection_class_embeddings_input_dim=20 + 6 * 8),
         vae(320, block_out_channels=(8, 16), norm_num_groups=4, scaling_factor=0.13025),
         EulerDiscreteScheduler(timestep_spacing="leading", **betas))
    deep = ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")
    sdxl(data, tokenizer, "model-refiner", None,
         clip("model-refiner", "text_encoder_2", 140, CLIPTextModelWithProjection, hidden_act="gelu", hidden_size=24,
              num_attention_heads=3, projection_dim=20, num_hidden_layers=2, eos_token_id=2),
         unet(230, block_out_channels=(16, 24, 24), down_block_types=deep[0], up_block_types=deep[1],
              cross_attention_dim=24, norm_num_groups=4, attention_head_dim=[1, 2, 3], transformer_layers_per_block=2,
              use_linear_projection=True, pooled=20, ids_per_picture=5, addition_embed_type="text_time",
              addition_time_embed_dim=8, projection_class_embeddings_input_dim=20 + 5 * 8),
         vae(330, block_out_channels=(8, 16), norm_num_groups=4, scaling_factor=0.13025),
         EulerDiscreteScheduler(timestep_spacing="leading", **betas), StableDiffusionXLImg2ImgPipeline,
         requires_aesthetics_score=True, force_zeros_for_empty_prompt=False)
    # Heads of 5 and 6, channels, groups and latents that are no multiple of 4.
    sd(data, tokenizer, "model-odd",
       clip("model-odd", "text_encoder", 150, hidden_size=30, num_attention_heads=6, intermediate_size=37,
            num_hidden_layers=2),
       unet(240, block_out_channels=(10, 18), down_block_types=cross[0], up_block_types=cross[1], in_channels=3,
            out_channels=3, attention_head_dim=[2, 3], norm_num_groups=2, cross_attention_dim=30),
       vae(340, block_out_channels=(6, 9), norm_num_groups=3, latent_channels=3),
       EulerDiscreteScheduler(**betas))
    # The fewest channels: one, whose sinusoid of a time has no frequency.
    sd(data, tokenizer, "model-least",
       clip("model-least", "text_encoder", 160, hidden_size=1, num_attention_heads=1, intermediate_size=1,
            num_hidden_layers=2),
       unet(250, record=False, block_out_channels=(1, 3), down_block_types=cross[0], up_block_types=cross[1],
            in_channels=1, out_channels=1, attention_head_dim=1, norm_num_groups=1, cross_attention_dim=1),
       vae(350, block_out_channels=(1, 2), norm_num_groups=1, latent_channels=1),
       DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **betas))
    only_unets(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
