#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sinks.py FUMAROLE: text from models, reports and arguments never reaches the terminal raw.

Each probe puts PROBE into one place, runs one command, and looks at all that it prints: no control character
but the newline and the tab, nothing that turns the direction of writing, valid UTF-8, no forged line, one line for a
failure.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

FUMAROLE = os.path.abspath(sys.argv[1])
MODEL = pathlib.Path(os.environ["FUM_TEST_DATA"]) / "model-sd1"
PROBE = "\x1b[2J\x1b]0;x\x07 \u009b31m\nfumarole: forged \u202egnorw \u2066\x7f"
BYTES = PROBE.encode() + b"\xff\xfe\x9b0m"
LINKS = [name.relative_to(MODEL) for name in MODEL.rglob("*") if name.is_file()]


def edit(name, *path, value=PROBE):
    """An action: sets a member of a JSON file of the model."""
    def run():
        data = json.loads(pathlib.Path("m", name).read_text()) if os.path.exists(f"m/{name}") else {}
        at = data
        for key in path[:-1]:
            at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
        at[path[-1]] = value
        write("m/" + name, json.dumps(data, ensure_ascii=False).encode())
    return run


def rename(name, key):
    """An action: gives a member of a JSON file of the model another name."""
    def run():
        data = json.loads(pathlib.Path("m", name).read_text())
        data[PROBE] = data.pop(key)
        write("m/" + name, json.dumps(data, ensure_ascii=False).encode())
    return run


def put(name, data):
    return lambda: write(name, data() if callable(data) else data)


def write(name, data):
    path = pathlib.Path(name)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def tensors(header):
    text = json.dumps(header, ensure_ascii=False).encode()
    return struct.pack("<Q", len(text)) + text + bytes(16)


