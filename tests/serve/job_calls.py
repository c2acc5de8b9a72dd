# SPDX-License-Identifier: MIT
"""Sends jobs to a server for a test, follows them, and checks what comes."""
import http.client
import json
import os
import pathlib
import subprocess
import sys
import time

import serve

DATA = pathlib.Path(os.environ["FUM_TEST_DATA"])
FINAL = ("done", "failed", "cancelled")
failures = []


def check(what, good, *seen):
    if not good:
        failures.append(what)
        print(f"FAILED: {what}", *(repr(value)[:600] for value in seen), flush=True)


def finish():
    print("failed: " + ", ".join(failures) if failures else "all checks passed")
    sys.exit(1 if failures else 0)


def need_device(fumarole):
    if subprocess.run([fumarole, "devices"], capture_output=True, check=False).returncode:
        print("skipped: no device")
        sys.exit(1 if os.environ.get("FUM_REQUIRE_DEVICE") else 77)


class Server(serve.Server):
    """A server with the fastest model."""

    def __init__(self, fumarole, *options, state=None, model="model-train", env=None):
        super().__init__(fumarole, "-m", str(DATA / model), *options, state=state and str(state), env=env)
        self.path = pathlib.Path(self.state)

    def create(self, **fields):
        """Takes a job in. Returns the job."""
        answer = self.post("/api/jobs", fields)
        check("a job is taken in", answer.status == 201, answer.body)
        return answer.json

    def job(self, job):
        return self.get(f"/api/jobs/{job['id']}").json

    def wait(self, job, states=FINAL, seconds=60):
        end = time.monotonic() + seconds
        now = self.job(job)
        while now["state"] not in states and time.monotonic() < end:
            time.sleep(0.02)
            now = self.job(job)
        check(f"the job becomes {states}", now["state"] in states, now)
        return now

    def delete(self, path):
        return self.request("DELETE", path)

    def terminate(self):
        """Ends the server with SIGTERM, and keeps its folder. Returns its exit status and the seconds that it took."""
        begun = time.monotonic()
        self.process.terminate()
        return self.process.wait(60), time.monotonic() - begun

    def events(self, job):
        """Yields (name, data) of a job's events."""
        link = http.client.HTTPConnection(self.host, self.port, timeout=60)
        link.request("GET", f"/api/jobs/{job['id']}/events")
        answer = link.getresponse()
        check("events are a stream", answer.headers["Content-Type"].startswith("text/event-stream"), answer.status)
        name = None
        for line in answer:
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])
        link.close()
