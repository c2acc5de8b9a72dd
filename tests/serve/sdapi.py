#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sdapi.py FUMAROLE: A1111's API, as its clients use it."""
import base64
import json
import os
import sys
import tempfile
import threading
import time

from pictures import base64_of, make_png, size_of, texts_of
from serve import Server

PROGRAM = os.path.abspath(sys.argv[1])
DATA = os.environ["FUM_TEST_DATA"]
MODELS = ("-m", os.path.join(DATA, "model-train"), "-m", os.path.join(DATA, "model-sd1"))
GREY = make_png(16, 16, lambda x, y: (x * 15, y * 15, 128))
MASK = make_png(16, 16, lambda x, y: (255 if x < 8 else 0,) * 3)


def check(good, what):
    if not good:
        raise AssertionError(what)


def draw(server, kind="txt2img", **fields):
    """Draws, and returns the answer with its info and PNGs."""
    fields = {"prompt": "a fox", "steps": 2, "seed": 5, **fields}
    answer = server.post(f"/sdapi/v1/{kind}", fields)
    check(answer.status == 200, f"{fields}: {answer.status} {answer.body[:400]!r}")
    result = answer.json
    check(sorted(result) == ["images", "info", "parameters"], sorted(result))
    return result, json.loads(result["info"]), [base64.b64decode(i, validate=True) for i in result["images"]]


def refuse(server, word, path="txt2img", status=422, **fields):
    answer = server.post(f"/sdapi/v1/{path}", fields)
    check(answer.status == status, f"{fields}: {answer.status} {answer.body[:300]!r}")
    body = answer.json
    check(sorted(body) == ["body", "detail", "error", "errors"] and word in body["detail"], f"{word}: {body}")


# ---- drawing ----

def test_pictures(server):
    result, info, pngs = draw(server, batch_size=2, n_iter=2, negative_prompt="blue", cfg_scale=3.5)
    check(len(pngs) == 4 and info["all_seeds"] == [5, 6, 7, 8], info)
    check(info["seed"] == 5 and info["prompt"] == "a fox" and info["all_prompts"] == ["a fox"] * 4, info)
    check(info["negative_prompt"] == "blue" and info["all_negative_prompts"] == ["blue"] * 4, info)
    check(info["steps"] == 2 and info["cfg_scale"] == 3.5 and info["batch_size"] == 2, info)
    check((info["width"], info["height"]) == size_of(pngs[0]) == (8, 8), "the model's own size")
    check(info["sd_model_name"] == "model-train" and info["index_of_first_image"] == 0 and info["styles"] == [], info)
    check(len(info["job_timestamp"]) == 14 and info["job_timestamp"].isdigit(), info["job_timestamp"])
    check(info["all_subseeds"] and info["subseed_strength"] == 0 and info["clip_skip"] >= 1, info)
    for png, text in zip(pngs, info["infotexts"]):
        check(texts_of(png)["parameters"] == text, "each picture has its text")
    check(info["infotexts"][1].startswith("a fox\nNegative prompt: blue\nSteps: 2, Sampler: "), info["infotexts"][1])
    check("Seed: 6, Size: 8x8" in info["infotexts"][1] and "CFG scale: 3.5" in info["infotexts"][1], info["infotexts"][1])
    check(result["parameters"]["n_iter"] == 2 and result["parameters"]["prompt"] == "a fox", result["parameters"])
    again = draw(server, batch_size=1, seed=7, negative_prompt="blue", cfg_scale=3.5, subseed=-1)
    check(again[2][0] == pngs[2], "the same seed, the same file")
    check(draw(server, seed=-1)[1]["seed"] != draw(server, seed=-1)[1]["seed"], "seed -1 is random")
    check(draw(server, seed=None)[1]["seed"] >= 0, "so is none")
    hidden = draw(server, send_images=False, save_images=True)
    check(hidden[0]["images"] == [] and hidden[1]["all_seeds"] == [5], "send_images")


