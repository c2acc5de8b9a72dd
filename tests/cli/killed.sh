#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# killed.sh FUMAROLE: trainings that are killed at 20 random moments end with the bits of unbroken ones.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device

. "$(dirname "${BASH_SOURCE[0]}")/train_data.sh"

lines() { cat "$1/log.jsonl" 2>/dev/null | wc -l; }

# begin RECIPE DIR OPTIONS…: goes on where there is a checkpoint, else begins.
begin() {
    local recipe=$1 dir=$2
    shift 2
    if [ -e "$dir/checkpoint/state.safetensors" ]; then
        "$fumarole" train "$recipe" -q --resume "$dir" >out.txt 2>err.txt </dev/null
    else
        "$fumarole" train "$recipe" -q -o "$dir" "$@" >out.txt 2>err.txt </dev/null
    fi
}

# kill_once RECIPE DIR OPTIONS…: kills a run at a random moment after it has done a step.
kill_once() {
    local before program
    before=$(lines "$2")
    (begin "$@") &
    program=$!
    while [ "$(lines "$2")" -le "$before" ] && kill -0 $program 2>/dev/null; do sleep 0.01; done
    sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
    kill -9 $(ps -o pid= --ppid $program) $program 2>/dev/null
    wait $program 2>/dev/null
    true
}

# survives RECIPE OPTIONS…: 20 kills and an end, compared with an unbroken run.
survives() {
    local recipe=$1 options=(--data digits --steps 1500 --batch 4 --set train.save_every=2 --set train.sample_every=0)
    shift
    begin "$recipe" whole-$recipe "${options[@]}" "$@" || return 1
    for _ in $(seq 20); do kill_once "$recipe" killed-$recipe "${options[@]}" "$@"; done
    begin "$recipe" killed-$recipe "${options[@]}" "$@" || { cat err.txt; return 1; }
    [ "$(lines killed-$recipe)" = 1500 ] &&
        python3 same.py whole-$recipe/checkpoint/state.safetensors killed-$recipe/checkpoint/state.safetensors
}

check "a VAE" survives vae --set model.hidden=16 --set model.latent=2 --set train.ema=0.9

finish
