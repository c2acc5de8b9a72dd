#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""jobs.py FUMAROLE: jobs of the server's own API, from taking in to the last picture."""
import base64
import hashlib
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

import job_calls
import serve
from job_calls import DATA, Server, check

FUMAROLE = sys.argv[1]
LONG = {"prompt": "a fox", "steps": 900, "batch_count": 3, "preview": "none"}


def check_job(job, state):
    keys = ["id", "state", "created", "started", "finished", "model", "parameters", "seeds", "progress", "pictures", "error"]
    check("a job has the members of the interface", sorted(job) == sorted(keys), job)
    check("its id", re.fullmatch(r"[A-Za-z0-9_-]{1,64}", job["id"]))
    check(f"it is {state}", job["state"] == state, job)
    check("its time", abs(job["created"] - time.time()) < 300)


def draws(s):
    answer = s.post("/api/jobs", {"prompt": "a fox", "steps": 2, "batch_count": 3})
    check("a job is made", answer.status == 201)
    job = answer.json
    check("where it is", answer.headers["Location"] == f"/api/jobs/{job['id']}")
    check("seeds are settled", job["seeds"] == [42, 43, 44], job["seeds"])
    check("parameters too", job["parameters"]["steps"] == 2 and job["parameters"]["seed"] == 42, job["parameters"])
    check("so is the model", job["model"] == "model-train" and job["parameters"]["width"] == 8, job)
    job = s.wait(job)
    check_job(job, "done")
    check("times are in order", job["created"] <= job["started"] <= job["finished"])
    check("nothing is in progress", job["progress"] is None and job["error"] is None)
    check("all pictures are there", [p["index"] for p in job["pictures"]] == [0, 1, 2])
    check("with their seeds", [p["seed"] for p in job["pictures"]] == [42, 43, 44])
    random = s.create(prompt="x", steps=1, seed=-1)
    check("a random seed is settled", random["seeds"] == [random["parameters"]["seed"]] and random["seeds"][0] >= 0, random)
    s.wait(random)
    large = s.wait(s.create(prompt="x", steps=1, seed=9007199254740987))
    seeds = large["seeds"] + [large["parameters"]["seed"], large["pictures"][0]["seed"]]
    check("large seeds keep their digits", seeds == [9007199254740987] * 3, seeds)
    return job


def pixels(png):
    """Returns the compressed pixels of a PNG, without its texts."""
    found, at = [], 8
    while at < len(png):
        size = int.from_bytes(png[at:at + 4], "big")
        if png[at + 4:at + 8] in (b"IHDR", b"IDAT"):
            found.append(png[at + 8:at + 8 + size])
        at += 12 + size
    return found


def pictures(s, job):
    picture = job["pictures"][1]
    check("its members", sorted(picture) == ["height", "id", "index", "seed", "sha256", "url", "width"], picture)
    check("its address", picture["url"] == f"/api/pictures/{picture['id']}.png")
    answer = s.get(picture["url"])
    check("a picture is a PNG", answer.headers["Content-Type"] == "image/png" and answer.body[:4] == b"\x89PNG")
    check("its hash is right", hashlib.sha256(answer.body).hexdigest() == picture["sha256"])
    check("its text is there", b"tEXtparameters" in answer.body or b"iTXtparameters" in answer.body)
    again = s.get(picture["url"], If_None_Match=answer.headers["ETag"])
    check("a known picture is not sent again", again.status == 304 and not again.body, again.status)
    head = s.request("HEAD", picture["url"])
    check("HEAD states the length", head.status == 200 and int(head.headers["Content-Length"]) == len(answer.body))
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        subprocess.run([FUMAROLE, "generate", "-q", "-m", DATA / "model-train", "-p", "a fox", "--steps", "2", "-s", "43",
                        "-o", file.name], check=True, capture_output=True)
        check("it has the pixels that generate draws", pixels(pathlib.Path(file.name).read_bytes()) == pixels(answer.body))
    check("no picture", s.get("/api/pictures/none.png").status == 404)


def idempotency(s):
    body = {"prompt": "once", "steps": 1}
    first = s.post("/api/jobs", body, Idempotency_Key="key one")
    again = s.post("/api/jobs", '{ "prompt" : "once", "steps":1}', Content_Type="application/json", Idempotency_Key="key one")
    check("a key makes one job", (first.status, again.status) == (201, 200) and first.json["id"] == again.json["id"])
    other = s.post("/api/jobs", {"prompt": "twice"}, Idempotency_Key="key one")
    check("a key belongs to its request", other.status == 422 and "Idempotency-Key" in other.json["error"]["message"], other.body)
    check("keys are short", s.post("/api/jobs", body, Idempotency_Key="k" * 256).status == 422)
    s.wait(first.json)
    return first.json