def test_samplers(server):
    for fields, sampler, schedule in (
            ({"sampler_name": "DPM++ 2M", "scheduler": "Karras"}, "DPM++ 2M", "Karras"),
            ({"sampler_name": "DPM++ 2M Karras"}, "DPM++ 2M", "Karras"),
            ({"sampler_index": "dpm++2m_sde", "scheduler": "exponential"}, "DPM++ 2M SDE", "Exponential"),
            ({"sampler_name": "EULER A", "sampler_index": "DDIM"}, "Euler a", None),
            ({"sampler_name": "Euler", "scheduler": "align_your_steps"}, "Euler", "Align Your Steps"),
            ({"sampler_name": "Euler", "scheduler": "Automatic"}, "Euler", None)):
        _, info, _ = draw(server, **fields)
        text = info["infotexts"][0]
        check(info["sampler_name"] == sampler and f"Sampler: {sampler}, " in text, f"{fields}: {text}")
        check(schedule is None or f"Schedule type: {schedule}, " in text, f"{fields}: {text}")
        check(schedule is None or info["extra_generation_params"]["Schedule type"] == schedule, info)
    refuse(server, "sampler_name", sampler_name="DPM++ 9M")
    refuse(server, "scheduler", sampler_name="Euler", scheduler="nope")
    refuse(server, "sampler_index", sampler_index="nope")


def test_second_pass(server):
    _, info, pngs = draw(server, enable_hr=True, hr_scale=2, hr_upscaler="Latent (bicubic)", denoising_strength=0.5,
                         hr_second_pass_steps=3)
    check(size_of(pngs[0]) == (16, 16), size_of(pngs[0]))
    for part in (f"Steps: {info['steps']}, ", "Denoising strength: 0.5", "Hires upscale: 2", "Hires steps: 3", "Hires upscaler: Latent (bicubic)"):
        check(part in info["infotexts"][0], info["infotexts"][0])
    _, info, pngs = draw(server, enable_hr=True, hr_resize_x=24, hr_resize_y=16, hr_upscaler="None",
                         hr_sampler_name="Use same sampler", hr_prompt="a fox", hr_negative_prompt="")
    check(size_of(pngs[0]) == (24, 16) and "Hires resize: 24x16" in info["infotexts"][0], info["infotexts"][0])
    check(draw(server, enable_hr=False, hr_upscaler="nope", denoising_strength=0.7)[2] == draw(server)[2], "off")
    refuse(server, "hr_upscaler", enable_hr=True, hr_upscaler="nope")
    refuse(server, "hr_prompt", enable_hr=True, hr_prompt="a cat")
    refuse(server, "hr_scale", enable_hr=True, hr_scale=0.5)


def test_variations(server):
    _, info, pngs = draw(server, subseed=9, subseed_strength=0.4, batch_size=2)
    check(info["all_subseeds"] == [9, 10] and info["subseed"] == 9 and info["subseed_strength"] == 0.4, info)
    check("Variation seed: 9" in info["infotexts"][0] and pngs[0] != pngs[1], info["infotexts"][0])
    plain, tiled = draw(server)[2][0], draw(server, tiling=True)[2][0]
    check(plain != tiled, "tiling")
    refuse(server, "subseed", subseed=1.5, subseed_strength=0.4)


def test_img2img(server):
    picture = "data:image/png;base64," + base64_of(GREY)
    result, info, pngs = draw(server, "img2img", init_images=[picture], denoising_strength=0.5)
    check(size_of(pngs[0]) == (16, 16), "the picture's size")
    check(f"Steps: {info['steps']}, " in info["infotexts"][0], "the steps are those that were requested")
    check("Denoising strength: 0.5" in info["infotexts"][0] and info["denoising_strength"] == 0.5, info)
    check("init_images" not in result["parameters"], "pictures are not sent back")
    result, info, _ = draw(server, "img2img", init_images=[base64_of(GREY)], include_init_images=True)
    check("init_images" in result["parameters"] and "Denoising strength: 0.75" in info["infotexts"][0], "usual values")
    fields = {"init_images": [base64_of(GREY)], "mask": base64_of(MASK), "steps": 4}
    result, info, pngs = draw(server, "img2img", **fields)
    text = info["infotexts"][0]
    for part in ("Mask blur: 4", "Masked content: fill", "Inpaint area: Only masked"):
        check(part in text, text)
    check("mask" not in result["parameters"], "masks are not sent back")
    _, info, whole = draw(server, "img2img", **fields, inpaint_full_res=False, inpainting_fill=1, mask_blur=0,
                          inpainting_mask_invert=1, width=8, height=8, resize_mode=1, image_cfg_scale=None)
    check("Inpaint area" not in info["infotexts"][0] and "Mask mode: Inpaint not masked" in info["infotexts"][0], info)
    check(size_of(whole[0]) == (8, 8), "its own size")
    for word, more in (("init_images", {}), ("init_images", {"init_images": []}),
                       ("init_images", {"init_images": ["AAAA"]}), ("init_images", {"init_images": ["/etc/passwd"]}),
                       ("init_images", {"init_images": [picture, picture]}), ("resize_mode", {**fields, "resize_mode": 3}),
                       ("resize_mode", {**fields, "resize_mode": 1e18}),
                       ("inpainting_fill", {**fields, "inpainting_fill": 4}), ("mask", {**fields, "mask": "!"}),
                       ("denoising_strength", {**fields, "denoising_strength": 1.5}),
                       ("mask_blur", {**fields, "mask_blur": -1}), ("enable_hr", {**fields, "enable_hr": True})):
        refuse(server, word, "img2img", prompt="x", **more)
    refuse(server, "init_images", prompt="x", init_images=[picture])


