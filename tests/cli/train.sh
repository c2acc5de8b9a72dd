#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# train.sh FUMAROLE: a training from the command line: its folder, its log, how it stops and goes on, and its faults.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

if ! "$fumarole" devices >/dev/null 2>&1; then
    echo "no Vulkan device"
    [ -n "${FUM_REQUIRE_DEVICE:-}" ] && exit 1
    exit 77
fi

# digits/ holds 40 pictures of 8 x 8 pixels in MNIST's files, with labels 0 to 9; bad/ a label 77.
cat >make.py <<'E2'
import os, struct, zlib
for folder, last in (("digits", 9), ("bad", 77)):
    os.mkdir(folder)
    pixels = bytes((i * 37 + i // 64 * 101) % 256 for i in range(40 * 64))
    labels = bytes(i % 10 for i in range(39)) + bytes([last])
    open(f"{folder}/train-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, 40, 8, 8) + pixels)
    open(f"{folder}/train-labels-idx1-ubyte", "wb").write(struct.pack(">II", 0x801, 40) + labels)
os.mkdir("empty")

# mixed/ holds pictures of three shapes.
os.mkdir("mixed")
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for i, (w, h) in enumerate(((64, 32), (32, 64), (48, 48), (70, 30), (30, 66), (50, 50))):
    rows = b"".join(b"\0" + bytes((x * 5 + y * 3 * c + i * 31) % 256 for x in range(w) for c in range(3)) for y in range(h))
    open(f"mixed/{i}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
                                       chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
E2
python3 make.py

small=(--set model.hidden=16 --set model.latent=2 --set train.sample_every=0 --batch 4)

# ---- a run, and a run that was stopped and goes on ----

train() { "$fumarole" train "$@" >out.txt 2>err.txt </dev/null; }
check "a run" train vae -q -o whole --data digits --steps 12 "${small[@]}"
check "its files" test -s whole/model/model.safetensors -a -s whole/model/config.json -a -s whole/report.html
check "a line for each step" test "$(wc -l <whole/log.jsonl)" = 12
check "half of it" train vae -q -o half --data digits --steps 12 "${small[@]}" --set train.save_every=5 --set train.lr=1e-3
cat >same.py <<'E2'
# same.py A B: the tensors of two checkpoints have the same bits.
import json, struct, sys
def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__")
    return {k: data[8 + size + v["data_offsets"][0]:8 + size + v["data_offsets"][1]] for k, v in header.items()}
assert tensors(sys.argv[1]) == tensors(sys.argv[2]) != {}
E2
check "equal bits from run to run" python3 same.py whole/checkpoint/state.safetensors half/checkpoint/state.safetensors

# ---- only the plan ----

expect 0 'together +[0-9.]*[1-9] MiB' train vae --plan --device amd-rdna2 -o planned --data digits "${small[@]}"
check "a plan leaves no folder" test ! -e planned
expect 2 'model.latent' train vae --plan --device amd-rdna2 --data digits --set model.latent=0

# killed STEP: a long run that is killed once its log has so many lines.
killed() {
    "$fumarole" train vae -q -o killed --data digits --steps 12 "${small[@]}" --set train.save_every=1 \
        >out.txt 2>err.txt </dev/null &
    local program=$!
    for _ in $(seq 4000); do
        [ "$(cat killed/log.jsonl 2>/dev/null | wc -l)" -ge "$1" ] && break
        sleep 0.02
    done
    kill -9 "$program" 2>/dev/null
    wait "$program" 2>/dev/null
    [ -s killed/checkpoint/state.safetensors ]
}
check "a run that is killed" killed 4
check "goes on" train vae -q --resume killed
check "with the bits of an unbroken run" python3 same.py whole/checkpoint/state.safetensors killed/checkpoint/state.safetensors
check "and each step once in its log" test "$(wc -l <killed/log.jsonl)" = 12

interrupted() {
    "$fumarole" train vae -q -o stopped --data digits --steps 1000000 "${small[@]}" >out.txt 2>err.txt </dev/null &
    local program=$!
    for _ in $(seq 4000); do [ -s stopped/log.jsonl ] && break; sleep 0.02; done
    kill -INT "$program"
    wait "$program"
    [ $? = 130 ] && grep -q "everything is saved" err.txt && [ -s stopped/model/model.safetensors ] &&
        [ -s stopped/checkpoint/state.safetensors ] && ! grep -q http-equiv stopped/report.html
}
check "Ctrl-C saves and stops" interrupted

# ---- grids of samples and reconstructions ----

grids() { ls "$1"/samples | tr '\n' ' '; }
shows() { [ "$(grep -c '<h2>' "$1/report.html")" = "$2" ] && ! grep -q 'https\?://' "$1/report.html"; }
check "a VAE with samples" train vae -q -o seen --data digits --steps 4 "${small[@]}" --set train.sample_every=2
check "its grids" test "$(grids seen)" = "0000002-reconstructed.png 0000002.png 0000004-reconstructed.png 0000004.png "
check "they are in the report" shows seen 2
check "a run that goes on" train vae -q --resume seen --steps 5
check "keeps them in its report" test "$(grep -c '<img' seen/report.html)" = 6
kl=(--set model.block_out_channels=8,16 --set model.norm_num_groups=8 --batch 2 --steps 2)
check "an autoencoder with samples" train ldm -q -o kl --data digits "${kl[@]}" --set train.sample_every=2
check "has reconstructions alone" test "$(grids kl)" = "0000002-reconstructed.png "
encode() { "$fumarole" generate -q -m "$1" --reconstruct "$1/samples/0000002-reconstructed.png" -o "$1/again.png"; }
check "it encodes other pictures" encode kl
rm kl/again.png
expect 2 'autoencoder of a larger one' generate -q -m kl
expect 0 '^SSIM +-?[0-9.e-]+$' evaluate --pairs kl/samples kl
expect 2 'takes 8 × 8' evaluate --pairs kl/samples seen
expect 2 'is no autoencoder' evaluate --pairs kl/samples "$FUM_TEST_DATA/model-sd1"

tuned=(-m "$FUM_TEST_DATA/model-sd1" --data digits --batch 1 --set data.width=32 --set data.height=32)
check "a LoRA with samples" train lora -q -o tuned --steps 1 "${tuned[@]}" --set train.sample_every=1 \
    --set "samples.prompt=a red heart"
check "draws its prompt" test -s tuned/samples/0000001.png
check "the report has the noise schedule, too" shows tuned 2

# ---- pictures of several shapes ----

shapes=(-m "$FUM_TEST_DATA/model-sd1" --data mixed --batch 2 --set data.width=48 --set data.height=48 --set lora.rank=2
    --set data.buckets=true --set data.bucket_step=16)
check "buckets" train lora -q -o shapes --steps 7 "${shapes[@]}"
check "a part of it" train lora -q -o part --steps 3 "${shapes[@]}"
check "goes on" train lora -q --resume part --steps 7
check "with the bits of an unbroken run" python3 same.py shapes/checkpoint/state.safetensors part/checkpoint/state.safetensors
expect 2 'multiples of 2.*bucket_step' train lora -q -o x "${shapes[@]}" --set data.bucket_step=9
expect 2 'buckets need data.width' train lora -q -o x "${shapes[@]}" --set data.width=0 --set data.height=0
expect 2 'a prior have one size' train dreambooth -q -o x "${shapes[@]}"

# ---- a VQ-VAE and its prior ----

net=(--set model.block_out_channels=8,16 --set model.norm_num_groups=8 --set train.sample_every=0 --batch 4)
check "a VQ-VAE" train vqvae -q -o vq --data digits --steps 2 "${net[@]}"
expect 2 'no prior to draw from: "fumarole train ddpm --prior vq/model"' generate -q -m vq
check "its prior" train ddpm -q -o prior --prior vq --data digits --steps 4 "${net[@]}"
check "is beside it" test -s vq/model/prior/unet/config.json -a -s vq/model/prior/scheduler/scheduler_config.json
draw() { "$fumarole" generate -q -m "$1" --steps 3 -o "$1/drawn.png" --save-latents "$1/drawn.safetensors" >out.txt 2>err.txt; }
check "the VQ-VAE draws" draw vq
check "and the run's own model" draw prior
check "the same" cmp vq/drawn.safetensors prior/drawn.safetensors
check "half of the prior" train ddpm -q -o cut --prior vq --data digits --steps 2 "${net[@]}"
check "goes on without being told of the VQ-VAE" train ddpm -q --resume cut --steps 4
check "with the bits of an unbroken run" python3 same.py prior/checkpoint/state.safetensors cut/checkpoint/state.safetensors
expect 2 'recipe vae takes no --prior' train vae -q -o x --data digits --prior vq
expect 2 'whole: is no VQ-VAE' train ddpm -q -o x --data digits --prior whole
expect 2 'loss.objective must be simple' train ddpm -q -o x --data digits --prior vq --set loss.objective=hybrid
expect 2 '7 × 8.*multiples of 2' train ddpm -q -o x --data digits --prior vq --set data.width=7 --set data.height=8

# ---- faults: one line each, and what was saved stays ----

expect 2 'no data set: name one by --data' train vae -q -o x
expect 1 'nowhere' train vae -q -o x --data nowhere
expect 1 'empty' train vae -q -o x --data empty
expect 2 'unknown recipe "vea"' train vea -q -o x --data digits
expect 2 'train.setps.*train.steps' train vae -q -o x --data digits --set train.setps=3
expect 1 'my.ini' train vae -q -o x --data digits --config my.ini
printf '[train]\nsteps 3\n' >my.ini
expect 1 'my.ini, line 2' train vae -q -o x --data digits --config my.ini
printf '[train]\nstep = 3\n' >my.ini
expect 2 'my.ini: unknown setting train.step.*train.steps' train vae -q -o x --data digits --config my.ini
expect 2 'label 77.*10 classes' train cvae -q -o x --data bad "${small[@]}" --steps 60
expect 2 'checkpoint of recipe vae, not cvae' train cvae -q --resume whole
expect 1 'nothing-here' train vae -q --resume nothing-here
expect 1 'the loss or its gradient is no number, first in .*(goes on from step|no step was saved)' train vae -q -o nan --data digits --steps 40 "${small[@]}" \
    --set train.lr=1e6 --set train.save_every=1
check "the last good checkpoint stays" train vae -q -o after --resume nan --set train.steps=1
if [ "$(id -u)" != 0 ]; then
    mkdir locked
    chmod 500 locked
    expect 1 'locked' train vae -q -o locked/x --data digits "${small[@]}" --steps 2
fi

# ---- a model's own channels ----

check "grey pictures for a model of colours" train lora -q -o lora -m "$FUM_TEST_DATA/model-train" --data digits --steps 1 \
    --batch 1 --set train.sample_every=0

# ---- help ----

expect 0 'vae +variational' train --help
expect 0 'train.steps = 2000 +updates' train vae --help
expect 2 'needs a recipe' train -q
finish
