#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reports.py FUMAROLE: the server's numbers for Prometheus, its description in OpenAPI, the JSON that it takes, and what
its clients get when it goes down.
"""
import json
import os
import re
import sys
import threading
import time

from job_calls import need_device
from serve import SANITIZED, Server

PROGRAM = os.path.abspath(sys.argv[1])
MODEL = os.path.join(os.environ["FUM_TEST_DATA"], "model-train")
STATES = {"queued", "running", "done", "failed", "cancelled"}
SAMPLE = re.compile(r'(\w+)(?:\{(\w+)="((?:[^"\\]|\\.)*)"\})? ([-+.\dea-z]+)')


def check(good, what):
    if not good:
        raise AssertionError(what)


def read_metrics(server):
    """Parses /metrics strictly. Returns {name: {label: value}} and the types."""
    answer = server.get("/metrics")
    check(answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer.headers)
    values, types, helped, family = {}, {}, set(), None
    for line in answer.body.decode().splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            family, kind = line.split(" ")[2:]
            types[family] = kind
        else:
            found = SAMPLE.fullmatch(line)
            check(found, line)
            base = re.sub("_(bucket|sum|count)$", "", found[1]) if types[family] == "histogram" else found[1]
            check(base == family, f"{line} stands among {family}")
            check(found[3] not in values.setdefault(found[1], {}), f"twice: {line}")
            values[found[1]][found[3]] = float(found[4])
    check(set(types) == helped, "HELP and TYPE differ")
    for name in (name for name, kind in types.items() if kind == "histogram"):
        counts = list(values[name + "_bucket"].values())
        check(counts == sorted(counts) and list(values[name + "_bucket"])[-1] == "+Inf", f"buckets of {name}")
        check(counts[-1] == values[name + "_count"][None], f"count of {name}")
    return values, types


def finish(server, job):
    """Waits for the end of a job's events."""
    check(server.get(f"/api/jobs/{job['id']}/events").status == 200, "events")
    return server.get(f"/api/jobs/{job['id']}").json


def test_metrics(server):
    before, types = read_metrics(server)
    check(set(before["fumarole_jobs"]) == STATES and types["fumarole_jobs"] == "gauge", before["fumarole_jobs"])
    job = finish(server, server.post("/api/jobs", {"prompt": "a", "steps": 3, "batch_count": 2}).json)
    check(job["state"] == "done", job)
    server.get("/no/such/path")
    server.get("/another/path")
    after, types = read_metrics(server)

    def grown(name, label=None):
        return after[name].get(label, 0) - before.get(name, {}).get(label, 0)

    check(grown("fumarole_jobs", "done") == 1, after["fumarole_jobs"])
    check(grown("fumarole_queue_wait_seconds_count") == 1, "waits")
    check(grown("fumarole_step_seconds_count") == 6, after["fumarole_step_seconds_count"])
    check(after["fumarole_step_seconds_sum"][None] > 0, "sum")
    check(grown("fumarole_pictures_total") == 2 and types["fumarole_pictures_total"] == "counter", "pictures")
    check(grown("fumarole_http_requests_total", "404") == 2 and grown("fumarole_http_requests_total", "201") == 1, "requests")
    check(all(re.fullmatch(r"[1-5]\d\d", code) for code in after["fumarole_http_requests_total"]), "labels")
    check(list(after["fumarole_device_memory_bytes"].values())[0] > 0, after["fumarole_device_memory_bytes"])


def references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from [inner] if name == "$ref" else references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def check_shape(schemas, shape, value, path):
    """Checks a value against its description."""
    shape = schemas[shape["$ref"].split("/")[-1]] if "$ref" in shape else shape
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    if value is None:
        check(shape.get("nullable"), f"{path}: null")
    elif "type" in shape:
        check(isinstance(value, kinds[shape["type"]]), f"{path}: {shape['type']}, not {value!r:.80}")
    if isinstance(value, dict):
        check(set(shape.get("required", ())) <= set(value), f"{path}: {sorted(value)}")
        for name, inner in shape.get("properties", {}).items():
            if name in value:
                check_shape(schemas, inner, value[name], f"{path} {name}")
    if isinstance(value, list):
        check(len(value) <= shape.get("maxItems", len(value)), path)
        for inner in value:
            check_shape(schemas, shape.get("items", {}), inner, path)