def test_refusals(server):
    for word, fields in (
            ("steps", {"steps": "4"}), ("steps", {"steps": 4.5}), ("steps", {"steps": True}), ("steps", {"steps": 0}),
            ("steps", {"steps": 1001}), ("width", {"width": 12}), ("width", {"width": 8192, "height": 8192}),
            ("batch_size", {"batch_size": 0}), ("100", {"batch_size": 11, "n_iter": 10}), ("n_iter", {"n_iter": 101}),
            ("n_iter", {"n_iter": 1.5}), ("seed", {"seed": -2}), ("seed", {"seed": 2 ** 54}), ("prompt", {"prompt": 5}),
            ("prompt", {"prompt": "x" * 20001}), ("nope", {"nope": 1}), ("restore_faces", {"restore_faces": True}),
            ("script_name", {"script_name": "x/y/z plot"}), ("Nope", {"alwayson_scripts": {"Nope": {"args": []}}}),
            ("refiner_checkpoint", {"refiner_checkpoint": "x"}), ("styles", {"styles": ["x"]}),
            ("s_churn", {"s_churn": 1}), ("tiling", {"tiling": "yes"}), ("cfg_scale", {"cfg_scale": "7"}),
            ("nolora", {"prompt": "a <lora:nolora:1> fox"}), ("override_settings", {"override_settings": []}),
            ("nope", {"override_settings": {"nope": 1}}), ("sd_model_checkpoint", {"override_settings": {"sd_model_checkpoint": "x"}})):
        refuse(server, word, **{"prompt": "x", **fields})
    refuse(server, "steps", prompt="x", sampler_name="PLMS", steps=3)  # by the model, once it is drawn
    neutral = {
        "styles": [], "subseed": -1, "subseed_strength": 0.0, "seed_resize_from_h": -1, "seed_resize_from_w": 0,
        "restore_faces": False, "tiling": False, "do_not_save_samples": False, "do_not_save_grid": True, "eta": None,
        "denoising_strength": 0.7, "s_min_uncond": 0, "s_churn": 0, "s_tmax": None, "s_tmin": 0, "s_noise": 1,
        "override_settings": {}, "override_settings_restore_afterwards": True, "refiner_checkpoint": None,
        "refiner_switch_at": None, "disable_extra_networks": False, "firstpass_image": None, "comments": {},
        "enable_hr": False, "firstphase_width": 0, "firstphase_height": 0, "hr_scale": 2, "hr_upscaler": "Latent",
        "hr_second_pass_steps": 0, "hr_resize_x": 0, "hr_resize_y": 0, "hr_checkpoint_name": None, "hr_sampler_name": None,
        "hr_scheduler": None, "hr_prompt": "", "hr_negative_prompt": "", "force_task_id": None, "script_name": None,
        "script_args": [], "send_images": True, "save_images": False, "alwayson_scripts": {}, "infotext": None}
    check(draw(server, **neutral)[2] == draw(server)[2], "neutral values do nothing")
    answer = server.post("/sdapi/v1/txt2img", "{", Content_Type="application/json")
    check(answer.status == 400 and "detail" in answer.json, answer.body)


def test_idempotency(server):
    fields = {"prompt": "a fox", "steps": 1}
    answers = [server.post("/sdapi/v1/txt2img", fields, Idempotency_Key="sd-1") for _ in range(2)]
    check(answers[0].status == answers[1].status == 200, answers[1].body[:200])
    check(answers[0].json["info"] == answers[1].json["info"], "the same job")
    check(server.post("/sdapi/v1/txt2img", {**fields, "steps": 2}, Idempotency_Key="sd-1").status == 422, "another body")


