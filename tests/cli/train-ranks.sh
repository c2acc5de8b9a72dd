#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# train-ranks.sh FUMAROLE: 1, 2 and 3 processes of mpirun train alike, and stop without damage when told or when one dies.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device
command -v mpirun >/dev/null || { echo "no mpirun"; exit 77; }
[ -e "$(dirname "$fumarole")/fumarole-mpi.so" ] || { echo "a build without MPI"; exit 77; }

. "$(dirname "${BASH_SOURCE[0]}")/train_data.sh"

launch=(timeout -k 30 120 mpirun --oversubscribe --allow-run-as-root)
# ranks N ARGUMENT...: fumarole train in N processes.
ranks() {
    local count=$1
    shift
    "${launch[@]}" -n "$count" "$fumarole" train "$@" >out.txt 2>err.txt </dev/null
}

# ---- one, two and three ranks, with unequal parts of the batch ----

vae=(--data digits --steps 12 --batch 4 --set model.hidden=16 --set model.latent=2 --set train.sample_every=0)
check "one rank" train vae -q -o one "${vae[@]}"
for count in 2 3; do
    check "$count ranks" ranks "$count" vae -q -o "vae$count" "${vae[@]}"
done
check "have the same losses" python3 alike.py 12 one vae2 vae3
net=(--data digits --steps 6 --batch 4 --set model.block_out_channels=8,16 --set model.norm_num_groups=8 --set train.sample_every=0)
ddpm=("${net[@]}" --set model.classes=10 --set train.accumulate=2 --set train.clip=0.5 --set train.ema=0.9)
check "diffusion in one rank" train ddpm -q -o ddpm1 "${ddpm[@]}"
check "and in three" ranks 3 ddpm -v -o ddpm3 "${ddpm[@]}"
check "exchanges gradients in groups" test "$(grep -Ec 'rank [012]: ([5-9]|1[0-9]) exchanges in each step' err.txt)" = 3
check "has the same losses" python3 alike.py 6 ddpm1 ddpm3
check "an autoencoder in one rank" train ldm -q -o kl1 "${net[@]}"
check "and in two" ranks 2 ldm -q -o kl2 "${net[@]}"
check "has the same losses" python3 alike.py 6 kl1 kl2
vq=("${net[@]}" --set model.num_vq_embeddings=24 --set loss.codebook=ema --set loss.decay=0.5 --set loss.restart=2 --set train.accumulate=2)
check "a codebook in one rank" train vqvae -q -o vq1 "${vq[@]}"
check "and in three" ranks 3 vqvae -q -o vq3 "${vq[@]}"
check "has the same use and new codes" python3 alike.py 6 vq1 vq3

# ---- stopping and going on ----

check "half of a run" ranks 2 vae -q -o half "${vae[@]}" --set train.save_every=6
check "again has the same bits" python3 same.py vae2/checkpoint/state.safetensors half/checkpoint/state.safetensors

# stopped HOW: a long run of two ranks that ends early, and leaves a checkpoint to go on from.
stopped() {
    rm -rf long
    "${launch[@]}" --mca odls_base_sigkill_timeout 3 -n 2 "$fumarole" train vae -q -o long "${vae[@]}" --steps 1000000 \
        --set train.save_every=5 >out.txt 2>err.txt </dev/null &
    local launcher=$!
    for _ in $(seq 2000); do [ "$(cat long/log.jsonl 2>/dev/null | wc -l)" -ge 7 ] && break; sleep 0.02; done
    "$1" "$launcher"
    wait "$launcher"
    local status=$?
    [ "$status" != 0 ] && [ "$status" != 124 ] && [ -s long/checkpoint/state.safetensors ]
}
# The child of `timeout` is mpirun, whose children are the ranks, rank 0 first.
children() { cat "/proc/$1"/task/*/children; }
# mpirun sends SIGTERM to the ranks after the timeout above, and SIGKILL later. `timeout` would pass a signal on twice, to
# mpirun and to its group, and after a second one mpirun ends without waiting for the ranks.
interrupt() { kill -INT "$(children "$1")"; }
kill_rank() { kill -9 "$(children "$(children "$1" | xargs)" | xargs -n 1 | tail -1)"; }
goes_on() {
    local steps
    steps=$(wc -l <long/log.jsonl)
    train vae -q --resume long --steps $((steps + 3)) && python3 alike.py $((steps + 3)) long
}
check "Ctrl-C" stopped interrupt
check "leaves a run that goes on" goes_on
check "a rank that is killed" stopped kill_rank
check "leaves a run that goes on" goes_on

# ---- faults ----

check "a batch that is too small" eval '! ranks 3 vae -q -o x "${vae[@]}" --batch 2'
check "is an error that says so" grep -q 'train.batch is 2, but each of 3 ranks needs a sample' err.txt
check "and leaves no folder" test ! -e x
check "files that are missing" eval '! ranks 2 vae -q -o x "${vae[@]}" --data nowhere'
check "are an error" grep -q 'rank [01].*nowhere' err.txt
# Slurm's variables without its MPI: the program must not train twice.
check "a launcher that MPI does not see" eval '! SLURM_STEP_NUM_TASKS=2 "$fumarole" train vae -q -o x "${vae[@]}" >out.txt 2>err.txt'
check "is an error" grep -q 'started 2 processes, but MPI sees 1' err.txt
finish
