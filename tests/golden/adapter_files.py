# SPDX-License-Identifier: MIT
"""Writes adapters of LyCORIS's kinds and in other tools' key styles for the tiny model, for adapters.py.

The modules of the package lycoris-lora make their tensors and give the merged weights; diffusers and PEFT write and read
the files in their own styles.
"""
import pathlib

import torch
from diffusers import StableDiffusionPipeline
from lycoris.modules.full import FullModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import save_file

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0"
LINEAR = [f"{ATTENTION}.attn1.to_q", f"{ATTENTION}.attn2.to_k", f"{ATTENTION}.ff.net.2",
          "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"]
CONV = ["down_blocks.0.resnets.0.conv1", "up_blocks.1.resnets.0.conv_shortcut", "up_blocks.1.resnets.1.conv2"]
TEXT = ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1"]

# The class, its settings, and the modules of the UNet. Text modules are added to all but norms.
KINDS = {
    "locon": (LoConModule, {"lora_dim": 3, "alpha": 2}, LINEAR + CONV),
    "locon_tucker": (LoConModule, {"lora_dim": 3, "alpha": 2, "use_tucker": True}, CONV),
    "loha": (LohaModule, {"lora_dim": 2, "alpha": 4}, LINEAR + CONV),
    "loha_tucker": (LohaModule, {"lora_dim": 2, "alpha": 4, "use_tucker": True}, CONV),
    "lokr": (LokrModule, {"lora_dim": 1, "alpha": 3, "factor": 2}, LINEAR + CONV),
    "lokr_tucker": (LokrModule, {"lora_dim": 1, "alpha": 3, "factor": 2, "use_tucker": True}, CONV),
    "lokr_whole": (LokrModule, {"lora_dim": 100, "alpha": 3, "factor": 2, "full_matrix": True}, LINEAR + CONV),
    "dora": (LoConModule, {"lora_dim": 3, "alpha": 2, "weight_decompose": True}, LINEAR + CONV),
    "dora_in": (LoConModule, {"lora_dim": 3, "alpha": 2, "weight_decompose": True, "wd_on_out": False}, LINEAR + CONV),
    "ia3": (IA3Module, {}, LINEAR + CONV),
    "full": (FullModule, {}, LINEAR + CONV),
    "norms": (NormModule, {}, ["conv_norm_out", f"{ATTENTION}.norm1"]),
}


def fill(module):
    """Gives a module's parameters random values, and DoRA's norms near their own."""
    with torch.no_grad():
        for name, value in module.named_parameters():
            if "org" in name:
                continue
            noise = torch.randn(value.shape)
            if "dora_scale" in name:
                value.mul_(1 + 0.3 * noise)
            else:
                value.copy_(noise * (0.2 if isinstance(module, NormModule) else 0.5))


def make(cls, name, layer, settings):
    """Returns LyCORIS's tensors for a layer, and the parameters that it merges to."""
    if cls is FullModule:
        diff, bias = 0.2 * torch.randn(layer.weight.shape), 0.2 * torch.randn(layer.weight.shape[0])
        state = {f"{name}.diff": diff} | ({f"{name}.diff_b": bias} if layer.bias is not None else {})
        return state, layer.weight.detach() + diff, None if layer.bias is None else layer.bias.detach() + bias
    module = cls(name, layer, **settings)
    fill(module)
    weight, bias = module.get_merged_weight(1, shape=layer.weight.shape) if hasattr(module, "get_merged_weight") else (None, None)
    if cls in (LohaModule, LokrModule):  # whose merging in version 4.1 applies alpha twice, other than their forward
        weight = layer.weight + module.get_weight(layer.weight.shape)
    state = module.custom_state_dict() if hasattr(module, "custom_state_dict") else None
    state = state or {k: v for k, v in module.state_dict().items() if "org" not in k}
    state = {f"{name}.{k}": v.detach().clone().contiguous().float() if v.is_floating_point() else v.detach().clone()
             for k, v in state.items() if "scalar" not in k}
    return state, weight.detach(), None if bias is None else bias.detach()


def write_kinds(data):
    """Writes the files of all kinds. Returns {file: {component: {parameter: merged value}}}."""
    pipe = StableDiffusionPipeline.from_pretrained(f"{data}/model-train", torch_dtype=torch.float32)
    merged = {}
    for index, (kind, (cls, settings, modules)) in enumerate(KINDS.items()):
        torch.manual_seed(50 + index)
        tensors, result = {}, {"unet": {}, "text_encoder": {}}
        wanted = [("unet", "lora_unet_", "", m) for m in modules]
        if cls is not NormModule:
            wanted += [("text_encoder", "lora_te_", "text_model_", m) for m in TEXT]
        for component, head, more, path in wanted:
            name = head + more + path.replace(".", "_")
            state, weight, bias = make(cls, name, getattr(pipe, component).get_submodule(path), settings)
            tensors.update(state)
            result[component][f"{path}.weight"] = weight
            if bias is not None:
                result[component][f"{path}.bias"] = bias
        pathlib.Path(data, "adapters/kinds").mkdir(exist_ok=True)
        save_file(tensors, f"{data}/adapters/kinds/{kind}.safetensors")
        merged[f"kinds/{kind}"] = result
    return merged


