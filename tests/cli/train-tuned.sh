#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# train-tuned.sh FUMAROLE: what fine-tuning draws on the way, adapters of SDXL, and pictures of several shapes.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device

. "$(dirname "${BASH_SOURCE[0]}")/train_data.sh"

# ---- grids of samples ----

tuned=(-m "$FUM_TEST_DATA/model-sd1" --data digits --batch 1 --set data.width=32 --set data.height=32)
check "a LoRA with samples" train lora -q -o tuned --steps 1 "${tuned[@]}" --set train.sample_every=1 \
    --set "samples.prompt=a red heart"
check "draws its prompt" test -s tuned/samples/0000001.png
check "the report has the noise schedule, too" test "$(grep -c '<h2>' tuned/report.html)" = 2
check "a new word with samples" train textual-inversion -q -o word --steps 2 "${tuned[@]}" --set train.sample_every=2
check "draws its caption" test -s word/samples/0000002.png
check "and another by the same word" train textual-inversion -q -o word-2 --steps 2 "${tuned[@]}" --set train.sample_every=2 --lr 1
check "which its vectors change" bash -c '! cmp -s word/samples/0000002.png word-2/samples/0000002.png'
learns() { ! grep -q '"grad_norm":0,' "$1/log.jsonl"; }
check "pictures without captions" train textual-inversion -q -o zorp --steps 1 "${tuned[@]}" --set inversion.token=zorp
check "show the word" learns zorp
expect 2 'data.caption lacks the trigger word zorp' train textual-inversion -q -o x --steps 1 "${tuned[@]}" --set inversion.token=zorp \
    --set data.caption=dog
mkdir named
cp mixed/0.png named/0.png
echo 'a thing' >named/0.txt
tuned[3]=named
check "captions without the word" train textual-inversion -q -o named-zorp --steps 1 "${tuned[@]}" --set inversion.token=zorp
check "are named" grep -q 'caption "a thing" lacks the trigger word zorp' err.txt
check "and replaced" learns named-zorp
tuned[3]=digits

# A new word begins as the row of its start word, here in a table of fp8 with a factor: 2 x 0.25.
cp -r "$FUM_TEST_DATA/model-sd1" scaled
chmod -R u+w scaled
cat >scaled.py <<'E2'
import json, struct
def read(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    return {k: (v, data[8 + size:][slice(*v["data_offsets"])]) for k, v in json.loads(data[8:8 + size]).items() if k != "__metadata__"}
def write(path, tensors):
    header, body = {}, b""
    for name, (info, raw) in tensors.items():
        header[name] = dict(info, data_offsets=[len(body), len(body) + len(raw)])
        body += raw
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + body)
E2
cat >scale.py <<'E2'
from scaled import *
path = "scaled/text_encoder/model.safetensors"
tensors, words = read(path), json.load(open("scaled/tokenizer/vocab.json"))
name = next(k for k in tensors if "token_embedding" in k)
rows, width = tensors[name][0]["shape"]
tensors[name] = dict(dtype="F8_E4M3", shape=[rows, width]), b"".join((b"@" if i == words["cat</w>"] else b"8") * width for i in range(rows))
tensors[name.replace(".weight", ".scale_weight")] = dict(dtype="F32", shape=[]), struct.pack("<f", 0.25)
write(path, tensors)
E2
cat >rows.py <<'E2'
from scaled import *
(info, raw), = read("start/model/embedding.safetensors").values()
assert info["dtype"] == "F32" and set(struct.unpack(f"<{len(raw) // 4}f", raw)) == {0.5}
E2
python3 scale.py
check "a new word from another one" train textual-inversion -q -o start --steps 1 -m scaled "${tuned[@]:2}" --lr 0 \
    --set inversion.start=cat --set inversion.vectors=2
check "begins with its row" python3 rows.py
expect 2 'setting inversion.start is "cat dog", which is 2 tokens' train textual-inversion -q -o two --steps 1 -m scaled \
    "${tuned[@]:2}" --set 'inversion.start=cat dog'

tuned[1]=$FUM_TEST_DATA/model-train-xl
check "a LoRA of all layers of SDXL" train lora -q -o all --steps 1 "${tuned[@]}" --set lora.targets=all-linear
check "names them as kohya's scripts do" grep -aq lora_unet_label_emb_0_2.lora_up.weight all/model/lora.safetensors
check "and begins with them" train lora -q -o again --steps 1 "${tuned[@]}" --set lora.targets=all-linear --init all/model/lora.safetensors

# ---- pictures of several shapes ----

shapes=(-m "$FUM_TEST_DATA/model-sd1" --data mixed --batch 2 --set data.width=48 --set data.height=48 --set lora.rank=2
    --set data.buckets=true --set data.bucket_step=16)
check "buckets" train lora -q -o shapes --steps 7 "${shapes[@]}"
check "a part of it" train lora -q -o part --steps 3 "${shapes[@]}"
check "goes on" train lora -q --resume part --steps 7
check "with the bits of an unbroken run" python3 same.py shapes/checkpoint/state.safetensors part/checkpoint/state.safetensors
expect 2 'multiples of 2.*bucket_step' train lora -q -o x "${shapes[@]}" --set data.bucket_step=9
expect 2 'buckets need data.width' train lora -q -o x "${shapes[@]}" --set data.width=0 --set data.height=0
planned() { "$fumarole" train lora --plan --device amd-rdna2 -m "$FUM_TEST_DATA/model-sd1" --data tall --set data.width="$1" --set data.height="$2" \
    "${@:3}" 2>err.txt | grep activations; }
same_plan() { [ -n "$(planned 32 64)" ] && [ "$(planned 32 64)" = "$(planned 48 48 --set data.buckets=true --set data.bucket_step=16)" ]; }
check "the plan is that of the largest" same_plan

shapes+=(--set prior.count=2 --set train.sample_every=0)
check "a prior for them" train dreambooth -q -o dream --steps 7 "${shapes[@]}"
mkdir -p dream-part/prior
touch dream-part/prior/.fumarole-0123456789abcdef.part # of a picture that a run was killed on
check "a part of it" train dreambooth -q -o dream-part --steps 3 "${shapes[@]}"
check "goes on" train dreambooth -q --resume dream-part --steps 7
check "with the bits of an unbroken run" python3 same.py dream/checkpoint/state.safetensors dream-part/checkpoint/state.safetensors
finish
