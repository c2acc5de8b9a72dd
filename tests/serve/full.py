#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""full.py FUMAROLE: a server whose disk is full refuses jobs, keeps those that it has, and goes on when there is space."""
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import job_calls
from job_calls import Server, check

FUMAROLE = sys.argv[1]


def mount(folder):
    """Puts a disk of 2 MB there, in a mount namespace of its own. Skips the test where that is not allowed."""
    if os.environ.get("FULL_INSIDE"):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], check=False).returncode == 0
    run = ["unshare", "--mount", "--map-root-user", sys.executable, *sys.argv]
    if subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True, check=False).returncode:
        print("skipped: no mount namespace")
        sys.exit(77)
    sys.exit(subprocess.run(run, env={**os.environ, "FULL_INSIDE": "1"}, check=False).returncode)


def fill(file):
    """Writes until the disk is full."""
    with open(file, "wb", buffering=0) as out:
        try:
            while out.write(bytes(4096)):
                pass
        except OSError:
            pass


def look(s, filler):
    job = s.create(prompt="a fox", steps=150, batch_count=4, preview="none")
    s.wait(job, ("running",))
    fill(filler)
    refused = s.post("/api/jobs", {"prompt": "x"}, Idempotency_Key="later")
    check("a full disk takes no job", refused.status == 507 and "no space" in refused.json["error"]["message"]
          and refused.json["error"]["code"] == "no_space", refused.status, refused.body)
    waiting = s.wait(job, ("queued", "failed", "done"))
    check("its job waits", waiting["state"] == "queued" and waiting["error"] and waiting["error"]["code"] == "no_space", waiting)
    check("no part of a file is left", not [f for f in (s.path / "pictures").iterdir() if f.suffix != ".png"])
    other = [file.name for file in (s.path / "pictures").iterdir()]
    check("every file is a picture of it", other == [] or len(other) == len(waiting["pictures"]), other)
    time.sleep(1.2)
    check("it still waits", s.job(job)["state"] == "queued")
    filler.unlink()
    done = s.wait(job, seconds=60)
    check("it goes on when there is space", done["state"] == "done" and done["error"] is None and len(done["pictures"]) == 4, done)
    check("a refused key is free", s.post("/api/jobs", {"prompt": "x", "steps": 1}, Idempotency_Key="later").status == 201)
    second = s.create(prompt="a fox", steps=300, batch_count=2, preview="none")
    s.wait(second, ("running",))
    fill(filler)
    s.wait(second, ("queued",))
    cancelled = s.delete(f"/api/jobs/{second['id']}")
    check("a job that waits for space is cancelled", cancelled.status == 200 and cancelled.json["state"] == "cancelled", cancelled.body)
    filler.unlink()
    time.sleep(1.5)
    check("it stops", s.terminate()[0] == 0, s.log)
    with Server(FUMAROLE, state=s.state) as again:
        check("it stays cancelled", again.job(second)["state"] == "cancelled")


def look_at_limit():
    """A limit of the size of files counts as a full disk, too."""
    whole = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300000, whole[1]))
    with tempfile.TemporaryDirectory() as state:
        with Server(FUMAROLE, state=state) as s:
            resource.setrlimit(resource.RLIMIT_FSIZE, whole)
            taken, answer = [], None
            while len(taken) < 100 and (not answer or answer.status == 201):
                answer = s.post("/api/jobs", {"prompt": "a fox", "negative_prompt": " " * 15000, "steps": 1, "preview": "none"})
                taken += [answer.json] * (answer.status == 201)
            check("a file that may not grow is a full disk", answer.status == 507 and answer.json["error"]["code"] == "no_space", answer.body)
            check("the server goes on", s.get("/health").status in (200, 503) and s.job(taken[0])["id"] == taken[0]["id"])
            check("it stops", s.terminate()[0] == 0, s.log)
        with Server(FUMAROLE, state=state) as s:
            check("no job is lost", all(s.wait(job)["state"] == "done" for job in taken))


def main():
    job_calls.need_device(FUMAROLE)
    if not os.environ.get("FULL_INSIDE"):
        look_at_limit()
        if job_calls.failures:
            job_calls.finish()
    with tempfile.TemporaryDirectory() as folder:
        if not mount(folder):
            print("skipped: a disk cannot be mounted")
            sys.exit(77)
        try:
            with Server(FUMAROLE, state=pathlib.Path(folder, "state")) as s:
                look(s, pathlib.Path(folder, "filler"))
        finally:
            subprocess.run(["umount", folder], check=False)
    job_calls.finish()


main()
