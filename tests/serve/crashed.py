#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""crashed.py FUMAROLE: a job that crashes the server is given up, and one that is killed is not."""
import pathlib
import resource
import signal
import sqlite3
import sys
import tempfile

import job_calls
from job_calls import Server, check

FUMAROLE = sys.argv[1]
LONG = {"prompt": "a fox", "steps": 900, "batch_count": 3, "preview": "none"}


def end_while_it_draws(state, job, number):
    """Starts the server, waits until it draws the job, and ends it by a signal. Returns the job as it was then."""
    with Server(FUMAROLE, state=state) as s:
        job = s.wait(job or s.create(**LONG), ("running", "failed"))
        s.stop(number)
    return job


def make_old(database):
    """Makes the tables those of the first version."""
    with sqlite3.connect(database) as tables:
        for column in "starts", "crashes", "drawing":
            tables.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
        tables.execute("PRAGMA user_version = 1")
    tables.close()


def main():
    job_calls.need_device(FUMAROLE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        state, job = pathlib.Path(folder), None
        for number in [signal.SIGKILL] * 2 + [signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT, signal.SIGKILL]:
            job = end_while_it_draws(state, job, number)
            check(f"it is drawn again after {number!r}", job["state"] == "running", job)
        make_old(state / "jobs.sqlite")
        for number in signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE:
            job = end_while_it_draws(state, job, number)
            check("older tables count from 0", job["state"] == "running", job)
        with Server(FUMAROLE, state=state) as s:
            other = s.wait(s.create(prompt="x", steps=1))
            check("others are drawn", other["state"] == "done", other)
            job = s.job(job)
            check("it is given up", job["state"] == "failed" and job["error"]["code"] == "crashed", job)
            check("and the error says why", "3 times" in job["error"]["message"] and job["finished"], job)
        check("the mark is gone", not (state / "crashed").exists())
    job_calls.finish()


main()
