# SPDX-License-Identifier: MIT
"""Whole runs with the grammar of prompts: weights, chunks, schedules, AND. Embeddings and steps are made here, with the
models and schedulers of diffusers and the prompts of prompts.py.

    python tests/golden/prompt_runs.py tests/data

Reads tests/data/model-sd1, model-sd2 and model-sdxl (made by models.py). Writes prompt_runs.json (the cases) and
prompt_runs.safetensors (noise and latents by case). The UNet is called once for each text, with the chunks that the text
has. All in f32 on the CPU.
"""
import json
import sys
import warnings

import torch
from diffusers import EulerDiscreteScheduler, HeunDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

import prompts

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_grad_enabled(False)

LONG = ("a red ship, a blue house, the smiling cat with an astronaut riding a horse, pizza slice, rocket, ocean wave, " * 3)
CASES = [
    dict(base="sd1", prompt="a (red:1.5) ship, [blue] ((house))", negative="(grey:0.7)"),
    dict(base="sd1", prompt="a (red:1.5) ship, [blue] ((house))", negative="(grey:0.7)", emphasis="no-norm"),
    dict(base="sd1", prompt=LONG + "(big:1.2) BREAK BREAK cat", negative="one BREAK (two:1.3)"),
    dict(base="sd1", prompt="one", negative="one BREAK two BREAK [three]"),
    dict(base="sd1", prompt="a [red:blue:0.5] [ship|house]", negative="[c:(d:1.2):1] BREAK [x:3]"),
    dict(base="sd1", prompt="a red ship :1.2 AND a (blue:1.3) house : 0.5 AND [x|y BREAK z]:-0.4", negative="grey"),
    dict(base="sd1", prompt="a red ship AND a house:0.5", guidance=1.0),
    dict(base="sdxl", prompt="a (red:1.4) ship, [blue] house BREAK cat", negative="(grey:0.7)"),
    dict(base="sdxl", prompt="a [red|blue] ship :1.1 AND [cat:dog BREAK (fox:1.2):2]:0.6", negative="[a:b:1]"),
    dict(base="sd2", prompt="a (red:1.4) [ship:house:2] BREAK <|endoftext|> ((cat))", negative="(grey:0.7)"),
    dict(base="sd1", prompt="a [red:blue:2] [ship|house] AND [cat::1]:0.5", sampler="heun"),
]


def marks_of(t):
    return {"start": t.bos_token_id, "end": t.eos_token_id, "pad": t.pad_token_id, "length": t.model_max_length - 2,
            "comma": t.get_vocab().get(",</w>", -1)}


def weighed(z, weights, emphasis):
    if emphasis == "none":
        return z
    mean = z.mean()
    z = z * torch.tensor(weights, dtype=z.dtype).reshape(1, -1, 1)
    return z * (mean / z.mean()) if emphasis == "original" else z


def encode(pipe, text, emphasis):
    """[1, chunks · tokens, channels] and the pooled embedding of the first chunk."""
    xl = hasattr(pipe, "text_encoder_2")
    pairs = [(pipe.tokenizer, pipe.text_encoder)] + ([(pipe.tokenizer_2, pipe.text_encoder_2)] if xl else [])
    columns, pooled = [], None
    for tokenizer, encoder in pairs:
        words = lambda piece: tokenizer(piece, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        marks = marks_of(tokenizer)
        states = []
        for i, (ids, weights) in enumerate(prompts.chunk(prompts.weigh(text), words, marks, marks["length"])):
            out = encoder(torch.tensor([ids]), output_hidden_states=True)
            if xl and encoder is pipe.text_encoder_2 and i == 0:
                pooled = out.text_embeds
            z = out.hidden_states[-2] if xl else out.last_hidden_state
            states.append(weighed(z, weights, emphasis))
        columns.append(torch.cat(states, 1))
    return torch.cat(columns, -1), pooled


def at_step(ranges, step):
    return next(text for until, text in ranges if step <= until)


def run(data, case, noise):
    cls = StableDiffusionXLPipeline if case["base"] == "sdxl" else StableDiffusionPipeline
    pipe = cls.from_pretrained(f"{data}/model-{case['base']}", torch_dtype=torch.float32, safety_checker=None)
    heun = case["sampler"] == "heun"
    scheduler = (HeunDiscreteScheduler if heun else EulerDiscreteScheduler).from_config(pipe.scheduler.config)
    scheduler.set_timesteps(case["steps"])
    parts = [(prompts.schedule(text, case["steps"]), weight) for text, weight in prompts.split(case["prompt"])]
    negative = prompts.schedule(case.get("negative", ""), case["steps"])
    x = noise * scheduler.init_noise_sigma
    for i, t in enumerate(scheduler.timesteps):
        step = (i // 2 if heun else i) + 1  # Heun's steps have two evaluations
        scaled = scheduler.scale_model_input(x, t)

        def predict(text):
            context, pooled = encode(pipe, text, case.get("emphasis", "original"))
            more = {}
            if pooled is not None:
                more = {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": torch.tensor([[16.0, 16, 0, 0, 16, 16]])}}
            return pipe.unet(scaled, t, encoder_hidden_states=context, **more).sample

        without = predict(at_step(negative, step))
        total = sum(weight * (predict(at_step(ranges, step)) - without) for ranges, weight in parts)
        x = scheduler.step(without + case["guidance"] * total, t, x).prev_sample
    return x


def main(data):
    index, tensors = [], {}
    for i, case in enumerate(CASES):
        case = {"guidance": 5.0, "steps": 4, "sampler": "euler", **case}
        noise = torch.randn(1, 4, 8, 8, generator=torch.Generator("cpu").manual_seed(i + 2000))
        latents = run(data, case, noise)
        assert torch.isfinite(latents).all(), case
        index.append(case)
        tensors.update({f"{i}.noise": noise, f"{i}.latents": latents.contiguous()})
        print(i, case["base"], float(latents.std()))
    with open(f"{data}/prompt_runs.json", "w") as f:
        json.dump(index, f, indent=0)
        f.write("\n")
    save_file(tensors, f"{data}/prompt_runs.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
