#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""openai.py FUMAROLE: OpenAI's API for pictures, as its clients use it."""
import base64
import json
import os
import sys
import time

from pictures import make_png, size_of, texts_of
from serve import Server

PROGRAM = os.path.abspath(sys.argv[1])
MODEL = os.path.join(os.environ["FUM_TEST_DATA"], "model-train")
GREY = make_png(16, 16, lambda x, y: (x * 15, y * 15, 128))
HOLE = make_png(16, 16, lambda x, y: (0, 0, 0, 0 if x < 8 else 255), channels=4)


def check(good, what):
    if not good:
        raise AssertionError(what)


def generate(server, **fields):
    answer = server.post("/v1/images/generations", {"prompt": "a fox", "steps": 2, "seed": 5, **fields})
    check(answer.status == 200, f"{fields}: {answer.status} {answer.body[:400]!r}")
    return answer.json


def multipart(server, path, *parts, **headers):
    """Sends a form. A part is (name, text) or (name, file name, bytes)."""
    body = b""
    for name, *rest in parts:
        head = f'--xyz\r\nContent-Disposition: form-data; name="{name}"'
        if len(rest) == 2:
            head += f'; filename="{rest[0]}"\r\nContent-Type: image/png'
        data = rest[-1] if isinstance(rest[-1], bytes) else str(rest[-1]).encode()
        body += head.encode() + b"\r\n\r\n" + data + b"\r\n"
    return server.post(path, body + b"--xyz--\r\n", Content_Type="multipart/form-data; boundary=xyz", **headers)


def edit(server, *parts, path="/v1/images/edits"):
    answer = multipart(server, path, ("prompt", "a fox"), ("steps", 2), ("seed", 5), *parts)
    check(answer.status == 200, f"{answer.status} {answer.body[:400]!r}")
    return answer.json


def refuse(answer, param, word="", status=400, code=None):
    error = answer.json["error"]
    check(answer.status == status, f"{param}: {answer.status} {answer.body[:300]!r}")
    check(sorted(error) == ["code", "message", "param", "type"] and error["type"] == "invalid_request_error", error)
    check(error["param"] == param and (word or param) in error["message"], f"{param}: {error}")
    check(code is None or error["code"] == code, error)


def png_of(item):
    return base64.b64decode(item["b64_json"], validate=True)


def test_generations(server):
    result = generate(server, n=3, negative_prompt="blue", cfg_scale=2, sampler="DPM++ 2M Karras", quality="high",
                      style="vivid", moderation="low", user="me", background="opaque")
    check(abs(result["created"] - time.time()) < 300 and isinstance(result["created"], int), result["created"])
    check({k: result[k] for k in ("size", "output_format", "background", "quality")} ==
          {"size": "8x8", "output_format": "png", "background": "opaque", "quality": "auto"}, sorted(result))
    check([d["seed"] for d in result["data"]] == [5, 6, 7], [d["seed"] for d in result["data"]])
    pngs = [png_of(d) for d in result["data"]]
    text = texts_of(pngs[1])["parameters"]
    check("Negative prompt: blue" in text and "Sampler: DPM++ 2M, Schedule type: Karras" in text and "Seed: 6" in text, text)
    check(png_of(generate(server, seed=6, negative_prompt="blue", cfg_scale=2, sampler="dpm++2m", scheduler="karras")
                 ["data"][0]) == pngs[1], "the same seed, the same file")
    check(size_of(png_of(generate(server, size="16x24")["data"][0])) == (16, 24), "size")
    check(generate(server, size="auto", model="gpt-image-1", seed=None)["size"] == "8x8", "auto")
    for model in ("dall-e-3", "gpt-image-2.5-flare", "model-train", None):
        generate(server, model=model)


def test_formats(server):
    plain = generate(server)
    url = generate(server, response_format="url")["data"][0]
    check(sorted(url) == ["seed", "url"] and url["url"].startswith(f"http://127.0.0.1:{server.port}/api/pictures/"), url)
    answer = server.get(url["url"].partition(str(server.port))[2])
    check(answer.status == 200 and answer.body == png_of(plain["data"][0]), "the URL leads to the same file")
    sizes = {}
    for kind, magic in (("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")):
        for quality in (1, 100):
            answer = server.post("/v1/images/generations", {"prompt": "a fox", "steps": 1, "size": "64x64", "output_format": kind,
                                                            "output_compression": quality})
            if answer.status == 500 and b"built without" in answer.body:
                print(f"skipped: {kind}")
                break
            check(answer.json["output_format"] == kind, answer.json)
            data = png_of(answer.json["data"][0])
            check(data.startswith(magic), data[:8])
            sizes[quality] = len(data)
        else:
            check(sizes[1] < sizes[100], sizes)