def refusals(s):
    for body, word in [({"stepz": 3}, "stepz"), ({"prompt": "x", "steps": "4"}, "steps"), ({"prompt": "x", "model": "none"}, "model"),
                       ({"prompt": "x", "output": "/tmp/x.png"}, "output")]:
        answer = s.post("/api/jobs", body)
        check(f"{word} is refused", answer.status == 422 and word in answer.json["error"]["message"], answer.body)
    for path in ["?limit=0", "?limit=501", "?limit=x", "?state=gone", "?after=none", "?what=1", "?limit=1&limit=1",
                 "?state=done&state=done", "?" + "%c3%a9" * 9000 + "=1"]:
        answer = s.get("/api/jobs" + path)
        check(f"{path[:40]} is refused", answer.status == 422 and len(answer.body) < 8192, answer.body)
    for method in "GET", "DELETE":
        check("no job", s.request(method, "/api/jobs/none").status == 404)
    check("no events", s.get("/api/jobs/none/events").status == 404)
    check("no such argument", s.delete("/api/jobs/none?all=true").status == 422)
    check("no such method", s.request("PUT", "/api/jobs", {}).status == 405)


def read_tensor(path, name):
    """Returns the bytes of a tensor in a safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    begin, end = json.loads(data[8:8 + size])[name]["data_offsets"]
    return data[8 + size + begin:8 + size + end]


def impossible(s):
    """What the model cannot draw is refused before it is drawn, by the field's name."""
    inks = base64.b64encode(read_tensor(DATA / "images.safetensors", "file/inks.jpg")).decode()
    for wrong, fields in [("clip_skip", {"clip_skip": 60}), ("class", {"class": 5}), ("preview", {"preview": "tae"}),
                          ("prompt", {"prompt": "a " * 6000}), ("steps", {"sampling_method": "ddpm", "steps": 1000}),
                          ("steps", {"sampling_method": "lcm", "steps": 900}), ("init_img", {"init_img": inks}),
                          ("clip_skip", {"hires": True, "clip_skip": 60})]:
        answer = s.post("/api/jobs", {"prompt": "x", "steps": 2, **fields})
        error = answer.json.get("error") or {}
        check(f"an impossible {wrong} is refused", answer.status == 422 and error["param"] == wrong and wrong in error["message"], answer.body)
    for fields in {"prompt": "a BREAK b BREAK c"}, {"hires": True, "batch_count": 2}, {"preview": "vae"}:
        s.wait(s.create(**{"prompt": "x", "steps": 2, **fields}), ("done",))


def listing(s):
    ids = [s.create(prompt=f"number {i}", steps=1)["id"] for i in range(5)]
    seen, after = [], None
    while True:
        page = s.get("/api/jobs?limit=2" + (f"&after={after}" if after else "")).json
        seen += [job["id"] for job in page["jobs"]]
        if len(seen) == 2:
            s.create(prompt="a new one shifts no page", steps=1)
        after = page["next"]
        if not after:
            break
    check("the newest comes first", seen[:5] == ids[::-1], seen, ids)
    check("pages do not overlap", len(seen) == len(set(seen)))
    whole = s.get("/api/jobs?limit=500").json
    check("pages hold all", [job["id"] for job in whole["jobs"]][1:] == seen and whole["next"] is None)
    for job_id in ids:
        s.wait({"id": job_id})
    done = s.get("/api/jobs?state=done").json["jobs"]
    check("a state is chosen", set(ids) <= {job["id"] for job in done} and {job["state"] for job in done} == {"done"})


def events(s):
    job = s.create(prompt="seen", steps=6, batch_count=2)
    seen = list(s.events(job))
    names = [name for name, _ in seen]
    states = [data["state"] for name, data in seen if name == "state"]
    check("states come in order", states in (["queued", "running", "done"], ["running", "done"]), states)
    check("the last one ends the stream", names[-1] == "state" and seen[-1][1] == {"id": job["id"], "state": "done", "error": None})
    check("each picture comes once", [data["index"] for name, data in seen if name == "picture"] == [0, 1], names)
    steps = [(data["picture"], data["step"]) for name, data in seen if name == "progress"]
    check("steps grow", steps == sorted(steps) and steps and seen[names.index("progress")][1]["steps"] == 6, steps)
    check("their members", all(sorted(data) == ["picture", "pictures", "seconds_left", "step", "steps"]
                               for name, data in seen if name == "progress"))
    previews = [data for name, data in seen if name == "preview"]
    check("previews are PNG", previews and all(base64.b64decode(data["image"])[:4] == b"\x89PNG" for data in previews))
    later = list(s.events(job))
    check("a final job has its pictures and its state", [name for name, _ in later] == ["picture", "picture", "state"], later)
    quiet = s.create(prompt="quiet", steps=3, preview="none")
    check("previews can be left out", "preview" not in [name for name, _ in s.events(quiet)])


