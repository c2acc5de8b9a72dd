#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# allocations.sh FUMAROLE REFUSE [STEP]: commands in which one allocation is refused, of the program's own or
# of the libraries that it calls. Each ends with one line about memory and status 1, or does all of its work.
. "$(dirname "${BASH_SOURCE[0]}")/sweep.sh"

refuse=$2
every=${3:-}
memory='fumarole: .*(out of memory|no memory|no host memory|memory ran out|memory is out)'

# sweep STEP [LAST [END]]: the command in `run` with every STEP-th allocation refused (only of the last LAST, or
# up to the one of that number), and in every other round all later ones too.
sweep() {
    local step=$1 last=${2:-} end=${3:-} count at round=0
    preload=$refuse
    FUM_REFUSE_COUNT=$work/count make_right || return
    count=$(cat "$work/count")
    [ "$count" -gt 4 ] || { complain "only $count allocations of ${run[0]} were counted"; return; }
    [ "$every" ] && step=$every
    for ((at = last ? count - last : 1; at <= ${end:-$count}; at += step)); do
        FUM_REFUSE_AT=$at FUM_REFUSE_ON=$((round % 2)) \
            check_run "allocation $at of ${run[0]}, on $((round % 2))" "$memory"
        round=$((round + 1))
    done
    echo "${run[*]:0:2}: $count allocations, every ${step}th refused"
}

pictures
sweep 997
[ "$every" ] || sweep 61 1500 # what comes after the model's files, which are most of all

names=()
same_output=1
run=(info "$FUM_TEST_DATA/model-sd1")
sweep 997
[ "$every" ] || sweep 5 "" 60 # what tells a model from other folders
run=(info --json "$FUM_TEST_DATA/adapters/lora.safetensors")
sweep 397
run=(metadata --json "$FUM_SOURCE_ROOT/docs/images/cat.png")
sweep 3
run=(tokenize -m "$FUM_TEST_DATA/model-sd1" --steps 10 --prompt 'a (red:1.3) [ship:boat:4] AND cat BREAK dog')
sweep 997
printf '{"text": "a red ship"}\n{"text": "naïve"}\n' >lines.jsonl
run=(tokenize -m "$FUM_TEST_DATA/model-sd1" --jsonl)
input=lines.jsonl
sweep 997
input=/dev/null
"$fumarole" bench -q --limits --repeats 2 --json limits.json >out.txt 2>err.txt ||
    complain 'a report to compare'
same_output=
run=(convert "$FUM_TEST_DATA/gguf/types.gguf" -o types.safetensors --type f32)
names=(types.safetensors)
sweep 29
# Only the program's own allocations and cJSON's, whose allocator the program sets: a training writes its model's
# configuration with them. A member that is left out would be another model.
python3 - <<'END'
import os, struct
os.mkdir("digits")
open("digits/train-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, 4, 8, 8) + bytes(range(256)))
END
export FUM_REFUSE_IN=none
folder=trained
names=(trained/model/config.json)
run=(train vae -q -o trained --data digits --steps 1 --batch 1 --set train.sample_every=0 --set model.hidden=4
    --set model.latent=2)
sweep 17
unset FUM_REFUSE_IN
folder=
same_output=1
run=(bench --compare limits.json limits.json --html page.html)
names=(page.html)
sweep 37
finish
