#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# parameters.sh FUMAROLE: the parameters text of pictures, read back by A1111's rules.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
model=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../data/model-sd1")

require_device

# draw NAME ARGUMENT...: NAME.png, 16 × 16 pixels, one step unless an argument says otherwise.
draw() {
    local name=$1
    shift
    "$fumarole" generate -q -m "$model" -W 16 -H 16 --steps 2 --precision f32 -o "$name.png" "$@" >/dev/null 2>err.txt ||
        { cat err.txt; exit 1; }
}

for sampler in ddim pndm euler euler_a dpm2_a dpm++2s_a dpm++2m dpm++2m_sde dpm++sde unipc lcm; do
    draw "sampler-$sampler" --sampling-method "$sampler" cat
done
for schedule in karras sgm_uniform ays; do
    draw "schedule-$schedule" --sampling-method dpm++2m --scheduler "$schedule" cat
done
draw plain --cfg-scale 7 cat
draw all -p $'a cat, sitting\non a mat: "there"' -n $'dog\nmouse' --sampling-method euler_a --eta 0.25 --cfg-scale 7.3 \
    --clip-skip 2 --rng cpu -s 18446744073709551615 --timestep-spacing trailing
draw ddim --sampling-method ddim --eta 0.3 --precision f32 --type q8_0 cat
cp -r "$model" 'my: model, v1'
model="$work/my: model, v1"
draw quoted cat

cat >check.py <<'E2'
import glob, hashlib, json, re, struct, sys

# The rules of A1111's parse_generation_parameters and the names that it looks samplers and schedules up by.
RE_PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
SAMPLERS = ["DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 2S a", "DPM++ 3M SDE", "Euler a",
            "Euler", "LMS", "Heun", "DPM2", "DPM2 a", "DPM fast", "DPM adaptive", "Restart", "DDIM", "DDIM CFG++", "PLMS",
            "UniPC", "LCM"]
SCHEDULES = ["Automatic", "Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "KL Optimal",
             "Align Your Steps", "Simple", "Normal", "DDIM", "Beta"]


def parse(text):
    *lines, last = text.strip().split("\n")
    if len(RE_PARAM.findall(last)) < 3:
        lines.append(last)
        last = ""
    prompt, negative, in_negative, fields = "", "", False, {}
    for line in lines:
        line = line.strip()
        if line.startswith("Negative prompt:"):
            in_negative, line = True, line[16:].strip()
        if in_negative:
            negative += ("" if negative == "" else "\n") + line
        else:
            prompt += ("" if prompt == "" else "\n") + line
    for key, value in RE_PARAM.findall(last):
        if value[0] == '"' and value[-1] == '"':
            value = json.loads(value)
        size = re.match(r"^(\d+)x(\d+)$", value)
        if size:
            fields[f"{key}-1"], fields[f"{key}-2"] = size.groups()
        else:
            fields[key] = value
    return prompt, negative, fields


def read(path):
    png, at = open(path, "rb").read(), 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + size]
        if kind == b"tEXt" and body.startswith(b"parameters\0"):
            return parse(body[11:].decode("latin1"))
        at += 12 + size
    raise SystemExit(f"{path}: no parameters")


names = {"ddim": "DDIM", "pndm": "PLMS", "euler": "Euler", "euler_a": "Euler a", "dpm2_a": "DPM2 a",
         "dpm++2s_a": "DPM++ 2S a", "dpm++2m": "DPM++ 2M", "dpm++2m_sde": "DPM++ 2M SDE", "dpm++sde": "DPM++ SDE",
         "unipc": "UniPC", "lcm": "LCM"}
schedules = {"karras": "Karras", "sgm_uniform": "SGM Uniform", "ays": "Align Your Steps"}
for path in glob.glob("*.png"):
    fields = read(path)[2]
    assert fields["Sampler"] in SAMPLERS and fields["Schedule type"] in SCHEDULES, (path, fields)
for ours, theirs in names.items():
    assert read(f"sampler-{ours}.png")[2]["Sampler"] == theirs, ours
