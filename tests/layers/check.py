#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py SOURCE_ROOT: includes go downwards only, by the table of layers in docs/architecture.md.

Only src/gpu includes Vulkan. Programs (src/cli, samples) include the public headers alone.
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
VULKAN = re.compile(r"(^|/)(vulkan|volk|vk_video)", re.I)


def names(cell):
    return [name.strip() for name in cell.split(",") if name.strip()]


def read_layers(root):
    """Reads the table as {layer: all layers below it} and {public header: the layer that provides it}."""
    text = (root / "docs/architecture.md").read_text(encoding="utf8").partition("## The layers")[2].partition("\n## ")[0]
    below, public = {}, {}
    for layer, stands_on, headers in ROW.findall(text):
        under = set()
        for name in names(stands_on):
            under |= {name} | below[name]
        below[layer] = under
        public.update((pathlib.Path(header).stem, layer) for header in names(headers))
    return below, public


def check_file(path, layer, below, public):
    public_only = layer in ("cli", "samples")
    for quote, name in INCLUDE.findall(path.read_text(encoding="utf8")):
        folder, _, rest = name.partition("/")
        if VULKAN.search(name) and layer != "gpu":
            yield f"includes {name}; only src/gpu may see Vulkan"
        if folder == "fumarole":
            owner = public.get(pathlib.Path(rest).stem)
            if owner is None:
                yield f"includes {name}, which the table in docs/architecture.md gives no layer"
            elif not public_only and owner != layer and owner not in below[layer]:
                yield f"includes {name}, a header of {owner}: not below {layer}"
        elif folder in below and rest and folder != layer:
            if public_only or folder not in below[layer]:
                yield f"includes {name}: {folder} is not below {layer}"
        elif quote == '"' and not rest and not (path.parent / name).exists() and public_only:
            yield f"includes {name}, which is not beside it: only the public API"


def main():
    root = pathlib.Path(sys.argv[1])
    below, public = read_layers(root)
    folders = [(root / "src" / layer, layer) for layer in [*below, "cli"]] + [(root / "samples", "samples")]
    known = {folder for folder, _ in folders}
    bad = [f"src/{d.name}: a folder that the table in docs/architecture.md does not list"
           for d in sorted((root / "src").iterdir()) if d.is_dir() and d not in known]
    bad += [f"src/{layer}: the table in docs/architecture.md lists this folder, which does not exist"
            for layer in below if not (root / "src" / layer).is_dir()]
    bad += [f"include/fumarole/{h}.h: in the table or in the folder, not in both" for h in sorted(
        public.keys() ^ {path.stem for path in (root / "include/fumarole").glob("*.h")})]
    files = 0
    for folder, layer in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".c", ".h", ".in", ".cpp"):
                files += 1
                bad += [f"{path.relative_to(root)} {what}" for what in check_file(path, layer, below, public)]
    for line in bad:
        print(line)
    print(f"{files} files looked at, {len(bad)} wrong")
    return 1 if bad or files < 20 else 0


sys.exit(main())