# ---- what runs ----

def test_progress(server):
    idle = server.get("/sdapi/v1/progress").json
    check(idle["progress"] == 0 and idle["current_image"] is None and idle["state"]["job_count"] == 0, idle)
    check(sorted(idle) == ["current_image", "eta_relative", "progress", "state", "textinfo"], idle)
    check(sorted(idle["state"]) == ["interrupted", "job", "job_count", "job_no", "job_timestamp", "sampling_step",
                                    "sampling_steps", "skipped"], idle)
    results = []
    thread = threading.Thread(target=lambda: results.append(draw(server, steps=900, n_iter=20)))
    thread.start()
    seen = None
    for _ in range(400):
        seen = server.get("/sdapi/v1/progress").json
        if seen["current_image"]:
            break
        time.sleep(0.02)
    check(seen["current_image"] and size_of(base64.b64decode(seen["current_image"])), seen)
    check(0 < seen["progress"] < 1 and seen["state"]["job_count"] == 20, seen["state"])
    check(seen["state"]["sampling_steps"] == 900 and seen["eta_relative"] >= 0, seen["state"])
    check(server.get("/sdapi/v1/progress?skip_current_image=true").json["current_image"] is None, "no image")
    check("skip_current_image" in server.get("/sdapi/v1/progress?skip_current_image=2").json["detail"], "no truth value")
    check(server.post("/sdapi/v1/interrupt").status == 200, "interrupt")
    thread.join(60)
    check(results, "the call that waited is answered")
    check(len(results[0][2]) < 20 and results[0][1]["all_seeds"] == list(range(5, 5 + len(results[0][2]))), results[0][1])


def test_skip(server):
    results = []
    thread = threading.Thread(target=lambda: results.append(draw(server, steps=60, n_iter=3)))
    thread.start()
    while server.get("/sdapi/v1/progress").json["state"]["sampling_step"] < 1:
        time.sleep(0.01)
    check(server.post("/sdapi/v1/skip").json == {}, "skip")
    thread.join(120)
    seeds = results[0][1]["all_seeds"]
    check(len(seeds) == 2 and set(seeds) < {5, 6, 7}, seeds)
    for name in ("interrupt", "skip", "unload-checkpoint", "reload-checkpoint", "refresh-checkpoints", "refresh-loras"):
        answer = server.post(f"/sdapi/v1/{name}")
        check(answer.status == 200 and answer.json == {}, f"{name}: {answer.body}")
    draw(server)


# ---- lists ----

def test_lists(server):
    get = lambda name: server.get(f"/sdapi/v1/{name}").json
    samplers = {s["name"]: s for s in get("samplers")}
    check(samplers["DPM++ 2M"]["aliases"] == ["dpm++2m"] and samplers["Euler a"]["options"] == {}, samplers["DPM++ 2M"])
    schedules = {s["name"]: s for s in get("schedulers")}
    check(schedules["karras"]["label"] == "Karras" and schedules["karras"]["default_rho"] == 7, schedules["karras"])
    check(schedules["align_your_steps"]["aliases"] == ["ays"] and "automatic" in schedules, sorted(schedules))
    check(all(s["need_inner_model"] is False for s in schedules.values()), "need_inner_model")
    models = get("sd-models")
    check([m["model_name"] for m in models] == ["model-train", "model-sd1"], models)
    check(all(sorted(m) == ["config", "filename", "hash", "model_name", "sha256", "title"] for m in models), models)
    check({"None", "Lanczos", "Nearest"} <= {u["name"] for u in get("upscalers")}, get("upscalers"))
    check(get("loras") == [] and get("embeddings") == {"loaded": {}, "skipped": {}}, "no files are offered")
    memory = get("memory")
    check(memory["ram"]["total"] > memory["ram"]["used"] > 0 and "cuda" in memory, memory)
    check(get("cmd-flags")["port"] == server.port, get("cmd-flags"))
    for name in ("latent-upscale-modes", "hypernetworks", "prompt-styles", "face-restorers", "realesrgan-models", "sd-vae"):
        check(isinstance(get(name), list), name)
    check(get("scripts") == {"txt2img": [], "img2img": []}, get("scripts"))


