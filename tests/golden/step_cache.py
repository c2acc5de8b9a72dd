# SPDX-License-Identifier: MIT
"""Pictures of the tiny models with DeepCache (Ma et al. 2023), by diffusers' own modules: latents and pictures.

    python tests/golden/step_cache.py tests/data

Reads tests/data/model-* (made by models.py). Writes step_cache.json (the cases) and step_cache.safetensors (noise,
latents and 8-bit pictures by case). Every interval-th evaluation is whole. The others run conv_in, `branch` layers of
the first block down, and from the last block up the layers that take those skips. All in f32 on the CPU.
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

CASES = [dict(model="sd1", interval=2, branch=0, width=16, height=16),
         dict(model="sd1", interval=3, branch=1, width=24, height=16),
         dict(model="sd2", interval=3, branch=0, width=16, height=24),
         dict(model="sdxl", interval=2, branch=0, width=16, height=16)]


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


def main(data):
    tensors, index = {}, []
    for i, case in enumerate(CASES):
        case = dict(case, cache="deepcache", prompt="a red ship", negative="grey", guidance=5.0, steps=5, seed=540 + i)
        cls = StableDiffusionXLPipeline if case["model"] == "sdxl" else StableDiffusionPipeline
        pipe = cls.from_pretrained(f"{data}/model-{case['model']}", torch_dtype=torch.float32, safety_checker=None)
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
        Cache(pipe.unet, case["interval"], case["branch"])
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
        print(i, case["model"], float(latents.std()))
    with open(f"{data}/step_cache.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/step_cache.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
