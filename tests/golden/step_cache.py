# SPDX-License-Identifier: MIT
"""Pictures of the tiny models with step caches, by diffusers' own modules: latents and pictures.

    python tests/golden/step_cache.py tests/data

Reads tests/data/model-* (made by models.py). Writes step_cache.json (the cases) and step_cache.safetensors (noise,
latents and 8-bit pictures by case). DeepCache (Ma et al. 2023): every interval-th evaluation is whole. The others run
conv_in, `branch` layers of the first block down, and from the last block up the layers that take those skips.
EasyCache (Zhou et al. 2025) and ucache add to the input what the UNet added in the last whole evaluation, while the
estimated change of the output stays below a threshold. All in f32 on the CPU.
"""
import json
import sys
import warnings

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_grad_enabled(False)

DEEP = dict(cache="deepcache", steps=5)
CASES = [dict(DEEP, model="sd1", interval=2, branch=0, width=16, height=16),
         dict(DEEP, model="sd1", interval=3, branch=1, width=24, height=16),
         dict(DEEP, model="sd2", interval=3, branch=0, width=16, height=24),
         dict(DEEP, model="sdxl", interval=2, branch=0, width=16, height=16),
         dict(cache="easycache", model="sd1", threshold=0.3, start=0.15, end=0.95, steps=12, width=16, height=16),
         dict(cache="easycache", model="sdxl", threshold=0.5, start=0.1, end=1, steps=10, width=16, height=24),
         dict(cache="ucache", model="sd1", threshold=0.6, start=0.15, end=0.95, steps=12, width=16, height=16)]


def layer(block, i, x, emb, context):
    x = block.resnets[i](x, emb)
    return block.attentions[i](x, encoder_hidden_states=context, return_dict=False)[0] if hasattr(block, "attentions") else x


class Cache:
    """Replaces the UNet's forward by one that is short in all evaluations but every interval-th."""

    def __init__(self, unet, interval, branch):
        self.unet, self.interval, self.branch, self.count = unet, interval, branch, 0
        self.whole, self.block = unet.forward, unet.up_blocks[-1]
        self.first = len(self.block.resnets) - 1 - branch  # layer of the last block up that reads the cache
        self.block.resnets[self.first].register_forward_pre_hook(self.keep)
        unet.forward = self.forward

    def keep(self, module, inputs):
        if not self.short:
            self.deep = inputs[0][:, :inputs[0].shape[1] - self.skip_channels()].clone()

    def skip_channels(self):
        down = self.unet.down_blocks[0]
        return self.unet.conv_in.out_channels if self.branch == 0 else down.resnets[self.branch - 1].out_channels

    def forward(self, sample, timestep, encoder_hidden_states, added_cond_kwargs=None, return_dict=True, **kwargs):
        self.short = self.count % self.interval != 0
        self.count += 1
        if not self.short:
            return self.whole(sample, timestep, encoder_hidden_states, added_cond_kwargs=added_cond_kwargs,
                              return_dict=return_dict, **kwargs)
        unet, context = self.unet, encoder_hidden_states
        emb = unet.time_embedding(unet.get_time_embed(sample=sample, timestep=timestep))
        aug = unet.get_aug_embed(emb=emb, encoder_hidden_states=context, added_cond_kwargs=added_cond_kwargs)
        emb = emb if aug is None else emb + aug
        x = unet.conv_in(sample)
        skips = [x]
        for i in range(self.branch):
            x = layer(unet.down_blocks[0], i, x, emb, context)
            skips.append(x)
        x = self.deep
        for i in range(self.first, len(self.block.resnets)):
            x = layer(self.block, i, torch.cat([x, skips.pop()], 1), emb, context)
        x = unet.conv_out(unet.conv_act(unet.conv_norm_out(x)))
        return UNet2DConditionOutput(sample=x) if return_dict else (x,)


class Change:
    """Replaces the UNet's forward by one that leaves the network out while the estimate stays below the threshold."""

    def __init__(self, unet, case):
        self.whole, self.case, self.count, self.spared = unet.forward, case, 0, 0
        self.input = self.added = self.output = None
        self.rate = self.usual = self.error = self.computed = self.row = 0
        unet.forward = self.forward

    def estimate(self, change, size):
        """The estimated change of the output, and the threshold."""
        threshold = self.case["threshold"]
        if self.case["cache"] == "easycache":
            return self.rate * change / size, threshold
        scale = (size * (1.6 * self.usual if self.usual > 0 else size)) ** 0.5
        progress = self.computed / self.case["steps"]
        factor = 0.5 if progress < 0.2 else 1.5 if progress > 0.8 else 1
        return self.rate * change / scale * (1 + 0.5 * self.row), threshold * factor

    def forward(self, sample, timestep, encoder_hidden_states, return_dict=True, **kwargs):
        case, n, x = self.case, self.count, sample[-1:]
        self.count += 1
        active = int(case["start"] * case["steps"]) <= n < int(case["end"] * case["steps"])
        change = 0
        if active and self.input is not None:
            change, size = float((x - self.input).abs().mean()), float(self.output.abs().mean())
            if change > 0 and self.rate > 0 and size > 0:
                estimate, threshold = self.estimate(change, size)
                self.error += estimate
                if self.error < threshold:
                    self.row, self.spared = self.row + 1, self.spared + 1
                    return (sample + self.added,)
                self.error = 0
        out = self.whole(sample, timestep, encoder_hidden_states, return_dict=False, **kwargs)[0]
        if active:
            moved = 0 if self.output is None else float((out[-1:] - self.output).abs().mean())
            if moved > 0:
                self.usual = 0.8 * self.usual + 0.2 * moved if self.usual > 0 else moved
            if moved > 0 and change > 0:
                self.rate = moved / change
            self.input, self.output, self.added = x.clone(), out[-1:].clone(), out - sample
            self.computed, self.row = self.computed + 1, 0
        return (out,)


def main(data):
    tensors, index = {}, []
    for i, case in enumerate(CASES):
        case = dict(case, prompt="a red ship", negative="grey", guidance=5.0, seed=540 + i)
        cls = StableDiffusionXLPipeline if case["model"] == "sdxl" else StableDiffusionPipeline
        pipe = cls.from_pretrained(f"{data}/model-{case['model']}", torch_dtype=torch.float32, safety_checker=None)
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
        deep = case["cache"] == "deepcache"
        cache = Cache(pipe.unet, case["interval"], case["branch"]) if deep else Change(pipe.unet, case)
        noise = torch.randn(1, 4, case["height"] // 2, case["width"] // 2,
                            generator=torch.Generator("cpu").manual_seed(case["seed"]))
        latents = pipe(prompt=case["prompt"], negative_prompt=case["negative"], num_inference_steps=case["steps"],
                       guidance_scale=case["guidance"], width=case["width"], height=case["height"],
                       latents=noise.clone(), output_type="latent").images
        picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample[0]
        picture = (picture / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
        tensors.update({f"{i}.noise": noise, f"{i}.latents": latents.contiguous(),
                        f"{i}.pixels": torch.from_numpy(np.ascontiguousarray((picture * 255).round(), dtype=np.uint8))})
        index.append(case)
        print(i, case["model"], float(latents.std()), "" if deep else f"{cache.spared} spared")
        assert deep or 0 < cache.spared < case["steps"] - 3
    with open(f"{data}/step_cache.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/step_cache.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
