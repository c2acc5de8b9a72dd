#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# train.sh FUMAROLE LAYERS: trainings whose device or disk fails. Each says in one line what failed and from which
# step it can go on, and goes on from there to the bits of an unbroken run.
. "$(dirname "${BASH_SOURCE[0]}")/sweep.sh"

export VK_LAYER_PATH=$2

# digits/ holds 40 pictures of 8 x 8 pixels in MNIST's file.
python3 - <<'E2'
import os, struct
os.mkdir("digits")
pixels = bytes((i * 37 + i // 64 * 101) % 256 for i in range(40 * 64))
open("digits/train-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, 40, 8, 8) + pixels)
E2
options=(--steps 400 --batch 1 --set model.hidden=4 --set model.latent=2 --set train.save_every=100
    --set train.sample_every=0)

train() { timeout 600 env LD_PRELOAD="$keep_loaded" "$fumarole" train vae -q "$@" >out.txt 2>err.txt </dev/null; }
begin() { train -o "$1" --data digits "${options[@]}"; }

# fails DIR PATTERN: the last run ended with status 1 and one such line.
fails() { [ "$status" = 1 ] && [ "$(wc -l <err.txt)" = 1 ] && grep -qE "^fumarole: .*$2" err.txt; }

# goes_on DIR LINES: the rest of the run leaves the checkpoint of the unbroken one, and a line for each step but those that
# could not be written.
goes_on() {
    train --resume "$1" && cmp "$1/checkpoint/state.safetensors" whole/checkpoint/state.safetensors &&
        [ "$(wc -l <"$1/log.jsonl")" = "$2" ]
}

check 'an unbroken run' begin whole

# A limit on the size of files stops the log at step 150 or so. The checkpoint is smaller.
(ulimit -f 24 && begin full)
status=$?
check 'a log that cannot grow' fails full 'log\.jsonl.*; --resume full goes on from step 1[0-9][0-9]$'
check 'goes on when it can' goes_on full 399

(ulimit -f 4 && begin early)
status=$?
check 'a checkpoint that cannot be written' fails early 'no step was saved$'

# lose DIR AT: the AT-th submission finds the device lost.
lose() {
    VK_INSTANCE_LAYERS=VK_LAYER_FUMAROLE_failing NODEVICE_SELECT=1 FUM_FAIL_CODE=-4 FUM_FAIL_ON=1 FUM_FAIL_AFTER=0 \
        FUM_FAIL_AT=$2 FUM_FAIL_CALL=QueueSubmit begin "$1"
    status=$?
}
lose lost 300
check 'a device that is lost' fails lost 'lost.*; --resume lost goes on from step [123]00$'
check 'goes on with another' goes_on lost 400
lose never 90
check 'a device that is lost early' fails never 'lost.*; no step was saved$'

finish
