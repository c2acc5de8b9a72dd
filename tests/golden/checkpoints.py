# SPDX-License-Identifier: MIT
"""Names and shapes of single-file checkpoints, and what diffusers makes of them.

For each family a tiny model is put together by diffusers and transformers, its tensors are renamed into the original
(latent-diffusion) layout here, filled with numbers that follow from the file's name of the tensor, and turned back by
diffusers' own conversion. tests/data/ckpt_*.json gets the file's names and shapes, the configurations, and for every
tensor after the conversion its shape and a checksum. The test in C fills a file in the same way and asks for the same
tensors.

    python tests/golden/checkpoints.py OUTPUT_FOLDER
    python tests/golden/checkpoints.py --file MODEL FILE.safetensors [PARTS_FOLDER]

With --file, a checkpoint of real structure and random weights (f16) is written: MODEL is sd1.5, sd2.1, sdxl or refiner
at their real size (2 to 7 GB), or tiny-sd1, tiny-sd2, tiny-sdxl, which have real vocabularies and few channels. The
same weights as diffusers' parts go to PARTS_FOLDER/unet, vae, …, to compare with.
"""
import json
import os
import re
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils as convert
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

torch.set_num_threads(1)

DOWN, CROSS_DOWN = "DownBlock2D", "CrossAttnDownBlock2D"
UP, CROSS_UP = "UpBlock2D", "CrossAttnUpBlock2D"


def unet_config(channels, attention, depth, context, heads, linear, layers=2, in_channels=4, **more):
    return dict(in_channels=in_channels, out_channels=4, block_out_channels=channels,
                down_block_types=[CROSS_DOWN if a else DOWN for a in attention],
                up_block_types=[CROSS_UP if a else UP for a in attention[::-1]],
                layers_per_block=layers, cross_attention_dim=context, attention_head_dim=heads,
                transformer_layers_per_block=depth, use_linear_projection=linear, norm_num_groups=8, **more)


def vae_config(channels, layers=2):
    return dict(in_channels=3, out_channels=3, latent_channels=4, block_out_channels=channels, layers_per_block=layers,
                down_block_types=["DownEncoderBlock2D"] * len(channels),
                up_block_types=["UpDecoderBlock2D"] * len(channels), norm_num_groups=8)


def text_config(width, layers, act, projection=None):
    config = dict(vocab_size=100, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
                  num_attention_heads=1, max_position_embeddings=77, hidden_act=act, bos_token_id=98, eos_token_id=99)
    if projection:
        config["projection_dim"] = projection
    return config


FAMILIES = {
    "sd1": dict(
        unet=unet_config([8, 16, 24, 24], [1, 1, 1, 0], [1, 1, 1, 1], 16, [8] * 4, False),
        vae=vae_config([8, 16, 24, 24]),
        text={"text_encoder": ("clip", "cond_stage_model.transformer.", text_config(16, 3, "quick_gelu"))}),
    "sd2": dict(
        unet=unet_config([8, 16, 24, 24], [1, 1, 1, 0], [1, 1, 1, 1], 24, [1] * 4, True, in_channels=9),
        vae=vae_config([8, 16, 24, 24]),
        text={"text_encoder": ("openclip", "cond_stage_model.model.", text_config(24, 3, "gelu"))}),
    "sdxl": dict(
        unet=unet_config([8, 16, 24], [0, 1, 1], [1, 2, 3], 40, [1] * 3, True, addition_embed_type="text_time",
                         addition_time_embed_dim=8, projection_class_embeddings_input_dim=20 + 6 * 8),
        vae=vae_config([8, 16, 24]),
        text={"text_encoder": ("clip", "conditioner.embedders.0.transformer.", text_config(16, 2, "quick_gelu")),
              "text_encoder_2": ("openclip", "conditioner.embedders.1.model.", text_config(24, 2, "gelu", 20))}),
    "refiner": dict(
        unet=unet_config([8, 16, 24, 24], [0, 1, 1, 0], [1, 2, 2, 2], 24, [1] * 4, True, addition_embed_type="text_time",
                         addition_time_embed_dim=8, projection_class_embeddings_input_dim=20 + 5 * 8),
        vae=vae_config([8, 16]),
        text={"text_encoder_2": ("openclip", "conditioner.embedders.0.model.", text_config(24, 2, "gelu", 20))}),
    "x4": dict(
        unet=unet_config([8, 16, 24], [0, 1, 1], [1, 1, 1], 24, [8] * 3, True, layers=1, in_channels=7, num_class_embeds=12,
                         only_cross_attention=[False, True, False]),
        vae=vae_config([8, 16, 24], 1),
        text={"text_encoder": ("openclip", "cond_stage_model.model.", text_config(24, 2, "gelu"))}),
}