def cancelling(s):
    running = s.create(**LONG)
    queued = s.create(prompt="never drawn", steps=1)
    s.wait(running, ("running",))
    while not s.job(running)["progress"]:
        time.sleep(0.01)
    now = s.job(running)["progress"]
    check("progress has its members", sorted(now) == ["picture", "pictures", "seconds_left", "step", "steps"]
          and now["pictures"] == 3 and now["steps"] == 900, now)
    device = s.get("/api/devices").json["devices"][0]
    check("the device is busy", device["state"] == "busy" and device["job"] == running["id"], device)
    for state, job in ("running", running), ("queued", queued):
        jobs = s.get(f"/api/jobs?state={state}").json["jobs"]
        check(f"one job is {state}", [j["id"] for j in jobs] == [job["id"]], jobs)
    stream = s.events(queued)
    check("it waits", next(stream) == ("state", {"id": queued["id"], "state": "queued", "error": None}))
    check_job(s.delete(f"/api/jobs/{queued['id']}").json, "cancelled")
    check("its watcher hears of it", [data["state"] for _, data in stream] == ["cancelled"])
    begun = time.monotonic()
    cancelled = s.delete(f"/api/jobs/{running['id']}")
    check("a running job is cancelled", cancelled.status == 200 and cancelled.json["state"] == "cancelled", cancelled.body)
    check("within a step", time.monotonic() - begun < 3)
    again = s.delete(f"/api/jobs/{running['id']}").json
    check("a final job stays as it is", again == cancelled.json, again)
    check("the next job is drawn", s.wait(s.create(prompt="x", steps=1))["state"] == "done")


def deleting(s, job):
    first, second, third = job["pictures"]
    check("a picture is removed", s.delete(f"/api/pictures/{first['id']}").status == 200)
    check("it is gone", s.get(first["url"]).status == 404)
    check("not twice", s.delete(f"/api/pictures/{first['id']}").status == 404)
    check("the job has the others", s.job(job)["pictures"] == [second, third])
    answer = s.delete(f"/api/jobs/{job['id']}?pictures=true")
    check("so go all of a job", answer.status == 200 and answer.json["pictures"] == [] and answer.json["state"] == "done")
    check("with their files", not list((s.path / "pictures").glob(job["id"] + "*")))


def offered(s):
    models = s.get("/api/models").json["models"]
    check("the model is listed", len(models) == 1 and models[0]["name"] == "model-train" and models[0]["default"]
          and models[0]["loaded"] and (models[0]["width"], models[0]["steps"]) == (8, 20), models)
    device = s.get("/api/devices").json["devices"]
    check("so is the device", len(device) == 1 and device[0]["index"] == 0 and device[0]["name"] and device[0]["state"] == "idle"
          and device[0]["model"] == "model-train" and device[0]["memory_used"] > 0, device)


def limits():
    with Server(FUMAROLE, "--max-queue", "2", "--idle-unload", "1") as s:
        s.wait(s.create(**LONG), ("running",))
        jobs = [s.create(prompt="x", steps=1) for _ in range(2)]
        full = s.post("/api/jobs", {"prompt": "x"}, Idempotency_Key="later")
        check("a full queue", full.status == 429 and int(full.headers["Retry-After"]) >= 1 and full.json["error"]["code"] == "queue_full"
              and full.json["error"]["type"] == "rate_limit_error", full.body)
        s.delete(f"/api/jobs/{jobs[0]['id']}")
        check("a refused key is free", s.post("/api/jobs", {"prompt": "y"}, Idempotency_Key="later").status == 201)
        for job in s.get("/api/jobs").json["jobs"]:
            s.delete(f"/api/jobs/{job['id']}")
        s.wait(s.create(prompt="x", steps=1))
        used = s.get("/api/devices").json["devices"][0]["memory_used"]
        end = time.monotonic() + 20
        while s.get("/api/devices").json["devices"][0]["model"] and time.monotonic() < end:
            time.sleep(0.1)
        device = s.get("/api/devices").json["devices"][0]
        check("an idle device unloads its model", device["model"] is None and device["memory_used"] < used, device, used)
        check("no model is loaded", not s.get("/api/models").json["models"][0]["loaded"])
        check("it is loaded again", s.wait(s.create(prompt="x", steps=1))["state"] == "done")


