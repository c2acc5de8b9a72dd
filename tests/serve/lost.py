#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lost.py FUMAROLE LAYERS: a server whose device is lost fails that job, opens the device again, and draws the others."""
import os
import sys

import job_calls
from job_calls import Server, check

FUMAROLE, LAYERS = sys.argv[1], sys.argv[2]


def main():
    job_calls.need_device(FUMAROLE)
    os.environ.update(VK_LAYER_PATH=LAYERS, VK_INSTANCE_LAYERS="VK_LAYER_FUMAROLE_failing", NODEVICE_SELECT="1",
                      FUM_FAIL_CALL="QueueSubmit", FUM_FAIL_AT="60", FUM_FAIL_CODE="-4")
    with Server(FUMAROLE) as s:
        jobs = [s.wait(job) for job in [s.create(prompt="a fox", seed=1, steps=4) for _ in range(12)]]
        states = [job["state"] for job in jobs]
        failed = [job["error"] for job in jobs if job["state"] == "failed"]
        # The layer counts anew once the device is opened again.
        check("some jobs fail", "failed" in states[:-1] and "done" in states[states.index("failed"):], states)
        check("since the device was lost", all("lost" in error["message"] and error["type"] == "server_error" for error in failed), failed)
        check("others are drawn alike", len({job["pictures"][0]["sha256"] for job in jobs if job["pictures"]}) == 1, states)
        check("it stops", s.terminate()[0] == 0, s.log)
    job_calls.finish()


main()