for ours, theirs in schedules.items():
    assert read(f"schedule-{ours}.png")[2]["Schedule type"] == theirs, ours

prompt, negative, fields = read("plain.png")
assert (prompt, negative) == ("cat", ""), (prompt, negative)
assert "Eta" not in fields and "Clip skip" not in fields and "Weight type" not in fields, fields
wanted = {"Steps": "2", "CFG scale": "7", "Seed": "42", "Size-1": "16", "Size-2": "16", "Model": "model-sd1", "RNG": "NV",
          "Sampler": "PLMS", "Schedule type": "Automatic", "Timestep spacing": "leading", "Prediction type": "epsilon",
          "Precision": "f32"}
assert wanted.items() <= fields.items(), fields
files = sorted(glob.glob(glob.escape(sys.argv[1]) + "/*/*.safetensors"))
digests = "".join(hashlib.sha256(open(file, "rb").read()).hexdigest() for file in files)
assert len(files) == 3 and fields["Model hash"] == hashlib.sha256(digests.encode()).hexdigest()[:10], fields
assert re.fullmatch(r"fumarole \d+\.\d+\.\d+", fields["Version"]), fields

prompt, negative, fields = read("all.png")
assert prompt == 'a cat, sitting\non a mat: "there"' and negative == "dog\nmouse", (prompt, negative)
wanted = {"Sampler": "Euler a", "Schedule type": "Uniform", "Eta": "0.25", "CFG scale": "7.3", "Clip skip": "2",
          "RNG": "CPU", "Seed": "18446744073709551615", "Timestep spacing": "trailing"}
assert wanted.items() <= fields.items(), fields
fields = read("ddim.png")[2]
assert fields["Eta DDIM"] == "0.3" and fields["Weight type"] == "q8_0", fields
assert read("quoted.png")[2]["Model"] == "my: model, v1"
E2
python3 check.py "$model" && echo "parameters are read back"

# A picture drawn again from itself is the same file.
for name in sampler-euler_a all ddim quoted; do
    "$fumarole" generate -q --from-png "$name.png" -o again.png >/dev/null 2>err.txt || { cat err.txt; exit 1; }
    cmp "$name.png" again.png || exit 1
done
for ending in jpg webp; do
    "$fumarole" generate -q --from-png all.png -o "first.$ending" >/dev/null || exit 1
    "$fumarole" generate -q --from-png "first.$ending" -o "second.$ending" >/dev/null || exit 1
    cmp "first.$ending" "second.$ending" || exit 1
done
"$fumarole" generate -q --from-png all.png -s 1 -o again.png >/dev/null && ! cmp -s all.png again.png || exit 1
mkdir -p other/place && mv "$model" other/place/moved
FUMAROLE_MODELS=$PWD/other/place "$fumarole" generate -q --from-png quoted.png -o again.png >/dev/null || exit 1

# What other programs wrote, and texts at random, are read as A1111 reads them.
cat >texts.py <<'E2'
import base64, json, random, re, struct, subprocess, sys, zlib

exec(open("check.py").read().split("def read(")[0])
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////////////////////////"
    "wAALCAABAAEBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKB"
    "kaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWm"
    "p6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/ACv/2Q==")
WEBP = base64.b64decode("UklGRkYAAABXRUJQVlA4WAoAAAAIAAAAAAAAAAAAVlA4TBEAAAAvAAAAAAdQwAIWsP+BiOh/AAA=")[:61]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(kind, body):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunk(kind, body)
            + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b""))


def exif(text, order, comment):
    mark = b"MM\0*" if order == ">" else b"II*\0"
    entry = lambda *row: struct.pack(order + "HHHIII", 1, *row, 0)
    return mark + struct.pack(order + "I", 8) + entry(0x8769, 4, 1, 26) + entry(0x9286, 7, len(comment), 44) + comment