def devices():
    with Server(FUMAROLE, "-v", "--device", "0", "--device", "0", env={"LP_NUM_THREADS": "2"}) as s:
        check("the CPU driver is prepared", any("LP_NUM_THREADS=2, as the environment says" in line for line in s.log), s.log)
        jobs = [s.create(**LONG) for _ in range(3)]
        for job in jobs[:2]:
            s.wait(job, ("running",))
        check("each device draws a job", s.job(jobs[2])["state"] == "queued")
        check("both are busy", [d["job"] for d in s.get("/api/devices").json["devices"]] == [j["id"] for j in jobs[:2]]
              or [d["job"] for d in s.get("/api/devices").json["devices"]] == [jobs[1]["id"], jobs[0]["id"]])
        s.delete(f"/api/jobs/{jobs[1]['id']}")
        s.wait(jobs[2], ("running",))
        check("the other job goes on", s.job(jobs[0])["state"] == "running")


def changed_model():
    """A job whose model is no longer offered fails, and the server goes on."""
    with tempfile.TemporaryDirectory() as state:
        with Server(FUMAROLE, state=state) as s:
            s.wait(s.create(**LONG), ("running",))
            job = s.create(prompt="x", steps=1)
            s.terminate()
        with Server(FUMAROLE, state=state, model="model-odd") as s:
            failed = s.wait(job)
            check("its job fails", failed["state"] == "failed" and "model-train" in failed["error"]["message"]
                  and sorted(failed["error"]) == ["code", "message", "param", "type"], failed)
            check("others are drawn", s.wait(s.create(prompt="x", steps=1))["state"] == "done")
            answer = s.post("/api/jobs", {"prompt": "x", "steps": 1, "preview": "proj"})
            check("but not with a preview that the model lacks", answer.status == 422 and b"colours" in answer.body, answer.body)


def restarts(state, draw):
    with Server(FUMAROLE, state=state) as s:
        whole = s.wait(s.create(**draw), seconds=120)
        job = s.create(**draw)
        s.wait(job, ("running",))
        while len(s.job(job)["pictures"]) < 2:
            time.sleep(0.01)
        stream = s.events(job)
        next(stream)
        code, seconds = s.terminate()
        check("SIGTERM ends it with 0", code == 0, code, s.log)
        check("after the step", seconds < 3, seconds)
        check("streams end too", "done" not in [data.get("state") for _, data in stream])
    (state / "pictures" / "0123.png").write_bytes(b"half a pict")
    (state / "pictures" / ".fumarole-0123456789abcdef.part").write_bytes(b"half")
    with Server(FUMAROLE, state=state) as s:
        code, _, why = serve.refuse(FUMAROLE, "--state", str(state), "-m", str(DATA / "model-train"))
        check("two servers share no folder", code == 1 and str(state) in why, code, why)
        now = s.job(job)
        check("the job went on waiting", now["state"] in ("queued", "running", "done") and len(now["pictures"]) >= 2, now)
        done = s.wait(job, seconds=120)
        hashes = [p["sha256"] for p in done["pictures"]]
        check("a stopped job has the bits of a whole one", hashes == [p["sha256"] for p in whole["pictures"]])
        files = {file.name for file in (state / "pictures").iterdir()}
        known = {p["id"] + ".png" for j in s.get("/api/jobs?limit=500").json["jobs"] for p in j["pictures"]}
        check("only its pictures are in the folder", files == known, files - known, known - files)


def main():
    job_calls.need_device(FUMAROLE)
    with Server(FUMAROLE) as s:
        job = draws(s)
        pictures(s, job)
        key = idempotency(s)
        refusals(s)
        impossible(s)
        listing(s)
        events(s)
        cancelling(s)
        offered(s)
        deleting(s, job)
        check("it stops", s.terminate()[0] == 0, s.log)
        with Server(FUMAROLE, state=s.state) as again:
            used = again.post("/api/jobs", {"prompt": "once", "steps": 1}, Idempotency_Key="key one")
            check("a key survives a restart", used.status == 200 and used.json["id"] == key["id"], used.body)
    limits()
    devices()
    changed_model()
    with tempfile.TemporaryDirectory() as state:
        restarts(pathlib.Path(state), {"prompt": "a cat", "steps": 60, "batch_count": 6, "preview": "none"})
        with sqlite3.connect(f"{state}/jobs.sqlite") as database:
            check("the database is whole", database.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    job_calls.finish()


main()
