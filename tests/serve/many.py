#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""many.py FUMAROLE JOBS: 32 clients send jobs and cancel some; nothing is lost and memory stays flat."""
import pathlib
import random
import statistics
import sys
import threading
import time

import job_calls
from job_calls import Server, check

FUMAROLE, JOBS, CLIENTS = sys.argv[1], int(sys.argv[2]), 32


def memory(s):
    """Returns the resident MiB of the server."""
    text = pathlib.Path(f"/proc/{s.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def client(s, number, sent):
    """Sends its share of the jobs, and cancels one of four."""
    dice = random.Random(number)
    for i in range(number, JOBS, CLIENTS):
        answer = s.post("/api/jobs", {"prompt": f"job {i}", "steps": 1 + i % 3, "preview": "none"})
        if answer.status != 201:
            check("a job is taken in", False, answer.status, answer.body)
            return
        cancelled = dice.random() < 0.25
        if cancelled:
            time.sleep(dice.uniform(0, 0.2))
            state = s.delete(answer.headers["Location"]).json["state"]
            check("a cancelled job is final", state in ("cancelled", "done"), state)
        sent[i] = answer.json["id"], cancelled


def health(s, seconds, ended):
    while not ended.is_set():
        begun = time.monotonic()
        s.get("/health")
        seconds.append(time.monotonic() - begun)
        time.sleep(0.05)


def list_all(s):
    jobs, after = {}, ""
    while after is not None:
        page = s.get("/api/jobs?limit=500" + (f"&after={after}" if after else "")).json
        jobs.update((job["id"], job) for job in page["jobs"])
        after = page["next"]
    return jobs


def wait_for_all(s):
    end = time.monotonic() + 60 + JOBS / 4
    while time.monotonic() < end:
        left = sum(len(s.get(f"/api/jobs?limit=1&state={state}").json["jobs"]) for state in ("queued", "running"))
        if not left:
            return
        time.sleep(0.2)
    check("all jobs become final", False)


def main():
    job_calls.need_device(FUMAROLE)
    with Server(FUMAROLE, "--max-queue", "2000") as s:
        for i in range(20):
            s.wait(s.create(prompt=f"warm {i}", steps=2))
        before, sent, seconds, ended = memory(s), {}, [], threading.Event()
        clients = [threading.Thread(target=client, args=(s, number, sent)) for number in range(CLIENTS)]
        watch = threading.Thread(target=health, args=(s, seconds, ended))
        for thread in [watch, *clients]:
            thread.start()
        for thread in clients:
            thread.join()
        wait_for_all(s)
        ended.set()
        watch.join()
        jobs = list_all(s)
        check("no job is lost", len(sent) == JOBS and len(jobs) == JOBS + 20, len(sent), len(jobs))
        for job_id, cancelled in sent.values():
            job = jobs[job_id]
            check("a job ends", job["state"] == "done" or cancelled and job["state"] == "cancelled", job)
            check("a done job has its picture", job["state"] != "done" or len(job["pictures"]) == 1, job)
        after, median = memory(s), statistics.median(seconds)
        states = [jobs[job_id]["state"] for job_id, _ in sent.values()]
        print(f"{states.count('done')} done, {states.count('cancelled')} cancelled, {before:.1f} MiB before and {after:.1f} after, "
              f"/health answers in {1000 * median:.1f} ms at the median")
        check("memory stays flat", after < before + 24, before, after)
        check("/health answers quickly", median < 0.1, median)
        check("it stops", s.terminate()[0] == 0)
    job_calls.finish()


main()