def test_refusals(server):
    for param, fields in (
            ("n", {"n": 0}), ("n", {"n": 11}), ("n", {"n": "2"}), ("size", {"size": "big"}), ("size", {"size": "12x16"}),
            ("size", {"size": "8192x8192"}), ("size", {"size": "16x16x"}), ("background", {"background": "transparent"}),
            ("response_format", {"response_format": "gif"}), ("output_format", {"output_format": "gif"}),
            ("output_format", {"output_format": "jpeg", "response_format": "url"}), ("prompt", {"prompt": None}),
            ("prompt", {"prompt": ["x"]}), ("steps", {"steps": 0}), ("steps", {"steps": 2.5}), ("nope", {"nope": 1}),
            ("sampler", {"sampler": "nope"}), ("scheduler", {"scheduler": "nope"}), ("seed", {"seed": -2}),
            ("partial_images", {"stream": True, "partial_images": 4}), ("output_compression", {"output_compression": 101}),
            ("image", {"image": "x"}), ("strength", {"strength": 0.5})):
        refuse(server.post("/v1/images/generations", {"prompt": "a fox", **fields}), param)
    refuse(server.post("/v1/images/generations", {"prompt": "a fox", "model": "nope"}), "model", "nope", 404, "model_not_found")
    refuse(server.post("/v1/images/generations", {"prompt": "a <lora:nope:1>"}), "prompt", "nope")


def test_edits(server):
    result = edit(server, ("image", "a.png", GREY), ("strength", "0.5"), ("n", "2"))
    check(len(result["data"]) == 2 and result["size"] == "8x8", result["size"])
    check("Denoising strength: 0.5" in texts_of(png_of(result["data"][0]))["parameters"], "strength")
    wide = make_png(32, 16, lambda x, y: (9, 9, 9))
    check(edit(server, ("image", "a.png", wide))["size"] == "32x16", "another shape keeps its size")
    masked = edit(server, ("image[]", "a.png", GREY), ("mask", "m.png", HOLE),
                  ("size", "16x16"), ("strength", 1), ("cfg_scale", 1.5))
    png = png_of(masked["data"][0])
    kept = pixels_of(png)
    check(all(kept[y][x] == (x * 15, y * 15, 128) for x in range(9, 16) for y in range(16)), "what is opaque stays")
    check(any(kept[y][x] != (x * 15, y * 15, 128) for x in range(8) for y in range(16)), "what is transparent changes")
    parts = (("prompt", "x"), ("image", "a.png", GREY))
    for param, more in (("n", ("n", "two")), ("n", ("n", "1.5")), ("mask", ("mask", "m.png", GREY)), ("steps", ("steps", "")),
                        ("mask", ("mask", "m.png", b"none")), ("nope", ("nope", "1")), ("prompt", ("prompt", "again"))):
        refuse(multipart(server, "/v1/images/edits", *parts, more), param)
    quoted = b'--xyz\r\nContent-Disposition: form-data; filename="a\\"; name=\\"mask.png"; name="image"\r\n\r\n' + GREY + b"\r\n"
    answer = server.post("/v1/images/edits", b'--xyz\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n' + quoted +
                         b"--xyz--\r\n", Content_Type="multipart/form-data; boundary=xyz")
    check(answer.status == 200, f"quotes in the name of a file: {answer.body[:300]!r}")
    refuse(multipart(server, "/v1/images/edits", ("prompt", "x")), "image")
    refuse(multipart(server, "/v1/images/edits", *parts, ("image[]", "b.png", GREY)), "image", "one picture")
    refuse(multipart(server, "/v1/images/edits", ("prompt", "x"), ("image", "a.png", b"GIF89a")), "image")
    refuse(multipart(server, "/v1/images/edits", ("image", "a.png", GREY)), "prompt")
    check(multipart(server, "/v1/images/edits", *parts, ("negative_prompt", b"\xff\xfe")).status == 400, "UTF-8")
    unquoted = b"--xyz\r\nContent-Disposition: form-data; name=prompt%s\r\n\r\nx\r\n--xyz--\r\n"
    for nul, param in ((b"", "image"), (b"\0y", None)):  # a name with NUL is none
        answer = server.post("/v1/images/edits", unquoted % nul, Content_Type="multipart/form-data; boundary=xyz")
        check(answer.status == 400 and answer.json["error"]["param"] == param, (nul, answer.body))
    answer = server.post("/v1/images/edits", b"--xyz\r\nbroken", Content_Type="multipart/form-data; boundary=xyz")
    check(answer.status == 400, answer.body)
    check(server.post("/v1/images/edits", {"prompt": "x"}).status == 400, "JSON")


