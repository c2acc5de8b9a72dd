#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# train-models.sh FUMAROLE: what trainings draw on the way, and a VQ-VAE with its prior.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device

. "$(dirname "${BASH_SOURCE[0]}")/train_data.sh"

small=(--set model.hidden=16 --set model.latent=2 --set train.sample_every=0 --batch 4)

# ---- grids of samples and reconstructions ----

grids() { (cd "$1/samples" && printf '%s ' *); }
shows() { [ "$(grep -c '<h2>' "$1/report.html")" = "$2" ] && ! grep -q 'https\?://' "$1/report.html"; }
check "a VAE with samples" train vae -q -o seen --data digits --steps 4 "${small[@]}" --set train.sample_every=2
check "its grids" test "$(grids seen)" = "0000002-reconstructed.png 0000002.png 0000004-reconstructed.png 0000004.png "
check "they are in the report" shows seen 2
check "a run that goes on" train vae -q --resume seen --steps 5
check "keeps them in its report" test "$(grep -c '<img' seen/report.html)" = 6
kl=(--set model.block_out_channels=8,16 --set model.norm_num_groups=8 --batch 2 --steps 2)
check "an autoencoder with samples" train ldm -q -o kl --data digits "${kl[@]}" --set train.sample_every=2
check "has reconstructions alone" test "$(grids kl)" = "0000002-reconstructed.png "
encode() { "$fumarole" generate -q -m "$1" --reconstruct "$1/samples/0000002-reconstructed.png" -o "$1/again.png" >out.txt; }
check "it encodes other pictures" encode kl
rm kl/again.png
expect 2 'autoencoder of a larger one' generate -q -m kl
expect 0 '^PSNR +-?[0-9.]+ +dB$' evaluate --pairs kl/samples kl # not inf, as of its own files
expect 2 'takes 8 × 8' evaluate --pairs kl/samples seen
expect 2 'is no autoencoder' evaluate --pairs kl/samples "$FUM_TEST_DATA/model-sd1"

# damage TENSOR: a copy of the VAE in which a weight is NaN.
damage() {
    rm -rf damaged && cp -r seen/model damaged && python3 - "$1" <<'END'
import json, struct, sys
path = "damaged/model.safetensors"
data = bytearray(open(path, "rb").read())
size = struct.unpack("<Q", data[:8])[0]
at = 8 + size + json.loads(data[8:8 + size])[sys.argv[1]]["data_offsets"][0]
data[at:at + 4] = struct.pack("<f", float("nan"))
open(path, "wb").write(data)
END
}
check "a damaged decoder" damage output.weight
expect 1 'decoder: output gives non-finite values' generate -q -m damaged -o x.png
check "draws nothing" test ! -e x.png
check "a picture of the VAE's size" "$fumarole" generate -q -m seen -o seen/small.png
check "a damaged encoder" damage mean.weight
expect 1 'encoder: mean gives non-finite values' generate -q -m damaged --reconstruct seen/small.png -o x.png

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
expect 2 'seen: is no VQ-VAE' train ddpm -q -o x --data digits --prior seen
expect 2 'loss.objective must be simple' train ddpm -q -o x --data digits --prior vq --set loss.objective=hybrid
expect 2 '7 × 8.*multiples of 2' train ddpm -q -o x --data digits --prior vq --set data.width=7 --set data.height=8
finish
