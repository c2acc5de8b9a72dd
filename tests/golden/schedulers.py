# SPDX-License-Identifier: MIT
"""Whole runs of the tiny models with other schedulers in their folders, as diffusers' pipelines load and run them.

    python tests/golden/schedulers.py tests/data

Writes tests/data/schedulers.json (the cases) and schedulers.safetensors (noise and latents by case), which
tests/pipeline/schedulers.c reads. A case names the model that its folder is a copy of, the folder's
scheduler_config.json ("file"), the class in model_index.json ("index"), keys to change in the VAE's configuration
("vae"), what the request names ("sampler", "schedule"), and steps. The reference is the pipeline that from_pretrained
makes of that folder; where a sampler is named, or stands in for a class that is not known here ("reference"), its class
by from_config. XL pipelines do not repair clip_sample; latents are never clipped here, so that is done by hand.
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

import diffusers
import runs
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

SD = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, num_train_timesteps=1000)
STATS = dict(latents_mean=[-1.6574, 1.886, -1.383, 2.5155], latents_std=[8.4927, 5.9022, 6.5498, 5.2299],
             scaling_factor=0.5)


def cases():
    ddim, pndm, euler, dpm = "DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"
    # Folders of 2022: clip_sample true or not given, steps_offset 0 or not given.
    yield dict(model="sd1", file=dict(SD, _class_name=ddim, clip_sample=True, set_alpha_to_one=False))
    yield dict(model="sd1", file=dict(SD, _class_name=ddim, steps_offset=0))
    yield dict(model="sd1", file=dict(SD, _class_name=pndm, skip_prk_steps=True))
    yield dict(model="sd1", file=dict(SD, _class_name=euler, timestep_spacing="leading"))
    yield dict(model="sd1", file=dict(SD, _class_name=pndm, skip_prk_steps=True, steps_offset=1), sampler="ddim")
    yield dict(model="sdxl", file=dict(SD, _class_name=ddim, clip_sample=True))
    # The class of model_index.json goes before the file's.
    yield dict(model="sd1", file=dict(SD, _class_name=pndm, skip_prk_steps=True, steps_offset=1), index=ddim)
    # Classes that are not known here, and one whose settings have no finite update.
    unknown = dict(SD, _class_name="DPMSolverSinglestepScheduler", steps_offset=1)
    yield dict(model="sd1", file=unknown, sampler="dpm++2m", schedule="karras")
    yield dict(model="sd1", file=unknown, reference="euler_a")
    yield dict(model="sd1", file=dict(unknown, _class_name="TCDScheduler"), sampler="heun")
    yield dict(model="sd1", file=dict(unknown, _class_name="DEISMultistepScheduler"), steps=6)
    yield dict(model="sd1", file=dict(SD, _class_name=ddim, steps_offset=1, rescale_betas_zero_snr=True,
                                      timestep_spacing="trailing"), sampler="euler")
    yield dict(model="sd1", file=dict(SD, _class_name=dpm, solver_order=3, steps_offset=1), steps=6)
    # EDM: Playground v2.5 and CosXL as folders.
    multistep, edm = "EDMDPMSolverMultistepScheduler", "EDMEulerScheduler"
    yield dict(model="sdxl", file=dict(_class_name=multistep, sigma_schedule="karras"), vae=STATS)
    yield dict(model="sdxl", file=dict(_class_name=edm), vae=STATS)
    yield dict(model="sdxl", file=dict(_class_name=multistep), vae=STATS, sampler="euler", reference=edm)
    yield dict(model="sdxl", file=dict(_class_name=edm, sigma_data=1.0, sigma_max=120.0, prediction_type="v_prediction",
                                       sigma_schedule="exponential"))


def make_folder(data, folder, case):
    shutil.copytree(f"{data}/model-{case['model']}", folder, ignore=shutil.ignore_patterns("golden*"))
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(case["file"]))
    for path, changes in ((folder / "model_index.json",
                           {"scheduler": ["diffusers", case.get("index", case["file"]["_class_name"])]}),
                          (folder / "vae" / "config.json", case.get("vae", {}))):
        path.write_text(json.dumps(dict(json.loads(path.read_text()), **changes)))


def reference(loaded, case):
    name = case.get("reference", case.get("sampler"))
    if not name:  # the loaded one itself: from_config would forget what the pipeline repaired
        if "clip_sample" in loaded.config:
            loaded.register_to_config(clip_sample=False)
        return loaded
    cls, more = runs.SAMPLERS[name] if name in runs.SAMPLERS else (getattr(diffusers, name), {})
    if "schedule" in case:
        more = dict(more, **{runs.FLAGS[case["schedule"]]: True})
    return cls.from_config(dict(loaded.config, clip_sample=False), **more)


def main(data):
    runs.scheduler = lambda base, case: base
    index, tensors = [], {}
    for i, case in enumerate(cases()):
        case = dict({"steps": 4, "seed": 500 + i}, **case)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            make_folder(data, folder, case)
            cls = StableDiffusionXLPipeline if case["model"] == "sdxl" else StableDiffusionPipeline
            pipe = cls.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)
        pipe.set_progress_bar_config(disable=True)
        noise, latents, _ = runs.run(pipe, reference(pipe.scheduler, case), {"steps": case["steps"]}, case["seed"])
        assert torch.isfinite(latents).all(), case
        index.append(case)
        tensors[f"{i}.noise"], tensors[f"{i}.latents"] = noise, latents.contiguous()
        print(i, case["model"], case["file"]["_class_name"], case.get("sampler"), float(latents.std()))
    with open(f"{data}/schedulers.json", "w") as f:
        json.dump(index, f, indent=0)
    save_file(tensors, f"{data}/schedulers.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
