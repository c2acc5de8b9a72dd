#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""real_clients.py FUMAROLE: the official openai package and the A1111 client webuiapi work unchanged.

Without a package, its part is skipped. scripts/client-packages installs them.
"""
import os
import subprocess
import sys

from serve import Server

PROGRAM = os.path.abspath(sys.argv[1])
MODEL = os.path.join(os.environ["FUM_TEST_DATA"], "model-train")

OPENAI = r"""
import base64, io, sys
import openai
from PIL import Image

client = openai.OpenAI(base_url=f"http://127.0.0.1:{sys.argv[1]}/v1", api_key="none", max_retries=0)
image_of = lambda item: Image.open(io.BytesIO(base64.b64decode(item.b64_json)))

assert [m.id for m in client.models.list()] == ["model-train"]
assert client.models.retrieve("model-train").owned_by == "fumarole"
result = client.images.generate(prompt="a fox", model="gpt-image-2", n=2, size="16x16", quality="low",
                                extra_body={"seed": 5, "steps": 2, "negative_prompt": "blue"})
assert [image_of(d).size for d in result.data] == [(16, 16)] * 2 and result.size == "16x16" and result.created > 1e9
assert "Seed: 6" in image_of(result.data[1]).text["parameters"]
assert client.images.generate(prompt="a fox", response_format="url", model="dall-e-2").data[0].url.startswith("http://127")

picture, mask = io.BytesIO(), io.BytesIO()
Image.new("RGB", (16, 16), "navy").save(picture, "png")
hole = Image.new("RGBA", (16, 16), "white")
hole.paste((0, 0, 0, 0), (0, 0, 8, 16))
hole.save(mask, "png")
edited = client.images.edit(image=("a.png", picture.getvalue()), mask=("m.png", mask.getvalue()), prompt="a fox", n=1,
                            size="16x16", extra_body={"steps": 4})
assert image_of(edited.data[0]).getpixel((15, 8)) == (0, 0, 128)
try:
    client.images.edit(image=[("a.png", picture.getvalue()), ("b.png", picture.getvalue())], prompt="a fox")
    raise AssertionError("several pictures")
except openai.BadRequestError as error:
    assert error.param == "image", error
varied = client.images.create_variation(image=("a.png", picture.getvalue()), n=2, response_format="b64_json")
assert len(varied.data) == 2

events = list(client.images.generate(prompt="a fox", stream=True, partial_images=2, extra_body={"steps": 8}))
assert [e.type for e in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"], events
assert image_of(events[-1]).size == (8, 8) and events[1].partial_image_index == 1 and events[-1].usage.total_tokens == 0
events = list(client.images.edit(image=("a.png", picture.getvalue()), prompt="a fox", stream=True, partial_images=1,
                                 extra_body={"steps": 8}))
assert [e.type for e in events] == ["image_edit.partial_image", "image_edit.completed"], events

try:
    client.images.generate(prompt="a fox", model="nope")
    raise SystemExit("an unknown model was accepted")
except openai.NotFoundError as error:
    assert error.code == "model_not_found" and error.param == "model", error
try:
    client.images.generate(prompt="a fox", size="7x7")
    raise SystemExit("a wrong size was accepted")
except openai.BadRequestError as error:
    assert error.param == "size" and "size" in error.message, error
"""

WEBUIAPI = r"""
import sys, threading, time
import webuiapi
from PIL import Image

api = webuiapi.WebUIApi(host="127.0.0.1", port=int(sys.argv[1]), sampler="Euler a", scheduler="Karras", steps=2)
assert "DPM++ 2M" in api.util_get_sampler_names() and "karras" in api.util_get_scheduler_names()
assert api.util_get_current_model() == api.util_get_model_names()[0]
result = api.txt2img(prompt="a fox", negative_prompt="blue", seed=5, width=16, height=16, batch_size=2, cfg_scale=3)
assert len(result.images) == 2 and result.image.size == (16, 16) and result.info["all_seeds"] == [5, 6]
assert result.info["infotexts"][0] == result.image.text["parameters"] and result.parameters["prompt"] == "a fox"
assert "Sampler: Euler a, Schedule type: Karras" in result.info["infotexts"][0], result.info["infotexts"]
larger = api.txt2img(prompt="a fox", width=16, height=16, enable_hr=True, hr_scale=2,
                     hr_upscaler=webuiapi.HiResUpscaler.Latent, denoising_strength=0.6)
assert larger.image.size == (32, 32)
picture = Image.new("RGB", (16, 16), "navy")
drawn = api.img2img(images=[picture], prompt="a fox", width=16, height=16, denoising_strength=0.5, seed=5)
assert drawn.image.size == (16, 16)
mask = Image.new("L", (16, 16), 0)
mask.paste(255, (0, 0, 8, 16))
masked = api.img2img(images=[picture], mask_image=mask, prompt="a fox", width=16, height=16, inpainting_fill=1, mask_blur=0)
assert masked.image.getpixel((15, 8)) == (0, 0, 128), masked.image.getpixel((15, 8))
assert api.extra_single_image(picture, upscaler_1=webuiapi.Upscaler.Lanczos, upscaling_resize=2).image.size == (32, 32)
assert api.png_info(result.image).info == result.info["infotexts"][0]
options = api.get_options()
api.set_options({"sd_model_checkpoint": options["sd_model_checkpoint"], "grid_save": False})
assert api.get_options()["grid_save"] is False
for call in (api.get_cmd_flags, api.get_sd_models, api.get_upscalers, api.get_latent_upscale_modes, api.get_loras,
             api.get_hypernetworks, api.get_face_restorers, api.get_realesrgan_models, api.get_prompt_styles, api.get_scripts,
             api.get_embeddings, api.get_memory, api.get_sd_vae, api.refresh_checkpoints):
    call()
results = []
thread = threading.Thread(target=lambda: results.append(api.txt2img(prompt="a fox", steps=900, n_iter=50, width=16, height=16)))
thread.start()
while not api.get_progress()["current_image"]:
    time.sleep(0.02)
api.interrupt()
thread.join()
assert len(results[0].images) < 50
api.util_wait_for_ready(0.1)
try:
    api.txt2img(prompt="a fox", sampler_name="nope")
    raise SystemExit("an unknown sampler was accepted")
except RuntimeError as error:
    assert error.args[0] == 422 and "sampler_name" in error.args[1], error
"""


def main():
    ran, bad = 0, 0
    with Server(PROGRAM, "-m", MODEL) as server:
        for name, script in (("openai", OPENAI), ("webuiapi", WEBUIAPI)):
            if subprocess.run([sys.executable, "-c", f"import {name}, PIL"], capture_output=True, check=False).returncode:
                print(f"skipped: no Python package {name}, or no PIL")
                continue
            ran += 1
            failed = subprocess.run([sys.executable, "-c", script, str(server.port)], timeout=240, check=False).returncode != 0
            bad += failed
            print(f"{name}: {'failed' if failed else 'good'}", flush=True)
    return 1 if bad else 0 if ran else 77


sys.exit(main())