def test_description(server):
    schemas = server.get("/openapi.json").json["components"]["schemas"]
    for name, fields in (("Txt2ImgRequest", {"steps": "integer", "enable_hr": "boolean", "cfg_scale": "number"}),
                         ("Img2ImgRequest", {"init_images": "array"}),
                         ("ExtrasRequest", {"upscaler_1": "string"}), ("GenerationsRequest", {"n": "integer", "prompt": "string"}),
                         ("EditsRequest", {"strength": "number", "mask": "string"})):
        for field, kind in fields.items():
            found = schemas[name]["properties"][field]
            check(found["type"] == kind and found["description"], f"{name}: {field}: {found}")


# ---- options ----

def test_options(server):
    options = server.get("/sdapi/v1/options").json
    check(options["sd_model_checkpoint"].startswith("model-train") and options["CLIP_stop_at_last_layers"] == 1, options)
    check(server.post("/sdapi/v1/options", options).status == 200, "all of GET may be sent back")
    check(server.get("/sdapi/v1/options").json == options, "and changes nothing")
    for word, change in (("nope", {"nope": 1}), ("CLIP_stop_at_last_layers", {"CLIP_stop_at_last_layers": 0}),
                         ("samples_format", {"samples_format": "jpg"}), ("sd_model_checkpoint", {"sd_model_checkpoint": "x"}),
                         ("grid_save", {"grid_save": "yes"}), ("randn_source", {"randn_source": "TPU"})):
        refuse(server, word, "options", grid_save=False, **change) if "grid_save" not in change else refuse(
            server, word, "options", **change)
    check(server.get("/sdapi/v1/options").json == options, "what is refused changes nothing")
    plain = draw(server)
    for change, part in (({"CLIP_stop_at_last_layers": 2}, "Clip skip: 2"), ({"randn_source": "CPU"}, "RNG: CPU")):
        text = draw(server, override_settings=change)[1]["infotexts"][0]
        check(part in text, text)
    for kind in ("TAESD", "Full", "Approx NN"):
        check(draw(server, override_settings={"show_progress_type": kind})[2] == plain[2], kind)
    check(draw(server)[2] == plain[2], "override_settings last one request")
    check(draw(server, override_settings={"sd_model_checkpoint": "model-sd1"}, width=64, height=64, steps=1)[1]
          ["sd_model_name"] == "model-sd1", "a model for one request")
    check(server.post("/sdapi/v1/options", {"sd_model_checkpoint": "MODEL-SD1", "grid_save": False}).status == 200, "set")
    check(server.get("/sdapi/v1/options").json["sd_model_checkpoint"].startswith("model-sd1"), "the title")
    check(draw(server, width=64, height=64, steps=1)[1]["sd_model_name"] == "model-sd1", "it draws")


def test_restart(folder):
    with Server(PROGRAM, *MODELS, state=folder) as server:
        options = server.get("/sdapi/v1/options").json
        check(options["sd_model_checkpoint"].startswith("model-sd1") and options["grid_save"] is False, "options are kept")
        check(server.post("/sdapi/v1/options", {"sd_model_checkpoint": None}).status == 200, "null is the default")
    with Server(PROGRAM, *MODELS[:2], state=folder) as server:
        check(server.get("/sdapi/v1/options").json["sd_model_checkpoint"].startswith("model-train"), "a model that is gone")


# ---- pictures ----

def test_png_info(server):
    _, info, pngs = draw(server, negative_prompt="blue", sampler_name="DPM++ 2M Karras")
    answer = server.post("/sdapi/v1/png-info", {"image": "data:image/png;base64," + base64_of(pngs[0])}).json
    check(answer["info"] == info["infotexts"][0] == answer["items"]["parameters"], answer)
    for key, value in {"Prompt": "a fox", "Negative prompt": "blue", "Steps": "2", "Sampler": "DPM++ 2M",
                       "Schedule type": "Karras", "Seed": "5", "Size-1": "8", "Size-2": "8"}.items():
        check(answer["parameters"][key] == value, f"{key}: {answer['parameters']}")
    check(server.post("/sdapi/v1/png-info", {"image": base64_of(GREY)}).json == {"info": "", "items": {}, "parameters": {}}, "none")
    refuse(server, "image", "png-info", image="AAAA")
    refuse(server, "image", "png-info")


