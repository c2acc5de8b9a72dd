#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py SOURCE_ROOT: includes go downwards only.

base <- gpu <- graph <- ops <- nn <- model <- pipeline <- bench <- public API <- cli, samples; io, text and sample need only
base; check, the op cases, needs ops and what lies below; only src/gpu includes Vulkan.
"""
import pathlib
import re
import sys

BELOW = {
    "base": [],
    "io": ["base"],
    "text": ["base"],
    "sample": ["base"],
    "gpu": ["base"],
    "graph": ["base", "gpu"],
    "ops": ["base", "gpu", "graph"],
    "check": ["base", "gpu", "graph", "ops"],
    "nn": ["base", "gpu", "graph", "ops"],
    "model": ["base", "io", "text", "sample", "gpu", "graph", "ops", "nn"],
    "pipeline": ["base", "io", "text", "sample", "gpu", "graph", "ops", "nn", "model"],
    "bench": ["base", "io", "text", "sample", "gpu", "graph", "ops", "check", "nn", "model",
              "pipeline"],
}
# The layer that each public header speaks for. A layer may use the headers of its own and of those below.
# sampler.h also names the random number generators, which base draws from.
PUBLIC = {
    "core": "base", "file": "base", "sampler": "base", "device": "gpu", "graph": "graph", "selftest": "check",
    "tuning": "ops", "tokenizer": "text",
    "model": "model", "pipeline": "pipeline", "bench": "bench",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
VULKAN = re.compile(r"(^|/)(vulkan|volk|vk_video)", re.I)


def check_file(path, layer, root):
    public_only = layer in ("cli", "samples")
    for quote, name in INCLUDE.findall(path.read_text(encoding="utf8")):
        folder, _, rest = name.partition("/")
        if VULKAN.search(name) and layer != "gpu":
            yield f"includes {name}; only src/gpu may see Vulkan"
        if folder == "fumarole":
            wanted = PUBLIC.get(pathlib.Path(rest).stem)
            if wanted is None:
                yield f"includes {name}, which tests/layers/check.py gives no layer"
            elif not public_only and wanted != layer and wanted not in BELOW[layer]:
                yield f"includes {name}, a header of {wanted}: not below {layer}"
        elif folder in BELOW and rest and folder != layer:
            if public_only or folder not in BELOW[layer]:
                yield f"includes {name}: {folder} is not below {layer}"
        elif quote == '"' and not rest and not (path.parent / name).exists() and public_only:
            yield f"includes {name}, which is not beside it: only the public API"


def main():
    root = pathlib.Path(sys.argv[1])
    folders = [(root / "src" / layer, layer) for layer in [*BELOW, "cli"]] + [(root / "samples", "samples")]
    known = {folder for folder, _ in folders}
    bad = [f"src/{d.name}: a folder that tests/layers/check.py knows no layer of"
           for d in sorted((root / "src").iterdir()) if d.is_dir() and d not in known]
    files = 0
    for folder, layer in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".c", ".h", ".in", ".cpp"):
                files += 1
                bad += [f"{path.relative_to(root)} {what}" for what in check_file(path, layer, root)]
    for line in bad:
        print(line)
    print(f"{files} files looked at, {len(bad)} wrong")
    return 1 if bad or files < 20 else 0


sys.exit(main())