def with_tensor(name):
    """The UNet's file and one tensor more."""
    data = (MODEL / "unet/diffusion_pytorch_model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    end = len(data) - 8 - size
    header[name] = {"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]}
    text = json.dumps(header, ensure_ascii=False).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size:] + bytes(4)


def merges(line):
    return b"#version: 0.2\n" + line + b"\n"


def index(entries):
    def run():
        os.unlink("m/unet/diffusion_pytorch_model.safetensors")
        write("m/unet/diffusion_pytorch_model.safetensors.index.json",
              json.dumps({"weight_map": entries}, ensure_ascii=False).encode())
    return run


def report(**texts):
    """A bench report; the named texts are the probe."""
    values = {"median": 1.0, "low": 1.0, "high": 1.0, "values": [1.0]}
    keys = "device", "driver", "fumarole", "date", "name", "op", "type"
    text = {key: texts.get(key, key) for key in keys}
    data = {"format": "fumarole-bench", "version": 1, "fumarole": text["fumarole"],
            "date": text["date"], "complete": True,
            "device": {"name": text["device"], "driver": text["driver"]},
            "limits": [{"name": text["name"], "unit": text["name"], "what": "", "value": values}],
            "ops": [{"op": text["op"], "name": text["name"], "type": text["type"], "flops": 1, "bytes": 1,
                     "seconds": values}],
            "models": [{"name": text["name"], "type": text["type"], "width": 1, "height": 1,
                        "step": values}]}
    return put("r.json", json.dumps(data, ensure_ascii=False).encode())


NOTHING = []
def adapter(module):
    """The tensors of a LoRA of rank 1 for a module."""
    return {f"lora_unet_{module}.lora_down.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
            f"lora_unet_{module}.lora_up.weight": {"dtype": "F32", "shape": [2, 1], "data_offsets": [8, 16]}}


def picture():
    """A PNG whose parameters hold the probe."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    sampler = PROBE.replace("\n", "").replace(",", "")
    text = f"a cat {PROBE}\nNegative prompt: {PROBE}\nSteps: 20, Sampler: {sampler}, CFG scale: 7, Size: 64x64"
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) +
            chunk(b"iTXt", b"parameters" + bytes(5) + text.encode()) +
            chunk(b"IDAT", zlib.compress(bytes(2))) + chunk(b"IEND", b""))


INFO = ["info", "m"]
TOKENIZE = ["tokenize", "-m", "m", "a red heart"]
GENERATE = ["generate", "-q", "-m", "m", "--device", "no such device", "-o", "o.png"]
COMPARE = ["bench", "--compare", "r.json", "r.json", "--html", "page.html"]
VOCAB, MERGES, CONFIG = "tokenizer/vocab.json", "m/tokenizer/merges.txt", "tokenizer/tokenizer_config.json"
SCHEDULER = "scheduler/scheduler_config.json"

# name, what to change, the command
PROBES = [
    ("fumarole.json: name", [edit("fumarole.json", "name")], INFO),
    ("fumarole.json: description", [edit("fumarole.json", "description")], INFO),
    ("fumarole.json: license", [edit("fumarole.json", "license")], INFO),
    ("fumarole.json: origin", [edit("fumarole.json", "origin")], INFO),
    ("fumarole.json: sampler", [edit("fumarole.json", "defaults", "sampler")], INFO),
    ("fumarole.json: prompts", [edit("fumarole.json", "prompts", value=["heart" + PROBE])],
     GENERATE + ["haert"]),
    ("fumarole.json: name in a suggestion", [edit("fumarole.json", "prompts", value=["heart"]),
                                             edit("fumarole.json", "name")], GENERATE + ["haert"]),
    ("model_index.json: class", [edit("model_index.json", "_class_name")], INFO),
    ("model_index.json: class of a component", [edit("model_index.json", "unet", 1)], INFO),
    ("scheduler: class", [edit("model_index.json", "scheduler", 1)], INFO),
    ("scheduler: beta_schedule", [edit(SCHEDULER, "beta_schedule")], INFO),
    ("scheduler: prediction_type", [edit(SCHEDULER, "prediction_type")], INFO),
    ("scheduler: timestep_spacing", [edit(SCHEDULER, "timestep_spacing")], INFO),
    ("scheduler: solver_type", [edit(SCHEDULER, "solver_type")], INFO),
    ("unet: act_fn", [edit("unet/config.json", "act_fn")], INFO),
    ("unet: a block type", [edit("unet/config.json", "down_block_types", 0)], INFO),
    ("unet: class_embed_type", [edit("unet/config.json", "class_embed_type")], INFO),
    ("vae: act_fn", [edit("vae/config.json", "act_fn")], INFO),
    ("vae: a block type", [edit("vae/config.json", "up_block_types", 0)], INFO),
    ("text encoder: hidden_act", [edit("text_encoder/config.json", "hidden_act")], INFO),
    ("vocabulary: a piece without an id", [edit(VOCAB, PROBE, value="x")], TOKENIZE),
    ("vocabulary: a piece with a bad id", [edit(VOCAB, PROBE, value=1.5)], TOKENIZE),
    ("vocabulary: an id twice", [edit(VOCAB, PROBE, value=3)], TOKENIZE),
    ("vocabulary: a piece that is printed", [rename(VOCAB, "<|startoftext|>"), edit(CONFIG, "bos_token")],
     TOKENIZE),
    ("merges: a line of three", [put(MERGES, merges(b"a b " + BYTES.replace(b"\n", b"")))], TOKENIZE),
    ("merges: a piece", [put(MERGES, merges(b"a " + BYTES.replace(b"\n", b"").replace(b" ", b"")))],
     TOKENIZE),
    ("merges: bytes 0xff", [put(MERGES, b"#version: 0.2\n" + b"\xff" * 500)], TOKENIZE),
    ("tokenizer_config: unk_token", [edit(CONFIG, "unk_token")], TOKENIZE),
    ("tokenizer_config: a token's content", [
        edit(CONFIG, "bos_token", value={"content": PROBE, "lstrip": True})], TOKENIZE),
    ("tokenizer_config: added tokens", [
        edit(CONFIG, "added_tokens_decoder", value={"5": {"content": PROBE}})], TOKENIZE),
    ("tokenizer.json: type", [lambda: [os.unlink("m/" + VOCAB), os.unlink(MERGES)],
                              edit("tokenizer/tokenizer.json", "model", "type")], TOKENIZE),
    ("index: a shard's name", [index({"conv_in.weight": PROBE})], INFO),
    ("index: a missing shard", [index({"conv_in.weight": PROBE.replace("\n", "") + ".safetensors"})], INFO),
    ("index: a tensor's name", [index({PROBE: 5})], INFO),
    ("weights: a tensor's name", [put("m/unet/diffusion_pytorch_model.safetensors",
                                      lambda: with_tensor(PROBE))], INFO),
    ("weights: a tensor's name in an error", [put("m/unet/diffusion_pytorch_model.safetensors",
                                                  tensors({PROBE: {"dtype": "F32"}}))], INFO),
    ("weights: a type", [put("m/unet/diffusion_pytorch_model.safetensors", tensors(
        {"conv_in.weight": {"dtype": PROBE, "shape": [1], "data_offsets": [0, 16]}}))], INFO),
    ("file: a tensor's name", [put("f.safetensors", tensors({PROBE: {"dtype": "F32"}}))],
     ["info", "f.safetensors"]),
    ("file: its own name", [put("f" + PROBE, b"no model")], ["info", "f" + PROBE]),
    ("adapter: a module's name", [put("f.safetensors", tensors(adapter(PROBE)))],
     GENERATE[:-4] + ["-o", "o.png", "-W", "16", "-H", "16", "--steps", "1", "--lora", "f", "x"]),
    ("adapter: its file's name, as JSON", [put("f" + PROBE + ".safetensors", tensors(adapter("x")))],
     ["info", "--json", "f" + PROBE + ".safetensors"]),
    ("picture: parameters", [put("f.png", picture)], ["metadata", "f.png"]),
    ("picture: parameters as JSON", [put("f.png", picture)], ["metadata", "--json", "f.png"]),
    ("picture: parameters for a new one", [put("f.png", picture)], ["generate", "-m", "m", "--from-png", "f.png"]),
    ("lines: a member", [put("in", json.dumps({PROBE: 1}).encode())], ["batch", "-", "-o", "out", "-m", "m"]),
    ("requests: a member", [put("f.jsonl", json.dumps({"prompt": "x", PROBE: 1}).encode())],
     ["generate", "-m", "m", "--prompts-file", "f.jsonl"]),
    ("report: device", [report(device=PROBE)], COMPARE),
    ("report: driver", [report(driver=PROBE)], COMPARE),
    ("report: version", [report(fumarole=PROBE)], COMPARE),
    ("report: date", [report(date=PROBE)], COMPARE),
    ("report: name", [report(name=PROBE)], COMPARE),
    ("report: a long name", [report(name="\u20ac" * 50)], COMPARE),
    ("report: op and type", [report(op=PROBE, type=PROBE)], COMPARE),
    ("argument: command", NOTHING, [PROBE]),
    ("argument: model", NOTHING, ["info", PROBE]),
    ("argument: a long model", NOTHING, ["info", "\u20ac" * 300]),
    ("argument: option", NOTHING, ["generate", "--" + PROBE]),
    ("argument: option's value", NOTHING, ["generate", "x", "--steps", PROBE]),
    ("argument: a long value", NOTHING, ["generate", "x", "--steps", "\u20ac" * 300]),
    ("argument: sampler", NOTHING, ["generate", "x", "--sampling-method", PROBE]),
    ("argument: output", NOTHING, ["generate", "x", "-o", PROBE]),
    ("argument: output's folder", NOTHING, ["generate", "x", "-o", "/dev/null/" + PROBE + "/x.png"]),
    ("argument: prompts", NOTHING, ["generate", PROBE, PROBE]),
    ("argument: prompt file", NOTHING, ["generate", "--prompt-file", PROBE]),
    ("argument: noise", NOTHING, ["generate", "-m", "m", "x", "--noise", PROBE]),
    ("argument: device", NOTHING, ["generate", "-m", "m", "x", "--device", PROBE]),
    ("argument: memory", NOTHING, ["generate", "x", "--memory-budget", PROBE]),
    ("argument: texts", NOTHING, ["tokenize", PROBE, PROBE]),
    ("argument: report", NOTHING, ["bench", "--compare", PROBE, PROBE]),
    ("argument: devices", NOTHING, ["devices", PROBE]),
]


def wrong(run):
    """What is wrong with the output of a command, or None."""
    for name, data in ("output", run.stdout), ("error", run.stderr):
        try:
            text = data.decode()
        except UnicodeDecodeError as e:
            return f"standard {name} is not UTF-8: {e}"
        for c in text:
            if c not in "\n\t" and (ord(c) < 0x20 or 0x7f <= ord(c) <= 0x9f or 0x2028 <= ord(c) <= 0x202e
                              or 0x2066 <= ord(c) <= 0x2069):
                return f"standard {name} holds U+{ord(c):04X}"
        if any(line.startswith("fumarole: forged") for line in text.split("\n")):
            return f"standard {name} has a forged line"
    lines = run.stderr.decode().count("\n")
    shown = rb"\x1b", rb"\u009b", rb"\xff", "\u20ac".encode()
    if not any(piece in run.stdout + run.stderr for piece in shown):
        return "the probe is not shown: the command does not reach it"
    if run.returncode not in (0, 1, 2):
        return f"status {run.returncode}"
    if run.returncode and lines != 1 and not run.stderr.startswith(b"fumarole: the model"):
        return f"{lines} lines for a failure"
    return None


def probe(name, changes, command):
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for link in LINKS:
            (pathlib.Path("m") / link).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(MODEL / link, pathlib.Path("m") / link)
        for change in changes:
            change()
        source = open("in", "rb") if os.path.exists("in") else subprocess.DEVNULL
        run = subprocess.run([FUMAROLE, *command], capture_output=True, stdin=source, timeout=120)
        problem = wrong(run)
        if problem:
            print(f"FAILED: {name}: {problem}\n  {run.stdout[-500:]!r}\n  {run.stderr[-500:]!r}")
        os.chdir("/")
    return problem is not None


failed = sum(probe(*p) for p in PROBES)
print(f"{len(PROBES)} probes, {failed} failed")
sys.exit(failed > 0)