def test_extras(server):
    picture = base64_of(make_png(16, 8, lambda x, y: (x * 15, y * 30, 9), parameters="a fox\nSteps: 1, Seed: 2, Size: 3x4"))

    def enlarge(**fields):
        answer = server.post("/sdapi/v1/extra-single-image", {"image": picture, **fields})
        check(answer.status == 200 and sorted(answer.json) == ["html_info", "image"], answer.body[:300])
        return base64.b64decode(answer.json["image"])

    for name in ("Lanczos", "Nearest"):
        png = enlarge(upscaler_1=name, upscaling_resize=4)
        check(size_of(png) == (64, 32) and texts_of(png)["parameters"].startswith("a fox"), name)
    check(size_of(enlarge(upscaling_resize=4)) == size_of(enlarge(upscaler_1="None")) == (16, 8), "None")
    check(size_of(enlarge(upscaler_1="Lanczos", resize_mode=1, upscaling_resize_w=40, upscaling_resize_h=40)) == (40, 40), "crop")
    check(size_of(enlarge(upscaler_1="Lanczos", resize_mode=1, upscaling_resize_w=40, upscaling_resize_h=40,
                          upscaling_crop=False)) == (40, 20), "inside")
    for word, fields in (("image", {"image": "AAAA"}), ("upscaler_1", {"upscaler_1": "nope"}),
                         ("upscaling_resize", {"upscaler_1": "Lanczos", "upscaling_resize": 0}),
                         ("gfpgan_visibility", {"gfpgan_visibility": 1}), ("resize_mode", {"upscaler_1": "Lanczos", "resize_mode": 2}),
                         ("nope", {"nope": 1})):
        refuse(server, word, "extra-single-image", **{"image": picture, **fields})


def make_model(folder):
    """Puts a model together whose UNet a ControlNet of the test data fits."""
    model = os.path.join(folder, "steered")
    os.mkdir(model)
    for part in ("model_index.json", "scheduler", "text_encoder", "tokenizer", "vae"):
        os.symlink(os.path.join(DATA, "model-sd1", part), os.path.join(model, part))
    os.symlink(os.path.join(DATA, "controls/unet-sd"), os.path.join(model, "unet"))
    return model


def test_folders_of_words(folder):
    """So do embeddings."""
    deep, word = os.path.join(folder, "style", "ink"), os.path.join(DATA, "adapters/words/ember.safetensors")
    os.makedirs(deep)
    os.mkdir(os.path.join(folder, "none.pt"))
    os.symlink(word, os.path.join(deep, "inked.safetensors"))
    with Server(PROGRAM, *MODELS[:2], "--embd-dir", folder) as server:
        check(list(server.get("/sdapi/v1/embeddings").json["loaded"]) == ["inked"], server.get("/sdapi/v1/embeddings").body)
        with_word = pixels(draw(server, prompt="a fox inked")[2][0])
    with Server(PROGRAM, *MODELS[:2]) as server:
        check(pixels(draw(server, prompt="a fox inked")[2][0]) != with_word, "the word acts")


def make_controls(folder):
    """Makes a folder of the ControlNets of the test data, one of them with brackets in its name, too."""
    controls = os.path.join(folder, "controls")
    os.mkdir(controls)
    for name in os.listdir(os.path.join(DATA, "controls")):
        os.symlink(os.path.join(DATA, "controls", name), os.path.join(controls, name))
    os.symlink(os.path.join(DATA, "controls/net-a"), os.path.join(controls, "net [v2]"))
    return controls


def pixels(png):
    return png[png.index(b"IDAT"):]


def test_folders_of_loras(folder):
    """LoRAs lie in folders below that of LoRAs, too, as A1111 has them."""
    lora, deep = os.path.join(DATA, "adapters/lora.safetensors"), os.path.join(folder, "styles", "ink")
    os.makedirs(deep)
    for name in os.path.join(folder, "flat"), os.path.join(deep, "below"), os.path.join(deep, "flat"):
        os.symlink(lora, name + ".safetensors")
    with Server(PROGRAM, *MODELS[:2], "--lora-model-dir", folder) as server:
        listed = {one["name"]: one for one in server.get("/sdapi/v1/loras").json}
        check(sorted(listed) == ["below", "flat"] and all(sorted(one) == ["alias", "metadata", "name", "path"] for one in listed.values()), listed)
        check(os.path.dirname(listed["flat"]["path"]) == folder and os.path.dirname(listed["below"]["path"]) == deep, listed)
        drawn = [draw(server, prompt=f"a fox{tag}")[2][0] for tag in ("", "<lora:flat:1>", "<lora:below:1>")]
        check(pixels(drawn[1]) == pixels(drawn[2]) != pixels(drawn[0]), "a LoRA below acts")
        job = server.post("/api/jobs", {"prompt": "a fox", "steps": 2, "seed": 5, "lora": ["below"]}).json
        while job["state"] in ("queued", "running"):
            job = server.get(f"/api/jobs/{job['id']}").json
        check(pixels(server.get(job["pictures"][0]["url"]).body) == pixels(drawn[1]), job)


