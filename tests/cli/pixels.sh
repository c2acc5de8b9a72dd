#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# pixels.sh FUMAROLE: a model of grey pictures by class, as diffusers' DDPMPipeline saves it, draws without a prompt.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device

mkdir -p trained/model/scheduler
ln -s "$FUM_TEST_DATA/model-variants/unet2d" trained/model/unet
cat >trained/model/model_index.json <<'E2'
{"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDPMScheduler"]}
E2
cat >trained/model/scheduler/scheduler_config.json <<'E2'
{"_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "beta_schedule": "linear", "clip_sample": false}
E2

expect 2 'no prompt' generate -m emoji
expect 2 'takes no prompt' generate -m trained "red heart"
expect 2 'takes no prompt' generate -m trained -n ugly
expect 2 'has 5 classes' generate -m trained --steps 2
expect 2 '--grid needs' generate -m trained --grid 3
expect 2 '--grid needs' generate -m trained --grid 0x4
expect 2 '--grid needs' generate -m trained --grid 3x4x5
expect 2 'has 6 pictures' generate -m trained --grid 3x2 -b 5
expect 2 'needs --save-latents' generate -m trained --invert a.png
expect 2 'one picture' generate -m trained --invert a.png --save-latents n.safetensors -b 2
expect 1 'missing.png' generate -m trained --class 1 --invert missing.png --save-latents n.safetensors --steps 2
guide=$FUM_TEST_DATA/guide/1
expect 2 'needs --classifier DIR' generate -m trained --class 1 --classifier-scale 2
expect 2 'needs --class N' generate -m trained --classifier "$guide"
expect 2 'not guided' generate -m trained --classifier "$guide" --class 1 --invert a.png --save-latents n.safetensors
expect 1 'missing.*config.json' generate -m trained --classifier missing --class 1 --steps 2
expect 1 'not a classifier' generate -m trained --classifier trained/model/unet --class 1 --steps 2
expect 2 'draws 12 × 12' generate -m trained --classifier "$guide" --class 1 --steps 2
expect 2 'draws latents, not pictures' generate -m emoji --classifier "$guide" --class 1 --steps 2 "red heart"
expect 2 'sampler ddim, not ddpm' generate -m trained --class 1 --sampling-method ddpm --interpolate a.png c.png
expect 2 'two pictures or two seeds' generate -m trained --class 1 --interpolate a.png 3
expect 2 'cannot reconstruct' generate -m trained --class 1 --reconstruct a.png
expect 0 '^trained: DDPM' info trained
expect 0 'complete' info trained/model

# score_model FOLDER UNET PIPELINE SCHEDULER: makes a folder as train score saves it.
score_model() {
    mkdir -p "$1/scheduler"
    ln -s "$FUM_TEST_DATA/model-variants/$2" "$1/unet"
    echo "{\"_class_name\": \"$3\", \"unet\": [\"diffusers\", \"UNet2DModel\"], \"scheduler\": [\"diffusers\", \"$4\"]}" >"$1/model_index.json"
    echo "{\"_class_name\": \"$4\", \"num_train_timesteps\": 2000, \"sampling_eps\": 1e-3, \"sigma_max\": 5}" >"$1/scheduler/scheduler_config.json"
}
score_model vp unet2d-plain DDPMPipeline ScoreSdeVpScheduler
score_model ve unet2d-fourier ScoreSdeVePipeline ScoreSdeVeScheduler
expect 0 'sampler sde' info vp
expect 0 'sampler pc' info ve
expect 1 'use sampler sde, pc or ode' generate -m vp --sampler ddim
expect 1 'this model has timesteps' generate -m trained --class 1 --sampler sde
expect 2 'does not run on the schedule' generate -m vp --sampler sde --scheduler karras
expect 2 'sampler sde has no tolerance' generate -m vp --tolerance 1e-3 --steps 2
expect 2 'ddpm has no tolerance' generate -m trained --class 1 --tolerance 1e-3 --steps 2
expect 2 'tolerance' generate -m vp --sampler ode --tolerance 2

generate() { "$fumarole" generate -q --steps 3 "$@" >out.txt 2>err.txt </dev/null || { cat err.txt; return 1; }; }
generate -m trained --class 1 -o a.png --save-latents a.safetensors
check "its size" grep -q '^a\.png: 12 x 12, seed 42' out.txt
generate -m trained/model --class 1 -o b.png --save-latents b.safetensors
check "the folder of a training stands for its model" same_pixels a.png b.png
check "the same x" cmp a.safetensors b.safetensors
generate -m trained --class 2 -o c.png
check "another class is another picture" other_pixels a.png c.png
generate -m trained --class 1 --cfg-scale 3 -o d.png
check "guided by the empty class" other_pixels a.png d.png
generate -m trained --class 1 --invert a.png --save-latents n.safetensors
check "the inversion draws nothing" test ! -s out.txt
generate -m trained --class 1 --noise n.safetensors --sampling-method ddim -o f.png
check "its noise is taken" test -s f.png
generate -m trained --class 1 --grid 3x2 -o grid.png --save-latents all.safetensors
check "one grid" grep -q '^grid\.png: 36 x 24, seed 42' out.txt
generate -m trained --class 1 -W 8 -H 12 --classifier "$guide" --classifier-scale 20 -o g.png
check "guided by a classifier" grep -q '^g\.png: 8 x 12' out.txt
check "its text names it" grep -aq 'Classifier scale: 20' g.png
generate -m trained --class 1 -W 8 -H 12 -o h.png
check "the classifier changes it" other_pixels g.png h.png
generate -m trained --class 1 --sampling-method ddim --interpolate a.png c.png -b 3 -o 'between_%d.png'
check "between two pictures" cmp -n 30 a.png between_1.png
check "its text says so" grep -aq 'Interpolated: a.png to c.png at 0.5' between_2.png
check "pictures of two sizes" bash -c '! "$0" generate -q -m trained --class 1 --steps 2 --interpolate a.png g.png 2>err.txt' "$fumarole"
check "are refused" grep -q 'sizes must be equal' err.txt
check "noise and ends" bash -c '! "$0" generate -q -m trained --class 1 --noise n.safetensors --interpolate 1 3 2>err.txt' "$fumarole"
check "contradict each other" grep -q 'noise of its ends' err.txt
mkdir clean
sed 's/"classes"/"noisy": false, "classes"/' "$guide/config.json" >clean/config.json
cp "$guide/model.safetensors" clean
generate -m trained --class 1 -W 8 -H 12 --classifier clean -o i.png
check "one of clean pictures is warned about" grep -q 'trained on clean pictures' err.txt
generate -m trained --class 1 --sampling-method ddim -o e.png
check "another sampler" test -s e.png

cat >check.py <<'E2'
import json, struct, zlib


def read_png(name):
    data, at, pixels = open(name, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        pixels += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    rows, raw = [], zlib.decompress(pixels)
    assert (depth, colour) == (8, 0), "a grey PNG"
    for y in range(height):
        row = bytearray(raw[y * (width + 1) + 1:(y + 1) * (width + 1)])
        kind, above = raw[y * (width + 1)], rows[-1] if y else bytes(width)
        for x in range(width):
            left, up, corner = row[x - 1] if x else 0, above[x], above[x - 1] if x else 0
            guess = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                        (abs(left + up - 2 * corner), 2, corner))[2]
            row[x] = (row[x] + (0, left, up, (left + up) // 2, guess)[kind]) & 255
        rows.append(bytes(row))
    return rows


def read_x(name):
    data = open(name, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])["latents"]
    return header["shape"], struct.unpack("<%df" % ((len(data) - 8 - size) // 4), data[8 + size:])


single, grid = read_png("a.png"), read_png("grid.png")
assert [row[:12] for row in grid[:12]] == single, "the first of the grid has the first seed"
shape, x = read_x("all.safetensors")
assert shape == [6, 1, 12, 12]
for picture in range(6):
    for i in range(144):
        v = min(max(x[picture * 144 + i] / 2 + 0.5, 0), 1) * 255
        got = grid[picture // 3 * 12 + i // 12][picture % 3 * 12 + i % 12]
        assert abs(v - got) < 0.51, "pixels are x, clamped"
assert max(map(abs, x)) > 1, "x is not clamped"
E2
check "pixels and x" python3 check.py

generate -m vp --sampler sde -o s.png --save-latents s.safetensors
"$fumarole" generate -q --steps 3 -m vp -o d.png >out.txt
check "the default of a VP model is sde" same_pixels s.png d.png
generate -m vp --sampler pc -o p.png
check "corrections change it" other_pixels s.png p.png
"$fumarole" generate -q -m vp --sampler ode --tolerance 1e-2 -o o.png >out.txt 2>err.txt
check "the probability flow chooses its steps" grep -aq 'Sampler: ODE' o.png
generate -m ve --grid 2x1 -o v.png
check "a VE model draws" grep -q '^v\.png: 24 x 12' out.txt

finish
