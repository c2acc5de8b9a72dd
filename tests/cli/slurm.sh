#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# slurm.sh FUMAROLE: a Slurm of two nodes, started here under names of their own, runs a batch and a training on both.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
model=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../data/model-sd1")
PATH=$PATH:/usr/sbin
for program in slurmctld slurmd srun unshare; do
    command -v $program >/dev/null || { echo "no $program"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "slurmd runs as root"; exit 77; }
require_device

# Free ports of this machine.
read -r port1 port2 port3 < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')
mkdir -p state n1/spool n2/spool
cat >slurm.conf <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port1
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/%n/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/%n/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/%n/slurmd.log
NodeName=n1 NodeAddr=127.0.0.1 Port=$port2 CPUs=$(nproc) State=UNKNOWN
NodeName=n2 NodeAddr=127.0.0.1 Port=$port3 CPUs=$(nproc) State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES State=UP
END
export SLURM_CONF=$work/slurm.conf
slurmctld -D -c >ctld.txt 2>&1 &
controller=$!
nodes=()
for name in n1 n2; do
    # Nodes of one machine must not share PMIx's folder.
    cp slurm.conf "$name"
    echo "PMIxCliTmpDirBase=$work/$name" >"$name/mpi.conf"
    SLURM_CONF=$work/$name/slurm.conf unshare --uts sh -c "hostname $name; exec slurmd -D -c -N $name" >"$name.txt" 2>&1 &
    nodes+=($!)
done
trap 'kill "${nodes[@]}" $controller 2>/dev/null; wait; rm -rf "$work"' EXIT
ready() { test "$(sinfo -h -N -o %T 2>/dev/null | grep -c idle)" = 2; }
for _ in $(seq 100); do
    ready && break
    sleep 0.2
done
ready || { cat ctld.txt n1.txt n2.txt; echo "Slurm does not start here"; exit 77; }
srun --mpi=list 2>&1 | grep -qw pmix || { echo "this Slurm has no PMIx"; exit 77; }

for i in $(seq 10); do echo "{\"prompt\": \"a cat\", \"seed\": $((7 * i)), \"batch_count\": 2}"; done >lines.jsonl
draw() { "$@" batch lines.jsonl -m "$model" -W 16 -H 16 --steps 2 -q -o "$out" >out.txt 2>err.txt </dev/null; }
out=alone
check "one process" draw "$fumarole"
out=ranks
launch=(srun --mpi=pmix -N 2 --overcommit)
"${launch[@]}" -n 2 uname -n >names.txt 2>err.txt
check "there are two nodes" test "$(sort names.txt | xargs)" = "n1 n2"
check "two ranks under srun" draw "${launch[@]}" -n 2 "$fumarole"
check "draw all pictures" test "$(wc -l <ranks/manifest.jsonl)" = 20
check "both of them" test "$(grep -o '"rank":[01]' ranks/manifest.jsonl | sort -u | wc -l)" = 2
for f in alone/*.png; do check "$f has the same bytes" cmp "$f" "ranks/${f##*/}"; done

. "$(dirname "${BASH_SOURCE[0]}")/train_data.sh"
vae=(--data digits --steps 12 --batch 4 --set model.hidden=16 --set model.latent=2 --set train.sample_every=0)
check "a training in one process" train vae -q -o one "${vae[@]}"
trained() { "${launch[@]}" -n 3 "$fumarole" train vae -q -o "$1" "${vae[@]}" >out.txt 2>err.txt </dev/null; }
check "three ranks train under srun" trained three
check "with the same losses" python3 alike.py 12 one three
check "and again" trained again
check "with the same bits" python3 same.py three/checkpoint/state.safetensors again/checkpoint/state.safetensors
finish
