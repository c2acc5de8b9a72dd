#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# slurm.sh FUMAROLE: a Slurm of one node, started here, runs a batch on two ranks.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
model=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../data/model-sd1")
PATH=$PATH:/usr/sbin
for program in slurmctld slurmd srun; do
    command -v $program >/dev/null || { echo "no $program"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "slurmd runs as root"; exit 77; }
require_device

# Free ports of this machine.
read -r port1 port2 < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')
mkdir state spool
cat >slurm.conf <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port1
SlurmdPort=$port2
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES State=UP
END
export SLURM_CONF=$work/slurm.conf
slurmctld -D -c >ctld.txt 2>&1 &
controller=$!
slurmd -D -c >slurmd.txt 2>&1 &
node=$!
trap 'kill $node $controller 2>/dev/null; wait; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    sinfo -h -o %T 2>/dev/null | grep -q idle && break
    sleep 0.2
done
sinfo -h -o %T | grep -q idle || { cat ctld.txt slurmd.txt; echo "Slurm does not start here"; exit 77; }
srun --mpi=list 2>&1 | grep -qw pmix || { echo "this Slurm has no PMIx"; exit 77; }

for i in $(seq 10); do echo "{\"prompt\": \"a cat\", \"seed\": $((7 * i)), \"batch_count\": 2}"; done >lines.jsonl
draw() { "$@" batch lines.jsonl -m "$model" -W 16 -H 16 --steps 2 -q -o "$out" >out.txt 2>err.txt </dev/null; }
out=alone
check "one process" draw "$fumarole"
out=ranks
check "two ranks under srun" draw srun --mpi=pmix -n 2 --overcommit "$fumarole"
check "draw all pictures" test "$(wc -l <ranks/manifest.jsonl)" = 20
check "both of them" test "$(grep -o '"rank":[01]' ranks/manifest.jsonl | sort -u | wc -l)" = 2
for f in alone/*.png; do check "$f has the same bytes" cmp "$f" "ranks/${f##*/}"; done
finish
