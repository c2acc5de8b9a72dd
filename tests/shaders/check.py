#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py BUILT_SHADERS: every compiled shader asks for no more of a device than the code checks before it runs it, and
is valid by spirv-val, where that is installed, for the Vulkan version that it was built for."""
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

SHADER, FLOAT16, FLOAT64, SAMPLED_BUFFER, SUBGROUPS, SHUFFLE = 1, 9, 10, 46, 61, 65
STORAGE16, MEMORY_MODEL, MATRIX, DOT, DOT_PACKED = 4433, 5345, 6022, 6019, 6018
BF16, BF16_MATRIX = 5116, 5118
ENVIRONMENTS = {3: "vulkan1.1", 5: "vulkan1.2", 6: "vulkan1.3"}


def quantised_types():
    root = pathlib.Path(__file__).parents[2]
    return re.findall(r"^FUM_QUANTISED\((\w+)\)", (root / "src/weights/quantised.def").read_text(), re.M)


def allowed(name, dtype):
    """Capabilities by what a variant's `usable` asks of a device; 16-bit storage goes with the storage type."""
    out = {SHADER}
    name = re.sub(f"_({'|'.join(quantised_types())})$", "", name)
    if dtype == "f16":
        out |= {STORAGE16}
    if name in ("gemm_f16", "bench_fma"):
        out |= {FLOAT16}
    if name.endswith("_pairs"):  # fum_read_texels takes them on Mesa's CPU driver alone, which has shaderFloat64
        out |= {FLOAT64}
    if name.endswith(("_texel", "_pairs")):
        out |= {SAMPLED_BUFFER, SUBGROUPS, SHUFFLE}
    if name.endswith("_int8") or name == "bench_dot":
        out |= {DOT, DOT_PACKED}
    if name.endswith("_coopmat") or name == "bench_matrix":
        out |= {FLOAT16, STORAGE16, SUBGROUPS, SHUFFLE, MEMORY_MODEL, MATRIX}
        if dtype == "bf16":
            out |= {BF16, BF16_MATRIX}
    return out


def capabilities(words):
    at, found = 5, set()
    while at < len(words) and words[at] & 0xFFFF == 17:  # OpCapability: they come first
        found.add(words[at + 1])
        at += words[at] >> 16
    return found


def main():
    validator = shutil.which("spirv-val")
    wrong = count = 0
    with tempfile.TemporaryDirectory() as folder:
        module = pathlib.Path(folder) / "module.spv"
        for header in sorted(pathlib.Path(sys.argv[1]).glob("*.spv.h")):
            words = [int(w, 16) for w in re.findall(r"0x([0-9a-fA-F]{8})", header.read_text())]
            name, dtype = header.name[: -len(".spv.h")].rsplit("_", 1)
            more = capabilities(words) - allowed(name, dtype)
            if more:
                print(f"{header.name}: asks for capabilities {sorted(more)}, which nothing checks")
            bad = bool(more)
            if validator:
                module.write_bytes(struct.pack(f"<{len(words)}I", *words))
                target = ENVIRONMENTS[words[1] >> 8 & 0xFF]
                run = subprocess.run([validator, "--target-env", target, module], capture_output=True, text=True)
                if run.returncode:
                    print(f"{header.name}, for {target}: {run.stdout}{run.stderr}")
                    bad = True
            wrong += bad
            count += 1
    print(f"{count} shaders, {wrong} wrong" + ("" if validator else "; without spirv-val"))
    return wrong > 0 or count == 0


sys.exit(main())