def files(text):
    """The text in every way that files carry it."""
    utf8, wide, wide_le = text.encode(), b"UNICODE\0" + text.encode("utf-16-be"), b"UNICODE\0" + text.encode("utf-16-le")
    jpeg = b"Exif\0\0" + exif(text, ">", wide)
    webp = exif(text, "<", wide_le)
    block = b"EXIF" + struct.pack("<I", len(webp)) + webp
    yield "itxt.png", png(b"iTXt", b"parameters\0\0\0\0\0" + utf8)
    yield "packed.png", png(b"iTXt", b"parameters\0\1\0en\0k\0" + zlib.compress(utf8))
    yield "exif.png", png(b"eXIf", exif(text, "<", wide_le))
    yield "exif8.png", png(b"eXIf", exif(text, ">", b"\0" * 8 + utf8))
    yield "a.jpg", JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(jpeg) + 2) + jpeg + JPEG[2:]
    yield "a.webp", WEBP[:4] + struct.pack("<I", len(WEBP) + len(block) - 8) + WEBP[8:] + block
    if max(text, default="a") < "\u0100":
        yield "text.png", png(b"tEXt", b"parameters\0" + text.encode("latin-1"))
        yield "ztxt.png", png(b"zTXt", b"parameters\0\0" + zlib.compress(text.encode("latin-1")))


def check(text, name, data):
    open(name, "wb").write(data)
    run = subprocess.run([sys.argv[1], "metadata", name, "--json"], capture_output=True)
    assert run.returncode == 0, (name, run.stderr)
    found = json.loads(run.stdout)
    last = text.strip().split("\n")[-1]
    pairs = RE_PARAM.findall(last)
    fields = {}
    for key, value in pairs if len(pairs) >= 3 else []:
        if value[:1] == '"' and value[-1:] == '"' and len(value) > 1:
            try:
                value = json.loads(value)
            except ValueError:
                pass
        fields[key] = value
    prompts, at = [[], []], 0
    for line in text.strip().split("\n")[:-1 if len(pairs) >= 3 else None]:
        line = line.strip()
        if line.startswith("Negative prompt:"):
            at, line = 1, line[16:].strip()
        prompts[at] += [line] if prompts[at] or line else []
    assert [found["prompt"], found["negative_prompt"]] == ["\n".join(p) for p in prompts], (text, found)
    assert found["parameters"] == text and list(found["fields"].items()) == list(fields.items()), (text, found, fields)


random.seed(3)
PIECES = ["a cat", ", ", "\n", "Negative prompt: ", "Steps: 20", "Sampler: Euler a", "Size: 64x32", ": ", "(x:1.2)",
          'Model: "a, b: c"', '"', "Hires prompt: \"x\\ny\"", "Lora hashes: \"l: 12, m: 3\"", "  ", "é", "-/", "Seed:7"]
texts = ["a \U0001f600 \u732b\nNegative prompt: b\nSteps: 1, Seed: 2, Size: 8x8", "plain", "x\nSteps: 1, Seed: 2"]
for text in texts:
    for name, data in files(text):
        check(text, name, data)
for _ in range(150):
    text = "a" + "".join(random.choice(PIECES) for _ in range(random.randrange(30)))
    check(text, "t.png", png(b"iTXt", b"parameters\0\0\0\0\0" + text.encode()))
evil = b'fumarole\0{"options":{"prompt":"x","output":"evil.png"}}'
open("evil.png", "wb").write(png(b"tEXt", evil))
open("odd.png", "wb").write(png(b"tEXt", b"fumarole\0[1]"))
open("none.png", "wb").write(png(b"tEXt", b"Software\0x"))
none = json.loads(subprocess.run([sys.argv[1], "metadata", "none.png", "--json"], capture_output=True).stdout)
assert none == {"parameters": None, "prompt": "", "negative_prompt": "", "fields": {}}, none
E2
python3 texts.py "$fumarole" && echo "texts of other programs are read"
mkdir pictures && mv ./*.png pictures
expect 1 'no model with the hash .*name it with -m' generate --from-png pictures/quoted.png
expect 1 'not a picture' metadata texts.py
expect 1 'carries no parameters' generate --from-png pictures/none.png
expect 1 'holds the option "output"' generate --from-png pictures/evil.png
expect 1 'is not what a fumarole wrote' generate --from-png pictures/odd.png
finish