def real(unet, vae, text):
    for config in (unet, vae):
        config["norm_num_groups"] = 32
    for _, _, config in text.values():
        config.update(vocab_size=49408, bos_token_id=49406, eos_token_id=49407,
                      num_attention_heads=max(1, config["hidden_size"] // 64))
        factor = 4 if config["hidden_size"] >= 64 else 2
        config["intermediate_size"] = factor * config["hidden_size"]
    return dict(unet=unet, vae=vae, text=text)


def text_time(ids, pooled, width):
    return dict(addition_embed_type="text_time", addition_time_embed_dim=width,
                projection_class_embeddings_input_dim=pooled + ids * width)


CLIP_L = ("clip", "conditioner.embedders.0.transformer.", text_config(768, 12, "quick_gelu"))
VAE = [128, 256, 512, 512]
MODELS = {
    "sd1.5": lambda: real(unet_config([320, 640, 1280, 1280], [1, 1, 1, 0], [1] * 4, 768, [8] * 4, False),
                          vae_config(VAE),
                          {"text_encoder": ("clip", "cond_stage_model.transformer.",
                                            text_config(768, 12, "quick_gelu"))}),
    "sd2.1": lambda: real(unet_config([320, 640, 1280, 1280], [1, 1, 1, 0], [1] * 4, 1024, [5, 10, 20, 20], True),
                          vae_config(VAE),
                          {"text_encoder": ("openclip", "cond_stage_model.model.", text_config(1024, 24, "gelu"))}),
    "sdxl": lambda: real(unet_config([320, 640, 1280], [0, 1, 1], [1, 2, 10], 2048, [5, 10, 20], True,
                                     **text_time(6, 1280, 256)), vae_config(VAE),
                         {"text_encoder": CLIP_L,
                          "text_encoder_2": ("openclip", "conditioner.embedders.1.model.",
                                             text_config(1280, 32, "gelu", 1280))}),
    "refiner": lambda: real(unet_config([384, 768, 1536, 1536], [0, 1, 1, 0], [1, 4, 4, 4], 1280, [6, 12, 24, 24],
                                        True, **text_time(5, 1280, 256)), vae_config(VAE),
                            {"text_encoder_2": ("openclip", "conditioner.embedders.0.model.",
                                                text_config(1280, 32, "gelu", 1280))}),
    "tiny-sd1": lambda: real(unet_config([32, 64], [1, 0], [1, 1], 32, [8, 8], False, layers=1),
                             vae_config([32, 64], 1),
                             {"text_encoder": ("clip", "cond_stage_model.transformer.",
                                               text_config(32, 2, "quick_gelu"))}),
    "tiny-sd2": lambda: real(unet_config([32, 64], [1, 0], [1, 1], 32, [1, 1], True, layers=1),
                             vae_config([32, 64], 1),
                             {"text_encoder": ("openclip", "cond_stage_model.model.", text_config(32, 3, "gelu"))}),
    "tiny-sdxl": lambda: real(unet_config([32, 64], [0, 1], [1, 2], 80, [1, 1], True, layers=1,
                                          **text_time(6, 48, 32)), vae_config([32, 64], 1),
                              {"text_encoder": ("clip", "conditioner.embedders.0.transformer.",
                                                text_config(32, 3, "quick_gelu")),
                               "text_encoder_2": ("openclip", "conditioner.embedders.1.model.",
                                                  text_config(48, 3, "gelu", 48))}),
}

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
UNET = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
        "class_embedding": "label_emb", "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}


def unet_name(name, config):
    """The original layout's name of a UNet tensor."""
    for ours, theirs in UNET.items():
        if name.startswith(ours + "."):
            return theirs + name[len(ours):]
    layers = config["layers_per_block"]
    m = re.match(r"(down|up|mid)_blocks?\.(?:(\d+)\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    way, block, kind, index, rest = m.groups()
    block, index = int(block or 0), int(index)
    if kind == "resnets":
        head = re.match("|".join(RESNET), rest).group()
        rest = RESNET[head] + rest[len(head):]
    if way == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * index}.{rest}"
    if way == "down":
        if kind == "downsamplers":
            return f"input_blocks.{(block + 1) * (layers + 1)}.0.op.{rest.split('.')[-1]}"
        return f"input_blocks.{1 + block * (layers + 1) + index}.{int(kind == 'attentions')}.{rest}"
    number = block * (layers + 1) + (layers if kind == "upsamplers" else index)
    place = int(kind == "attentions")
    if kind == "upsamplers":
        place = 2 if config["up_block_types"][block] == CROSS_UP else 1
    return f"output_blocks.{number}.{place}.{rest}"


def vae_name(name, config):
    last = len(config["block_out_channels"]) - 1
    name = re.sub(r"up_blocks\.(\d+)", lambda m: f"up.{last - int(m.group(1))}", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m.group(1)) + 1}", name)
    for ours, theirs in (("down_blocks.", "down."), ("resnets.", "block."), ("downsamplers.0", "downsample"),
                         ("upsamplers.0", "upsample"), ("conv_shortcut", "nin_shortcut"),
                         ("mid_block.attentions.0", "mid.attn_1"), ("group_norm", "norm"), ("to_out.0", "proj_out"),
                         (".to_", "."), ("conv_norm_out", "norm_out")):
        name = name.replace(ours, theirs)
    return name


def to_openclip(state):
    """OpenCLIP's names, with q, k and v fused and the projection transposed."""
    out, fused = {}, {}
    for name, value in state.items():
        name = name.removeprefix("text_model.")
        m = re.match(r"(encoder\.layers\.\d+\.self_attn)\.([qkv])_proj\.(weight|bias)", name)
        if m:
            fused.setdefault((m.group(1), m.group(3)), {})[m.group(2)] = value
        elif name == "text_projection.weight":
            out["text_projection"] = value.T.contiguous()
        elif name == "embeddings.position_embedding.weight":
            out["positional_embedding"] = value
        else:
            out[name.replace("embeddings.token_embedding", "token_embedding")
                .replace("final_layer_norm", "ln_final")] = value
    for (layer, kind), parts in fused.items():
        out[f"{layer}.in_proj_{kind}"] = torch.cat([parts[x] for x in "qkv"])
    for ours, theirs in (("encoder.layers", "transformer.resblocks"), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"),
                         ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"), ("self_attn", "attn")):
        out = {name.replace(ours, theirs): value for name, value in out.items()}
    return out


def text_state(config, projected):
    model = (CLIPTextModelWithProjection if projected else CLIPTextModel)(CLIPTextConfig(**config))
    state = {}
    for name, value in model.state_dict().items():
        if "position_ids" not in name:
            known = name.startswith("text_model.") or name.startswith("text_projection")
            state[name if known else "text_model." + name] = value
    return state


def build(family):
    """The parts' states in diffusers' naming, and the file's in the original one."""
    parts, file = {}, {}
    unet = UNet2DConditionModel(**family["unet"]).state_dict()
    vae = AutoencoderKL(**family["vae"]).state_dict()
    parts["unet"], parts["vae"] = unet, vae
    for name, value in unet.items():
        file["model.diffusion_model." + unet_name(name, family["unet"])] = value
    for name, value in vae.items():
        conv = ".attentions." in name and value.ndim == 2
        file["first_stage_model." + vae_name(name, family["vae"])] = value[:, :, None, None] if conv else value
    for part, (kind, prefix, config) in family["text"].items():
        state = text_state(config, "projection_dim" in config)
        parts[part] = state
        if kind == "openclip":
            theirs = to_openclip(state)
            theirs["logit_scale"] = torch.tensor(1.0)
            theirs.setdefault("text_projection", torch.zeros(config["hidden_size"], config["hidden_size"]))
        else:
            theirs = dict(state)
            theirs["text_model.embeddings.position_ids"] = torch.zeros(1, 77)
        file.update({prefix + name: value for name, value in theirs.items()})
    for name in ("betas", "alphas_cumprod_prev", "sqrt_recipm1_alphas_cumprod", "model_ema.decay"):
        file[name] = torch.zeros(3)
    return parts, file


def fill(name, shape):
    """Numbers that follow from the name: the test in C makes the same ones."""
    seed = 2166136261
    for c in name.encode():
        seed = (seed ^ c) * 16777619 % 2**32
    count = int(np.prod(shape, dtype=np.int64))
    values = (seed + np.arange(count, dtype=np.uint64) * 40503) & 0xffff
    return torch.from_numpy(values.astype(np.float32)).reshape(list(shape))


def checksum(value):
    flat = value.contiguous().numpy().astype(np.uint64).ravel()
    return int((flat * (2 * np.arange(flat.size, dtype=np.uint64) + 1)).sum() & np.uint64(0xffffffff))


def convert_back(family, file):
    """The parts by diffusers' own conversion."""
    parts = {"unet": convert.convert_ldm_unet_checkpoint(dict(file), dict(family["unet"])),
             "vae": convert.convert_ldm_vae_checkpoint(dict(file), dict(family["vae"]))}
    for part, (kind, prefix, config) in family["text"].items():
        if kind == "openclip":
            model = type("Model", (), {"config": CLIPTextConfig(**config)})
            state = convert.convert_open_clip_checkpoint(model, dict(file), prefix=prefix)
            if "projection_dim" not in config:
                state.pop("text_projection.weight", None)
        else:
            own = {k: v for k, v in file.items() if k.startswith(prefix)}
            state = convert.convert_ldm_clip_checkpoint(own)
        parts[part] = {k: v for k, v in state.items() if "position_ids" not in k}
    return parts


def write_file(model, path, folder):
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float16)  # half the memory: SDXL has 3.5 G parameters
    family = MODELS[model]()
    parts, file = build(family)
    save_file({name: value.half().contiguous() for name, value in file.items()}, path)
    configs = {"unet": {"_class_name": "UNet2DConditionModel", **family["unet"]},
               "vae": {"_class_name": "AutoencoderKL", **family["vae"]}}
    if model.startswith(("sdxl", "tiny-sdxl", "refiner")):
        configs["vae"]["scaling_factor"] = 0.13025  # what fumarole and diffusers give such a file
    for part, (_, _, config) in family["text"].items():
        configs[part] = {"model_type": "clip_text_model", "architectures": [
            "CLIPTextModelWithProjection" if "projection_dim" in config else "CLIPTextModel"], **config}
    for part, state in parts.items() if folder else ():
        os.makedirs(f"{folder}/{part}", exist_ok=True)
        stem = "model" if part.startswith("text") else "diffusion_pytorch_model"
        save_file({name: value.half().contiguous() for name, value in state.items()},
                  f"{folder}/{part}/{stem}.safetensors")
        with open(f"{folder}/{part}/config.json", "w") as out:
            json.dump(configs[part], out, indent=1)


def main():
    if sys.argv[1] == "--file":
        write_file(sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
        return
    folder = sys.argv[1]
    for key, family in FAMILIES.items():
        parts, file = build(family)
        filled = {name: fill(name, value.shape) for name, value in file.items()}
        back = convert_back(family, filled)
        for part, state in parts.items():
            assert set(back[part]) == set(state), (key, part, set(back[part]) ^ set(state))
            for name, value in state.items():
                assert back[part][name].shape == value.shape, (key, part, name)
        configs = {"unet": family["unet"], "vae": family["vae"]}
        configs.update({part: text[2] for part, text in family["text"].items()})
        data = {"config": configs,
                "file": [[name, *value.shape] for name, value in sorted(file.items())],
                "parts": {part: [[name, checksum(value), *value.shape] for name, value in sorted(state.items())]
                          for part, state in back.items()}}
        with open(f"{folder}/ckpt_{key}.json", "w") as out:
            out.write(json.dumps(data, separators=(",", ":")).replace("],[", "],\n["))


if __name__ == "__main__":
    main()
