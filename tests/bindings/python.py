#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python.py LIBRARY ROOT COMPILER…: the Python bindings agree with the headers, and draw what the program draws.

The layouts of structures, the values of enumerations and the numbers of parameters are compared with the headers', which
a C program prints. Then the shipped model draws with progress, is cancelled, and fails with the right exceptions.
"""
import ctypes
import gc
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import weakref

try:
    import numpy as np
except ImportError:
    debian = "/usr/bin/python3"  # which Debian's NumPy is for, if another Python comes first
    if sys.executable != debian and subprocess.run([debian, "-c", "import numpy"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        os.execv(debian, [debian, *sys.argv])
    print("skipped: NumPy is not here")
    sys.exit(77)

LIBRARY, ROOT, COMPILER = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
os.environ["FUMAROLE_LIBRARY"] = LIBRARY
sys.path.insert(0, str(ROOT / "bindings/python"))
import fumarole  # noqa: E402; needs the library's name

failures = []


def check(good, text):
    if not good:
        failures.append(text)


def raises(kind, function, text):
    try:
        function()
    except kind as error:
        check(str(error), f"{text}: the error says nothing")
        return error
    except Exception as error:  # pylint: disable=broad-except
        check(False, f"{text}: {type(error).__name__} in place of {kind.__name__}: {error}")
    else:
        check(False, f"{text}: no {kind.__name__}")
    return None


# ---- against the headers ----

def layouts():
    """Returns what a C program prints of the structures and enumerations."""
    lines = []
    for name, kind in fumarole.STRUCTURES.items():
        lines.append(f'printf("\\"{name}\\": [%zu, 0],\\n", sizeof(struct {name}));')
        lines += [f'printf("\\"{name}.{field}\\": [%zu, %zu],\\n", offsetof(struct {name}, {field}), sizeof(((struct {name} *)0)->{field}));'
                  for field, *_ in kind._fields_]
    for prefix, kind in fumarole.CHOICES.items():
        lines += [f'printf("\\"{prefix}{choice.name}\\": [%lld, 0],\\n", (long long){prefix}{choice.name});' for choice in kind]
    source = ("#include <fumarole/device.h>\n#include <fumarole/metadata.h>\n#include <fumarole/model.h>\n#include <fumarole/pipeline.h>\n"
              "#include <fumarole/upscale.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\nputs(\"{\");\n"
              + "\n".join(lines) + '\nprintf("\\"version\\": [%d, 0]}\\n", FUM_API_VERSION);\nreturn 0;\n}\n')
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "layouts.c")
        path.write_text(source, encoding="utf8")
        subprocess.run([*COMPILER, "-std=c11", f"-I{ROOT / 'include'}", str(path), "-o", str(path.with_suffix(""))], check=True)
        return json.loads(subprocess.run([path.with_suffix("")], capture_output=True, check=True).stdout)


def compare_layouts():
    found = layouts()
    check(found["version"][0] == fumarole.API_VERSION, f"the headers have interface {found['version'][0]}, the bindings {fumarole.API_VERSION}")
    for name, kind in fumarole.STRUCTURES.items():
        check(ctypes.sizeof(kind) == found[name][0], f"struct {name} has {found[name][0]} bytes, and {ctypes.sizeof(kind)} in the bindings")
        for field, *_ in kind._fields_:
            here = [getattr(kind, field).offset, getattr(kind, field).size]
            check(here == found[f"{name}.{field}"], f"{name}.{field} is {found[f'{name}.{field}']}, and {here} in the bindings")
    for prefix, kind in fumarole.CHOICES.items():
        for choice in kind:
            check(found[prefix + choice.name][0] == choice.value, f"{prefix}{choice.name} is {found[prefix + choice.name][0]}, not {choice.value}")


def compare_functions():
    headers = "".join(path.read_text(encoding="utf8") for path in sorted((ROOT / "include/fumarole").glob("*.h")))
    headers = re.sub(r"//[^\n]*", "", headers)
    for name, (_, arguments) in fumarole._FUNCTIONS.items():
        found = re.search(rf"\b{name}\((.*?)\);", headers, re.S)
        check(found, f"{name} is in no header")
        count = 0 if not found or found[1].strip() == "void" else found[1].count(",") + 1
        check(count == len(arguments), f"{name} has {count} parameters, and {len(arguments)} in the bindings")


# ---- drawing ----

def draw(pipeline):
    steps, loads = [], []
    first = pipeline.generate("a red heart", steps=2, seed=5, count=2, on_step=lambda *step: steps.append(step),
                              on_load=lambda component, done, total: loads.append(component))
    check([(p.index, p.seed, p.pixels.shape, p.pixels.dtype) for p in first]
          == [(0, 5, (128, 128, 3), np.uint8), (1, 6, (128, 128, 3), np.uint8)], "two pictures with their seeds and shapes")
    check(steps == [(0, 1, 2), (0, 2, 2), (1, 1, 2), (1, 2, 2)], f"steps were reported as {steps}")
    check("unet" in loads, f"loading was reported of {loads}")
    check(first[0].latents is not None and first[0].latents.ndim == 3 and np.isfinite(first[0].latents).all(), "latents")
    check(len(np.unique(first[0].pixels)) > 20, "the picture is not of one colour")
    again = pipeline.generate("a red heart", steps=2, seed=5, count=2, first=1)
    check(len(again) == 1 and np.array_equal(again[0].pixels, first[1].pixels), "the second picture alone has the same bits")
    noise = np.random.default_rng(0).standard_normal((1, *first[0].latents.shape), np.float32)
    given = [pipeline.generate("a red heart", steps=1, noise=noise * sign)[0] for sign in (1, 1, -1)]
    check(np.array_equal(given[0].pixels, given[1].pixels) and not np.array_equal(given[0].pixels, given[2].pixels), "noise is an array")
    return first[0]


def draw_from(pipeline, picture):
    mask = np.zeros((128, 128), np.uint8)
    mask[:64] = 255
    result = pipeline.generate("a blue heart", steps=2, init_image=picture, mask=mask, strength=0.9)[0]
    same = np.abs(result.pixels[100:].astype(int) - picture.pixels[100:]).max()
    check(same <= 2 and not np.array_equal(result.pixels[:40], picture.pixels[:40]), f"the mask keeps its black half, within {same}")
    previews = []
    pipeline.generate("a blue heart", steps=2, preview=fumarole.Preview.COLOURS, on_preview=lambda p, step: previews.append((p.pixels.shape[2], step)))
    check(previews == [(3, 1), (3, 2)], f"previews {previews}")


def keep_picture(picture, program_text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "ü.png")
        picture.save(path)
        check(path.read_bytes() == picture.encode(), "encode gives the bytes of the file")
        for source in (path, path.read_bytes()):
            found = fumarole.read_metadata(source)
            check(found is not None and found.prompt == "a red heart" and found.fields["Steps"] == "2" and found.fields["Seed"] == "5",
                  f"metadata of {type(source).__name__}")
    check(program_text in picture.parameters, "the parameters name the prompt")


def cancel(pipeline):
    def after(count):
        return lambda picture: picture.index + 1 < count

    error = raises(fumarole.Cancelled, lambda: pipeline.generate("a cat", steps=1, count=3, on_step=lambda image, *_: image == 0), "a step returns False")
    check(error is not None and len(error.pictures) == 1, "finished pictures come with the error")
    raises(KeyError, lambda: pipeline.generate("a cat", steps=2, on_step=lambda *_: {}["x"]), "an exception of a callback")
    event = threading.Event()
    threading.Timer(0.3, event.set).start()
    raises(fumarole.Cancelled, lambda: pipeline.generate("a cat", steps=1000, cancel=event), "another thread cancels")
    check(len(pipeline.generate("a cat", steps=1)) == 1, "the pipeline draws on after it was cancelled")
    raises(fumarole.Cancelled, lambda: pipeline.generate("a cat", steps=1, count=2, on_picture=after(1)), "a picture returns False")


def fail(pipeline):
    raises(fumarole.ArgumentError, lambda: pipeline.generate("a cat", sampler="none such"), "an unknown sampler")
    raises(fumarole.ArgumentError, lambda: pipeline.generate("a cat", hires={"scales": 2}), "an unknown field")
    raises(ValueError, lambda: fumarole.Device("no such device"), "an unknown device")
    raises(OSError, lambda: fumarole.Model("no/such/folder"), "an unknown model")
    raises(OSError, lambda: fumarole.read_metadata("no/such.png"), "a missing picture")
    raises(fumarole.FormatError, lambda: fumarole.read_metadata(b"no picture"), "no picture")


def forget():
    """Objects may be closed, dropped and collected in any order."""
    device, model = fumarole.Device(), fumarole.Model()
    pipeline = fumarole.Pipeline(model, device)
    device.close()
    raises(ValueError, lambda: device.info, "a closed device")
    check(len(pipeline.generate("a cat", steps=1)) == 1, "a pipeline draws on whose device is closed")
    dropped = weakref.ref(pipeline)
    del pipeline
    check(dropped() is None, "a pipeline is freed with its last reference")
    cycle = [fumarole.Device(), fumarole.Model()]
    cycle += [fumarole.Pipeline(cycle[1], cycle[0]), cycle]
    cycle[2].generate("a cat", steps=1)
    del cycle
    gc.collect()  # finalises the device before the pipeline


def main():
    compare_layouts()
    compare_functions()
    check(re.fullmatch(r"\d+\.\d+\.\d+", fumarole.version()) and "ddim" in fumarole.samplers() and "karras" in fumarole.schedules(), "names")
    try:
        devices = fumarole.devices()
    except fumarole.DeviceError as error:
        devices = []
        print(f"no pictures: {error}")
    if devices:
        with fumarole.Model() as model, fumarole.Device() as device, fumarole.Pipeline(model, device) as pipeline:
            check(model.info.name == "emoji" and model.info.width == 128 and model.info.unusable is None, "the model's defaults")
            check("red heart" in model.prompts and len(device.info.uuid) == 32, "prompts and UUID")
            picture = draw(pipeline)
            check(device.memory[0] > 0, "memory in use")
            draw_from(pipeline, picture)
            keep_picture(picture, "a red heart")
            cancel(pipeline)
            fail(pipeline)
        raises(ValueError, lambda: pipeline.generate("a cat"), "a closed pipeline")
        forget()
    elif os.environ.get("FUM_REQUIRE_DEVICE"):
        check(False, "there is no device")
    for failure in failures:
        print(failure)
    print(f"{len(fumarole.STRUCTURES)} structures, {len(fumarole._FUNCTIONS)} functions, {len(devices)} devices, {len(failures)} wrong")
    return 1 if failures else 0


sys.exit(main())