# ---- key styles ----

# Modules of the tiny model by their names in the original layout.
ORIGINAL = {
    "down_blocks.0.attentions.0": "input_blocks.1.1", "down_blocks.1.resnets.0.conv1": "input_blocks.3.0.in_layers.2",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op", "mid_block.attentions.0": "middle_block.1",
    "up_blocks.1.attentions.1": "output_blocks.3.1", "up_blocks.0.upsamplers.0.conv": "output_blocks.1.1.conv",
}


def original(path):
    for ours, theirs in ORIGINAL.items():
        if path == ours or path.startswith(ours + "."):
            return theirs + path[len(ours):]
    return None


def write_styles(data):
    """Writes PEFT's LoRA in several styles. Returns the merged weights of those that diffusers does not read."""
    out = pathlib.Path(data, "adapters/styles")
    out.mkdir(exist_ok=True)
    pairs = {}
    for dora in (False, True):
        torch.manual_seed(80 + dora)
        pipe = StableDiffusionPipeline.from_pretrained(f"{data}/model-train", torch_dtype=torch.float32)
        names = "to_q|to_k|to_v|to_out.0|proj_in|ff.net.2"
        targets = {"unet": rf".*({names}|conv1|downsamplers.0.conv|upsamplers.0.conv)", "text_encoder": ".*(q_proj|fc1)"}
        if dora:  # transformers 5.24 does not find the norms of text encoders
            del targets["text_encoder"]
        layers, metadata = {}, {}
        for part, pattern in targets.items():
            model = getattr(pipe, part)
            config = LoraConfig(r=3, lora_alpha=5, target_modules=pattern, use_dora=dora)
            inject_adapter_in_model(config, model)
            for name, value in model.named_parameters():
                if "lora_B" in name:
                    value.data.normal_(0, 0.3)
                if "magnitude" in name:
                    value.data.mul_(1 + 0.3 * torch.randn(value.shape))
            layers[part] = get_peft_model_state_dict(model)
            metadata[part] = config.to_dict()
        StableDiffusionPipeline.save_lora_weights(
            out, unet_lora_layers=layers["unet"], text_encoder_lora_layers=layers.get("text_encoder"),
            weight_name=f"peft{'_dora' if dora else ''}.safetensors", unet_lora_adapter_metadata=metadata["unet"],
            text_encoder_lora_adapter_metadata=metadata.get("text_encoder"))
        pairs = pairs or {part: {k[:-len(".lora_A.weight")]: (v, layers[part][k.replace("lora_A", "lora_B")])
                                 for k, v in layers[part].items() if "lora_A" in k} for part in layers}

    def save(name, key):
        """Writes the pairs that `key` gives two names for. Returns what they merge to, at alpha = rank."""
        tensors, merged = {}, {"unet": {}, "text_encoder": {}}
        for part, modules in pairs.items():
            for path, (down, up) in modules.items():
                keys = key(part, path)
                if keys:
                    tensors[keys[0]], tensors[keys[1]] = down.contiguous(), up.contiguous()
                    weight = getattr(clean, part).get_submodule(path).weight.detach()
                    change = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
                    merged[part][f"{path}.weight"] = weight + change
        save_file(tensors, out / f"{name}.safetensors")
        return merged

    clean = StableDiffusionPipeline.from_pretrained(f"{data}/model-train", torch_dtype=torch.float32)

    def diffusers(part, path):
        layer = "lora" if part == "unet" else "lora_linear_layer"
        return [f"{part}.{path}.{layer}.{half}.weight" for half in ("down", "up")]

    def processor(part, path):
        if part != "unet" or ".to_" not in path:
            return None
        head, tail = path.split(".to_")
        return [f"{head}.processor.to_{tail.removesuffix('.0')}_lora.{half}.weight" for half in ("down", "up")]

    def bare(part, path):
        return [f"base_model.model.{path}.lora_{half}.weight" for half in "AB"] if part == "unet" else None

    def ldm(part, path):
        name = original(path) if part == "unet" else None
        return name and [f"lora_unet_{name.replace('.', '_')}.lora_{half}.weight" for half in ("down", "up")]

    merged = {}
    for key in (diffusers, processor, bare, ldm):
        merged[f"styles/{key.__name__}"] = save(key.__name__, key)
    return merged