def test_openapi(server):
    document = server.get("/openapi.json").json
    check(document["openapi"].startswith("3.") and document["info"]["title"] == "fumarole", document["info"])
    check(document["info"]["version"] == server.get("/health").json["version"], "version")
    check(not [name for name in document if name.startswith("x-")], "inner members")
    schemas = document["components"]["schemas"]
    check(len(schemas) >= 5, schemas.keys())
    for reference in references(document):
        check(reference.removeprefix("#/components/schemas/") in schemas, reference)
    for path, methods in document["paths"].items():
        answer = server.get(path) if "get" in methods and "{" not in path else None
        if answer and answer.headers["Content-Type"] == "application/json":
            shape = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            check_shape(schemas, shape, answer.json, path)
    ids = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            check(operation["summary"] and "default" in operation["responses"], path)
            check(("{id}" in path) == any(p["in"] == "path" for p in operation["parameters"]), path)
            status = server.request(method.upper(), path.replace("{id}", "none")).status
            check(status != 405 and (status != 404 or "{id}" in path), f"{method} {path}: {status}")
    check(len(ids) == len(set(ids)), "an operationId twice")
    fields = schemas["JobRequest"]["properties"]
    for name, kind in (("prompt", "string"), ("steps", "integer"), ("cfg_scale", "number"), ("seed", "integer"), ("lora", "array")):
        check(fields[name]["type"] == kind and fields[name]["description"], name)
    for name, some in (("Txt2ImgRequest", ("prompt", "sampler_name", "enable_hr")), ("Img2ImgRequest", ("init_images", "mask_blur")),
                       ("GenerationsRequest", ("prompt", "n", "seed")), ("EditsRequest", ("image", "mask", "strength"))):
        check(all(field in schemas[name]["properties"] for field in some), name)
        check(all(field["description"] for field in schemas[name]["properties"].values()), name)
    check("output" not in fields and "ddim" in fields["sampling_method"]["enum"], "fields")
    for name, field in fields.items():
        check(re.fullmatch(r"[a-z0-9_]+", name) and field["description"], name)


def test_json(server):
    good = b'{"prompt": "a"}'
    bad = [b"", b" ", b"{", b"[]", b"5", b"null", b'"text"', good + b"x", good + b"{}", b"\0" + good, good + b"\0", b'{"prompt": NaN}',
           b'{"prompt": "a\nb"}', b'{"prompt": "\xff"}', b'{"prompt": "\xed\xa0\x80"}', b'{"prompt": "\\u0000"}', b'{"steps": 1e999}',
           b'{"steps": 01}', b'{"a": 1,}', b"{'a': 1}", b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", b"\xef\xbb\xbf{", b'{"steps": .5}',
           b"[" * 100000]
    for body in bad:
        answer = server.post("/api/jobs", body, Content_Type="application/json")
        check(answer.status == 400 and answer.json["error"]["type"] == "invalid_request_error", (body[:60], answer.body))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", ""):
        check(server.post("/api/jobs", good, Content_Type=kind).status == 415, kind)
    check(server.request("POST", "/api/jobs", iter([good]), Content_Type="text/plain").status == 415, "chunks of text")
    answer = server.request("POST", "/api/jobs", iter([good[:5], good[5:]]), Content_Type="application/json; charset=utf-8")
    check(answer.status == 201, "chunks of JSON")
    finish(server, answer.json)


def test_large(server):
    head = {"Content_Type": "application/json"}
    large = b'{"prompt": "' + b"a" * (64 << 20) + b'"}'
    check(server.post("/api/jobs", large, **head).status == 413, "over 64 MB")
    check(server.request("POST", "/api/jobs", iter([large[:1 << 20]] * 70), **head).status == 413, "over 64 MB in chunks")
    answer = server.post("/api/jobs", large[:1 << 20] + b'"}', **head)
    check(answer.status == 422 and "prompt" in answer.json["error"]["message"], answer.body)


def test_going_down():
    """A waiting call gets 503, an event stream ends, and the exit is not held up."""
    with Server(PROGRAM, "-m", MODEL) as server:
        job = server.post("/api/jobs", {"prompt": "a", "steps": 50, "batch_count": 100}).json
        ended, waited = [], []
        waits = threading.Thread(target=lambda: waited.append(server.post("/sdapi/v1/txt2img", {"prompt": "a", "steps": 2})))
        waits.start()
        stream = threading.Thread(target=lambda: ended.append(server.get(f"/api/jobs/{job['id']}/events")))
        stream.start()
        while (now := server.get(f"/api/jobs/{job['id']}").json)["progress"] is None:
            check(now["state"] in ("queued", "running"), now)
            time.sleep(0.02)
        while server.get("/api/jobs?state=queued").json["jobs"] == []:
            time.sleep(0.02)
        began = time.monotonic()
        check(server.stop() == 0, "".join(server.log))
        check(time.monotonic() - began < (15 if SANITIZED else 3), f"{time.monotonic() - began:.1f} s")
        stream.join()
        waits.join()
        check(waited and waited[0].status == 503 and "going down" in waited[0].json["detail"], "the waiting call")
        check(ended and b"event: progress" in ended[0].body, "events")


def main():
    need_device(PROGRAM)
    secret = "a very secret prompt"
    with Server(PROGRAM, "-m", MODEL, "--log", "json", "-v") as server:
        test_metrics(server)
        test_openapi(server)
        test_json(server)
        test_large(server)
        finish(server, server.post("/api/jobs", {"prompt": secret, "steps": 1}).json)
        server.post("/api/jobs", {"prompt": secret, "stepz": 1})
        check(server.stop() == 0, "".join(server.log))
        check(not any(secret in line for line in server.log), "the log holds a prompt")
        for line in server.log:
            json.loads(line)
    test_going_down()
    print("good")


main()