def pixels_of(png):
    """Decodes a PNG of 8 bits and three channels that has no filter but those of the standard."""
    import zlib
    width, height = size_of(png)
    at, data = 8, b""
    while at < len(png):
        size = int.from_bytes(png[at:at + 4], "big")
        if png[at + 4:at + 8] == b"IDAT":
            data += png[at + 8:at + 8 + size]
        at += 12 + size
    raw, rows, before = zlib.decompress(data), [], bytes(width * 3)
    for y in range(height):
        kind, row = raw[y * (width * 3 + 1)], bytearray(raw[y * (width * 3 + 1) + 1:(y + 1) * (width * 3 + 1)])
        for i in range(len(row)):
            left, up, corner = row[i - 3] if i > 2 else 0, before[i], before[i - 3] if i > 2 else 0
            near = left + up - corner
            paeth = min((abs(near - left), 0, left), (abs(near - up), 1, up), (abs(near - corner), 2, corner))[2]
            row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
        rows.append([tuple(row[x * 3:x * 3 + 3]) for x in range(width)])
        before = bytes(row)
    return rows


def test_variations(server):
    answer = multipart(server, "/v1/images/variations", ("image", "a.png", GREY), ("n", "2"), ("response_format", "url"),
                       ("steps", "2"))
    check(answer.status == 200 and len({d["url"] for d in answer.json["data"]}) == 2, answer.body[:300])


def events_of(body):
    """Splits server-sent events into (name, data)."""
    events = []
    for block in body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if lines:
            events.append((lines["event"], json.loads(lines["data"])))
    return events


def test_stream(server):
    plain = generate(server, n=2, steps=8)
    answer = server.post("/v1/images/generations", {"prompt": "a fox", "steps": 8, "seed": 5, "n": 2, "stream": True,
                                                    "partial_images": 2})
    check(answer.status == 200 and answer.headers["Content-Type"] == "text/event-stream", answer.headers["Content-Type"])
    events = events_of(answer.body)
    for name, data in events:
        check(data["type"] == name, data["type"])
        check({"b64_json", "created_at", "size", "quality", "background", "output_format"} <= set(data), sorted(data))
        check(size_of(png_of(data)) == (8, 8) and data["size"] == "8x8", data["size"])
    names = [name.rpartition(".")[2] for name, _ in events]
    check(names == ["partial_image", "partial_image", "completed"] * 2, names)
    check([d["partial_image_index"] for n, d in events if "partial" in n] == [0, 1, 0, 1], "indices")
    done = [d for n, d in events if n == "image_generation.completed"]
    check([png_of(d) for d in done] == [png_of(d) for d in plain["data"]], "the same pictures")
    check(done[0]["usage"]["total_tokens"] == 0, done[0]["usage"])
    answer = server.post("/v1/images/generations", {"prompt": "a fox", "steps": 2, "stream": True})
    check([n for n, _ in events_of(answer.body)] == ["image_generation.completed"], answer.body[:200])
    answer = multipart(server, "/v1/images/edits", ("prompt", "x"), ("image", "a.png", GREY), ("stream", "true"),
                       ("partial_images", "1"), ("steps", "8"))
    check([n for n, _ in events_of(answer.body)] == ["image_edit.partial_image", "image_edit.completed"], answer.body[:200])


def test_models(server):
    models = server.get("/v1/models").json
    check(models["object"] == "list" and [m["id"] for m in models["data"]] == ["model-train"], models)
    check(sorted(models["data"][0]) == ["created", "id", "object", "owned_by"], models)
    check(server.get("/v1/models/model-train").json == models["data"][0], "one model")
    refuse(server.get("/v1/models/nope"), "model", "nope", 404, "model_not_found")


def test_idempotency(server):
    fields = {"prompt": "a fox", "steps": 1}
    answers = [server.post("/v1/images/generations", fields, Idempotency_Key="ai-1").json for _ in range(2)]
    check(answers[0] == answers[1], "the same job")
    answer = server.post("/v1/images/generations", {**fields, "n": 2}, Idempotency_Key="ai-1")
    check(answer.status == 400 and answer.json["error"]["message"], answer.body)
    forms = [multipart(server, "/v1/images/edits", ("prompt", "x"), ("image", "a.png", image), Idempotency_Key="ai-2")
             for image in (GREY, GREY, HOLE)]
    check(forms[0].json == forms[1].json and forms[2].status == 400, "forms with their pictures")


def main():
    with Server(PROGRAM, "-m", MODEL) as server:
        for test in (test_generations, test_formats, test_refusals, test_edits, test_variations, test_stream, test_models,
                     test_idempotency):
            begun = time.monotonic()
            test(server)
            print(f"{test.__name__}: {time.monotonic() - begun:.1f} s", flush=True)


main()
