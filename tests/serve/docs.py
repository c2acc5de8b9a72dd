#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs.py FUMAROLE: the commands of docs/serve.md that call a running server work as they stand there."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from serve import Server

PROGRAM = os.path.abspath(sys.argv[1])
MODEL = os.path.join(os.environ["FUM_TEST_DATA"], "model-train")
ADDRESS = "http://127.0.0.1:1234"
PAGE = pathlib.Path(os.environ["FUM_SOURCE_ROOT"], "docs/serve.md")


def commands():
    """Lists the commands of blocks that call a server on this machine; a backslash at the end of a line joins it with the next."""
    lines = []
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf8"), re.M | re.S):
        if ADDRESS in block and "fumarole serve" not in block:
            lines += [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    return lines


def run(line, server, folder):
    line = re.sub(r"^curl ", "curl --fail-with-body --max-time 60 ", line.replace(ADDRESS, f"http://127.0.0.1:{server.port}"))
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{line}: {done.returncode} {done.stdout[:500]} {done.stderr[:500]}")
    if " -o " not in line and done.stdout.startswith("{"):
        json.loads(done.stdout)


def main():
    if not shutil.which("curl"):
        print("skipped: no curl")
        return 77
    lines = commands()
    if sum(line.startswith("curl") for line in lines) < 8:
        raise AssertionError(f"too few commands were found: {lines}")
    with tempfile.TemporaryDirectory() as folder, Server(PROGRAM, "-m", MODEL) as server:
        for line in lines:
            run(line, server, folder)
        for name in ("edit.json", "variation.json"):
            if not json.loads(pathlib.Path(folder, name).read_text(encoding="utf8"))["data"][0]["b64_json"]:
                raise AssertionError(name)
        events = pathlib.Path(folder, "events.txt").read_text(encoding="utf8")
        if events.count("event: image_generation.partial_image") != 2 or "image_generation.completed" not in events:
            raise AssertionError(events[:300])
    print(f"{len(lines)} commands")
    return 0


sys.exit(main())
