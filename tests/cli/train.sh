#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# train.sh FUMAROLE: a training from the command line: its folder, its log, how it stops and goes on, and its faults.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device

. "$(dirname "${BASH_SOURCE[0]}")/train_data.sh"

small=(--set model.hidden=16 --set model.latent=2 --set train.sample_every=0 --batch 4)

# ---- a run, and a run that was stopped and goes on ----

check "a run" train vae -q -o whole --data digits --steps 12 "${small[@]}"
check "its files" test -s whole/model/model.safetensors -a -s whole/model/config.json -a -s whole/report.html
check "a line for each step" test "$(wc -l <whole/log.jsonl)" = 12
check "half of it" train vae -q -o half --data digits --steps 12 "${small[@]}" --set train.save_every=5 --set train.lr=1e-3
check "equal bits from run to run" python3 same.py whole/checkpoint/state.safetensors half/checkpoint/state.safetensors

exec 9<whole
flock 9
expect 1 'whole: another training is writing there' train vae -q --resume whole --steps 13
check "a checkpoint of such a folder goes on in another one" train vae -q --resume whole -o other --steps 13
exec 9<other
flock 9
expect 1 'other: another training is writing there' train vae -q --resume whole -o other --steps 14
exec 9<&-

# A run of many steps with small gradients has such a scale.
cp -r whole large
LC_ALL=C sed -i 's/"loss_scale":"65536"/"loss_scale":"9e+09"/' large/checkpoint/state.safetensors
check "a large scale of the loss" grep -q '"loss_scale":"9e+09"' large/checkpoint/state.safetensors
check "goes on with it" train vae -q --resume large --steps 13

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
unfinished=.fumarole-0123456789abcdef.part
touch killed/$unfinished killed/checkpoint/$unfinished killed/model/$unfinished
check "goes on" train vae -q --resume killed
check "and clears away what it had not finished" test -z "$(find killed -name '*.part')"
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

# ---- faults: one line each, and what was saved stays ----

expect 2 'no data set: name one by --data' train vae -q -o x
expect 1 'nowhere' train vae -q -o x --data nowhere
expect 1 'empty' train vae -q -o x --data empty
expect 2 'unknown recipe "vea"' train vea -q -o x --data digits
expect 2 'train.setps.*train.steps' train vae -q -o x --data digits --set train.setps=3
expect 1 'my.ini' train vae -q -o x --data digits --config my.ini
expect 2 'model.hidden is "5,"' train vae -q -o x --data digits --set model.hidden=5,
printf '[train]\nsteps 3\n' >my.ini
expect 1 'my.ini, line 2' train vae -q -o x --data digits --config my.ini
printf '[train]\nstep = 3\n' >my.ini
expect 2 'my.ini: unknown setting train.step.*train.steps' train vae -q -o x --data digits --config my.ini
expect 2 'label 77.*10 classes' train cvae -q -o x --data bad "${small[@]}" --steps 60
unet=(--steps 1 --batch 1 --set model.block_out_channels=8 --set model.norm_num_groups=2 --set data.width=4 --set data.height=4)
expect 2 'no classes, which ddpm needs' train ddpm -q -o x --data mixed "${unet[@]}" --set model.classes=3
expect 2 'no classes, which cvae needs' train cvae -q -o x --data mixed --set data.width=4 --set data.height=4
check "a process of few steps" train ddpm -q -o few --data digits "${unet[@]}" --set scheduler.num_train_timesteps=4
check "and its samples" test -s few/samples/0000001.png
expect 2 'checkpoint of recipe vae, not cvae' train cvae -q --resume whole
expect 1 'nothing-here' train vae -q --resume nothing-here
expect 1 'the loss or its gradient is no number, first in .*(goes on from step|no step was saved)' train vae -q -o nan --data digits --steps 40 "${small[@]}" \
    --set train.lr=1e6 --set train.save_every=1
check "its report ends with the reason" eval '! grep -q http-equiv nan/report.html && grep -q "the loss or its gradient is no number" nan/report.html'
check "and has no point that is no number" eval '! grep -qE "<polyline[^>]*(nan|inf|922337)" nan/report.html'
check "the last good checkpoint stays" train vae -q -o after --resume nan --set train.steps=1

# ---- runs that go on with other settings ----

rm -r killed/model
check "a run that is done" train vae -q --resume killed
check "gets its model" test -s killed/model/model.safetensors
check "with the reason that nothing is trained" grep -q 'killed is at step 12 of 12: no step is left' err.txt
expect 2 'give.* the weights of step 0, and --resume' train vae -q --resume killed --init whole/model/model.safetensors
expect 1 'killed/checkpoint/state.safetensors: parameter encoder.0.weight: .*\[16, 64\].*\[9, 64\]' train vae -q --resume killed --set model.hidden=9
check "averages that begin later" train vae -q --resume killed --steps 14 --set train.ema=0.5
cat >averaged.py <<'E2'
# averaged.py: two updates after they began, averages lie between the weights, and differ from them.
import struct, json, array
data = open("killed/checkpoint/state.safetensors", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
read = lambda name: array.array("f", data[8 + size + header[name]["data_offsets"][0]:8 + size + header[name]["data_offsets"][1]])
pairs = list(zip(read("model.mean.weight"), read("ema.mean.weight")))
assert 0 < max(abs(a - b) for a, b in pairs) < 0.01, pairs[:5]
E2
check "stay near the weights" python3 averaged.py
if [ "$(id -u)" != 0 ]; then
    mkdir locked
    chmod 500 locked
    expect 1 'locked' train vae -q -o locked/x --data digits "${small[@]}" --steps 2
fi

# ---- a model's own channels, and captions ----

captionless='picture has no caption; .* \(data.caption\)'
check "grey pictures for a model of colours" train lora -q -o lora -m "$FUM_TEST_DATA/model-train" --data digits --steps 1 \
    --batch 1 --set train.sample_every=0
check "pictures without captions are reported, once" test "$(grep -cE "$captionless" err.txt)" = 1

# ---- folders of trainings that draw no pictures ----

touch lora/model/.fumarole-0123456789abcdef.part
expect 1 'lora/model/lora.safetensors: this is a LoRA, give it to --lora' generate -q -m lora -p x
expect 0 '^lora.safetensors: LoRA$' info lora
check "a classifier" train classifier -q -o eye --data digits "${unet[@]}" --set train.sample_every=1
check "draws nothing, without a word" test ! -s err.txt
expect 1 'eye/model: this is a classifier, give it to --classifier' generate -q -m eye -p x
mkdir begun
touch begun/log.jsonl
expect 1 'begun: this training has saved no model yet' generate -q -m begun -p x
check "a model of classes" train ddpm -q -o drawer --data digits "${unet[@]}" --set model.classes=10 --set train.sample_every=0
expect 2 'class 12 is not one.* 0 to 10 \(10 is the empty class' generate -q -m drawer --class 12

# ---- help ----

expect 0 'vae +variational' train --help
expect 0 'train.steps = 2000 +updates' train vae --help
expect 2 'needs a recipe' train -q
finish
