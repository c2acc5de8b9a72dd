#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""killed.py FUMAROLE JOBS KILLS: a server that is killed at random moments draws every picture once, with the bits of an unbroken run."""
import hashlib
import http.client
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

import job_calls
from job_calls import DATA, Server, check

FUMAROLE, JOBS, KILLS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def fields(i):
    return {"prompt": f"number {i}", "steps": 20 + 7 * (i % 5), "seed": 1000 * i, "batch_count": 2 + i % 3}


def post_some(s, sent, most):
    """Sends at most so many jobs that were not answered yet, each under its own key."""
    for i in [i for i in range(JOBS) if i not in sent][:most]:
        try:
            answer = s.post("/api/jobs", fields(i), Idempotency_Key=f"job {i}")
        except (OSError, http.client.HTTPException):
            return
        check("a job is taken in", answer.status in (200, 201), answer.body)
        sent[i] = answer.json["id"]


def read_all(s):
    return {job["id"]: job for job in s.get("/api/jobs?limit=500").json["jobs"]}


def wait_for_all(s, sent):
    end = time.monotonic() + 30 + 2 * JOBS
    while time.monotonic() < end:
        jobs = read_all(s)
        if len(sent) == JOBS and all(jobs[i]["state"] == "done" for i in sent.values()):
            return jobs
        time.sleep(0.1)
    check("all jobs are done", False, [job["state"] for job in jobs.values()])
    return jobs


def look_at(state, jobs, sent):
    """Returns the hashes of all pictures by job and index, each checked against its file."""
    hashes, files = {}, set()
    for i, job_id in sent.items():
        wanted = fields(i)["batch_count"]
        check("every picture is there once", [p["index"] for p in jobs[job_id]["pictures"]] == list(range(wanted)), jobs[job_id])
        for picture in jobs[job_id]["pictures"]:
            file = state / "pictures" / (picture["id"] + ".png")
            files.add(file.name)
            hashes[i, picture["index"]] = picture["sha256"]
            check("its file is whole", hashlib.sha256(file.read_bytes()).hexdigest() == picture["sha256"], picture)
    check("there is no other file", {file.name for file in (state / "pictures").iterdir()} == files)
    with sqlite3.connect(state / "jobs.sqlite") as database:
        check("the database is whole", database.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    return hashes


def kill_early(state, seconds):
    """Kills a server while it starts."""
    process = subprocess.Popen([FUMAROLE, "serve", "--listen-port", "0", "--state", state, "-m", DATA / "model-train"],
                               stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    process.wait()


def count_waiting(state):
    """Returns the number of jobs that a killed server leaves unfinished."""
    with sqlite3.connect(state / "jobs.sqlite") as database:
        return database.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone()[0]


def run(state, kills):
    sent, at_work = {}, 0
    for _ in range(kills):
        pause = random.uniform(0, 2.5)
        if pause < 0.5:
            kill_early(state, pause)
            continue
        with Server(FUMAROLE, state=state) as s:
            begun = time.monotonic()
            # A part of the jobs comes in between two kills.
            post_some(s, sent, 1 + JOBS // kills)
            time.sleep(max(0, begun + pause / 2 - time.monotonic()))
            s.process.kill()
        at_work += count_waiting(state) > 0
    if kills:
        print(f"{at_work} of {kills} kills left jobs unfinished")
        check("kills hit the work", at_work > 0)
    with Server(FUMAROLE, state=state) as s:
        post_some(s, sent, JOBS)
        jobs = wait_for_all(s, sent)
        check("no job is there twice", len(jobs) == JOBS, len(jobs))
        check("it stops", s.terminate()[0] == 0)
    return look_at(state, jobs, sent)


def main():
    job_calls.need_device(FUMAROLE)
    seed = int(os.environ.get("FUM_TEST_SEED", time.time_ns() % 10**6))
    random.seed(seed)
    print(f"FUM_TEST_SEED={seed} gives these pauses again", flush=True)
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
        expected = run(pathlib.Path(whole), 0)
        check("a killed server draws the same pictures", run(pathlib.Path(broken), KILLS) == expected)
    job_calls.finish()


main()