def test_files(folder):
    lines = ("-m", make_model(folder), "--models-dir", make_controls(folder), "--lora-model-dir", os.path.join(DATA, "adapters"),
             "--embd-dir", os.path.join(DATA, "adapters/words"), "--upscalers-dir", os.path.join(DATA, "upscalers"))
    with Server(PROGRAM, *lines) as server:
        get = lambda path: server.get(path).json
        check("lora" in {lora["name"] for lora in get("/sdapi/v1/loras")}, get("/sdapi/v1/loras"))
        check(all(isinstance(lora["metadata"], dict) and lora["path"] for lora in get("/sdapi/v1/loras")), "metadata")
        check(get("/sdapi/v1/embeddings")["loaded"], get("/sdapi/v1/embeddings"))
        scales = {u["name"]: u["scale"] for u in get("/sdapi/v1/upscalers")}
        check(scales["srvgg_x2"] == 2 and scales["rrdb_x4"] == 4, scales)
        check("net-a" in get("/controlnet/model_list")["model_list"], get("/controlnet/model_list"))
        check(get("/controlnet/module_list")["module_list"] == ["none", "canny"], "modules")
        answer = server.post("/sdapi/v1/extra-single-image",
                             {"image": base64_of(GREY), "upscaler_1": "srvgg_x2", "upscaling_resize": 3}).json
        check(size_of(base64.b64decode(answer["image"])) == (48, 48) and "srvgg_x2" in answer["html_info"], answer["html_info"])
        unit = {"image": base64_of(GREY), "model": "net-a [12345678]", "module": "canny", "threshold_a": 50, "threshold_b": 100,
                "weight": 0.8, "guidance_start": 0.0, "guidance_end": 0.6, "control_mode": "Balanced", "mask": None,
                "resize_mode": "Resize and Fill", "processor_res": 512, "pixel_perfect": False, "hr_option": "Both", "enabled": True}
        size = {"width": 32, "height": 32, "steps": 2}
        _, info, pngs = draw(server, **size, alwayson_scripts={"ControlNet": {"args": [unit]}})
        check("ControlNet 0" in info["infotexts"][0], info["infotexts"][0])
        for name in ("net [v2]", "net [v2] [12345678]"):
            check(draw(server, **size, alwayson_scripts={"ControlNet": {"args": [{**unit, "model": name}]}})[2][0] is not None, name)
        plain = draw(server, **size)[2]
        check(draw(server, **size, alwayson_scripts={"controlnet": {"args": [{**unit, "enabled": False}]}})[2] == plain != pngs, "off")
        for word, change in (("nope", {"model": "nope"}), ("module", {"module": "depth"}), ("weight", {"weight": "1"}),
                             ("image", {"image": ""}), ("control_mode", {"control_mode": 1}), ("other", {"other": 1})):
            refuse(server, word, prompt="x", alwayson_scripts={"ControlNet": {"args": [{**unit, **change}]}})


def main():
    with tempfile.TemporaryDirectory(prefix="fumarole-sdapi-") as folder:
        with Server(PROGRAM, *MODELS, state=folder) as server:
            for test in (test_pictures, test_samplers, test_second_pass, test_variations, test_img2img, test_refusals,
                         test_idempotency, test_progress, test_skip, test_lists, test_description, test_png_info, test_extras, test_options):
                begun = time.monotonic()
                test(server)
                print(f"{test.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
            check(server.stop() == 0, "the server ends")
        test_restart(folder)
        test_files(folder)
        loras = os.path.join(folder, "loras")
        os.mkdir(loras)
        test_folders_of_loras(loras)
        words = os.path.join(folder, "words")
        os.mkdir(words)
        test_folders_of_words(words)


main()
