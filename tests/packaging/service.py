#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""service.py PROGRAM ROOT: the unit of systemd is valid and hardened, and it and the Containerfile give the server options
that it has.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
MAX_EXPOSURE = 25  # tenths, of systemd-analyze security
failures = []


def check(good, text):
    if not good:
        failures.append(text)


def options():
    text = subprocess.run([PROGRAM, "serve", "--help"], env=dict(os.environ, COLUMNS="200"), capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  (?:-\w, |    )(--[\w-]+)", text, re.M))


def check_unit(known):
    text = (ROOT / "packaging/fumarole.service.in").read_text(encoding="utf8").replace("@BINDIR@/fumarole", os.path.abspath(PROGRAM))
    used = set(re.findall(r"--[\w-]+", re.search(r"^ExecStart=(.*)$", text, re.M)[1]))
    check(used and used <= known, f"the unit gives options that serve has not: {used - known}")
    for setting in ("DynamicUser=yes", "ProtectSystem=strict", "StateDirectory=fumarole", "NoNewPrivileges=yes"):
        check(f"\n{setting}\n" in text, f"the unit lacks {setting}")
    if not shutil.which("systemd-analyze"):
        print("systemd-analyze is not here")
        return
    with tempfile.TemporaryDirectory() as folder:
        unit = pathlib.Path(folder, "fumarole.service")
        unit.write_text(text, encoding="utf8")
        run = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
        check(run.returncode == 0 and "fumarole.service" not in run.stderr, f"systemd-analyze verify: {run.stderr}")
        run = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager", unit],
                             capture_output=True, text=True, check=False)
        lines = [line for line in run.stdout.splitlines() if "exposure" in line]
        print(*lines, sep="\n")
        check(run.returncode == 0, f"systemd-analyze security: {run.stdout[-300:]} {run.stderr}")


def check_container(known):
    text = (ROOT / "packaging/Containerfile").read_text(encoding="utf8").replace("\\\n", " ")
    last = text.split("\nFROM ")[-1]
    users = re.findall(r"^USER (\S+)$", last, re.M)
    check(users and users[-1] not in ("0", "root"), f"the container runs as {users}")
    check("\nHEALTHCHECK " in last, "the container has no health check")
    words = [word for line in re.findall(r"^(?:ENTRYPOINT|CMD) (\[.*\])$", last, re.M) for word in json.loads(line)]
    used = {word for word in words if word.startswith("--")}
    check(words[:2] == ["fumarole", "serve"] and used <= known, f"the container gives options that serve has not: {used - known}")
    for source in re.findall(r"^COPY (?!--from)(\S+) ", text, re.M):
        check((ROOT / source).exists(), f"the Containerfile copies {source}, which does not exist")


def main():
    known = options()
    check_unit(known)
    check_container(known)
    for failure in failures:
        print(failure)
    print(f"{len(failures)} wrong")
    return 1 if failures else 0


sys.exit(main())
