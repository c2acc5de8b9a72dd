#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""course.py PROGRAM SOURCE_ROOT: runs every command of docs/course in the order of its pages, in one empty folder, with a
few steps and small batches. A page's commands may use what those of earlier pages made.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

PROGRAM, ROOT = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
# What stands in for long runs, by command: options that replace those of the page.
SHORT = {
    "train": {"--steps": "2", "--batch": "2"},
    "generate": {"--steps": "2", "--grid": "2x1", "-b": "12", "--tolerance": "0.1"},
    "evaluate": {"--count": "4", "--tolerance": "0.1"},
    "dataset": {"--count": "64", "--held-out": "32"},
}
SLOW_SAMPLES = {"score", "dreambooth", "textual-inversion"}
NO_STEPS = {"vae", "cvae", "hvae", "kl"}  # models that are drawn in one go


def pages():
    folder = ROOT / "docs/course"
    index = (folder / "README.md").read_text(encoding="utf8")
    return [folder / "README.md", *(folder / name for name in re.findall(r"\]\((\d\d-[\w-]+\.md)\)", index))]


def commands(page):
    """Yields the commands of a page; a backslash at the end of a line joins it with the next."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf8"), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip():
                yield shlex.split(line, comments=True)


def shorten(words):
    kind, short = words[1], dict(SHORT.get(words[1], {}))
    model = words[words.index("-m") + 1] if "-m" in words else ""
    if kind == "generate" and (model in NO_STEPS or "ode" in words or "--reconstruct" in words):
        del short["--steps"]
    if kind == "evaluate" and "--count" not in words:
        short.pop("--count")
    if "--bpd" in words or "--likelihood" in words:
        short["--count"] = "1"  # each picture is evaluated at hundreds of times
    if kind == "dataset" and words[2] != "glyphs":
        short = {}
    out = list(words)
    if kind == "train" and words[2] in SLOW_SAMPLES:
        out += ["--set", "train.sample_every=0"]
    out = [re.sub("^prior.count=.*", "prior.count=2", word) for word in out]
    for option, value in short.items():
        if option in out:
            out[out.index(option) + 1] = value
        elif option not in ("--grid", "--batch", "-b", "--tolerance"):
            out += [option, value]
    return [PROGRAM, *out[1:]]


def main():
    env = dict(os.environ, OMP_NUM_THREADS="1")
    ran, bad = 0, 0
    if subprocess.run([PROGRAM, "devices"], capture_output=True).returncode:
        print("no Vulkan device")
        return 1 if os.environ.get("FUM_REQUIRE_DEVICE") else 77
    with tempfile.TemporaryDirectory() as work:
        shutil.copytree(ROOT / "docs/course/monster", f"{work}/monster")
        for page in pages():
            for words in commands(page):
                done = subprocess.run(shorten(words), cwd=work, env=env, capture_output=True, text=True,
                                      stdin=subprocess.DEVNULL)
                ran += 1
                if words[0] != "fumarole" or done.returncode:
                    bad += 1
                    print(f"{page.name}: {shlex.join(words)}\n  {done.stderr.strip()[-600:]}")
    print(f"{ran} commands, {bad} failed")
    return 1 if bad or ran < 10 else 0


sys.exit(main())
