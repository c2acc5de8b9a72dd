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
