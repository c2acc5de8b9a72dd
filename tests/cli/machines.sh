#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# machines.sh FUMAROLE: two ranks on two machines train and draw as one process. The machines are network namespaces with
# names of their own, between which TCP is all that Open MPI has.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
model=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../data/model-sd1")
require_device
for program in mpirun ip unshare; do
    command -v $program >/dev/null || { echo "no $program"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "namespaces need root"; exit 77; }
[ -e "$(dirname "$fumarole")/fumarole-mpi.so" ] || { echo "a build without MPI"; exit 77; }

# Machines a and b, with a cable between them.
space=fum$$
trap 'ip netns del $space-a; ip netns del $space-b; rm -rf "$work"' EXIT
{ ip netns add $space-a && ip netns add $space-b &&
    ip link add va netns $space-a type veth peer name vb netns $space-b; } 2>err.txt || { cat err.txt; echo "no namespaces"; exit 77; }
for machine in a b; do
    ip -n $space-$machine link set lo up
    ip -n $space-$machine link set v$machine up
done
ip -n $space-a addr add 10.99.0.1/24 dev va
ip -n $space-b addr add 10.99.0.2/24 dev vb
# on.sh MACHINE COMMAND...: what mpirun calls in place of ssh.
cat >on.sh <<END
#!/bin/sh
machine=\$1
shift
exec ip netns exec $space-\$machine unshare --uts sh -c "hostname \$machine; \$*"
END
chmod +x on.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
both() {
    timeout -k 30 200 ./on.sh a mpirun --mca plm_rsh_agent "$work/on.sh" --mca btl tcp,self --host a:1,b:1 -n 2 "$@" \
        >out.txt 2>err.txt </dev/null
}
check "two processes" both sh -c "'uname -n; ls -1 /sys/class/net'"
check "have two names" test "$(grep -cx '[ab]' out.txt)" = 2
check "and two networks" eval 'grep -qx va out.txt && grep -qx vb out.txt'

# ---- training ----

. "$(dirname "${BASH_SOURCE[0]}")/train_data.sh"
vae=(--data digits --steps 12 --batch 4 --set model.hidden=16 --set model.latent=2 --set train.sample_every=0)
check "a training in one process" train vae -q -o one "${vae[@]}"
check "and on two machines" both "$fumarole" train vae -q -o two "${vae[@]}"
check "has the same losses" python3 alike.py 12 one two
check "again" both "$fumarole" train vae -q -o again "${vae[@]}"
check "it has the same bits" python3 same.py two/checkpoint/state.safetensors again/checkpoint/state.safetensors

# ---- pictures ----

for i in $(seq 10); do echo "{\"prompt\": \"a cat\", \"seed\": $((7 * i)), \"batch_count\": 2}"; done >lines.jsonl
batch=(batch lines.jsonl -m "$model" -W 16 -H 16 --steps 2 -q)
check "pictures in one process" "$fumarole" "${batch[@]}" -o alone >out.txt 2>err.txt
check "and on two machines" both "$fumarole" "${batch[@]}" -o machines
check "are all there" test "$(wc -l <machines/manifest.jsonl)" = 20
check "of both machines" test "$(grep -o '"rank":[01]' machines/manifest.jsonl | sort -u | wc -l)" = 2
for f in alone/*.png; do check "$f has the same bytes" cmp "$f" "machines/${f##*/}"; done
finish
