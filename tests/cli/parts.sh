#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# parts.sh FUMAROLE: components that are given apart from the model, pickles among them, variants of weight files, and
# models in the Hugging Face cache. Hostile pickles are refused by name wherever they are given.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

model=$FUM_TEST_DATA/model-sd1
evil=$FUM_TEST_DATA/torch/evil-zip.pth

# A model of the cache: links into blobs, and a name of the revision.
cache=models--someone--small
mkdir -p "$cache/refs" "$cache/blobs"
printf 0123abcd >"$cache/refs/main"
(cd "$model" && find . -type f ! -name golden.safetensors) | while read -r file; do
    blob=$(printf %s "$file" | cksum | cut -d' ' -f1)
    cp "$model/$file" "$cache/blobs/$blob"
    mkdir -p "$cache/snapshots/0123abcd/$(dirname "$file")"
    ln -s "$work/$cache/blobs/$blob" "$cache/snapshots/0123abcd/$file"
done
expect 0 '^small: Stable Diffusion' info "$cache"
expect 0 '^small: Stable Diffusion' info "$cache/snapshots/0123abcd"
expect 0 '^small: Stable Diffusion' info "$cache/snapshots/0123abcd/unet"
printf ../../x >"$cache/refs/main"
expect 1 'model_index.json' info "$cache"

# Shards lie beside their index.
mkdir away
cp "$model/vae/diffusion_pytorch_model.safetensors" away/part.safetensors
echo '{"weight_map": {"decoder.conv_in.bias": "../part.safetensors"}}' >away/i.safetensors.index.json
expect 1 '"../part.safetensors", which is not a plain file name' info away/i.safetensors.index.json

# Nothing in a pickle is run, wherever it is given.
for ending in ckpt pt pth bin; do
    cp "$evil" "evil.$ending"
    expect 1 'holds a posix.system' info "evil.$ending"
done
mkdir embeddings loras
cp "$evil" embeddings/word.pt
cp "$evil" loras/l.pt
expect 1 'holds a posix.system' generate -m evil.ckpt heart
expect 1 'holds a posix.system' generate -m "$model" --vae evil.pt heart
expect 1 'holds a posix.system' generate -m "$model" --taesd evil.pt heart
expect 1 'holds a posix.system' generate -m "$model" --clip_l evil.bin heart
expect 1 'holds a posix.system' generate --diffusion-model evil.pth --clip_l evil.pth --vae evil.pth heart
expect 1 'holds a posix.system' generate -m "$model" --embd-dir embeddings heart
check 'nothing was run' test ! -e evil-was-run

# A part needs the others.
expect 2 'a UNet alone; it needs a VAE' generate --diffusion-model "$model/unet" heart
expect 1 'holds no vae under names' generate -m "$model" --vae "$model/unet/diffusion_pytorch_model.safetensors" heart

mkdir drawn
if "$fumarole" devices >/dev/null 2>&1; then
    expect 1 'holds a posix.system' generate -m "$model" --lora loras/l.pt heart
    expect 1 'holds a posix.system' upscale -m evil.pth -o up.png "$FUM_SOURCE_ROOT/docs/images/cat.png"
    # An embedding that cannot be read costs only the prompts with that word. Another file may have the word.
    mkdir words words/below
    head -c 100 "$FUM_TEST_DATA/adapters/words/ember.safetensors" >words/ember.safetensors
    echo text >words/below/fox.pt
    cp "$FUM_TEST_DATA/adapters/words/ember.safetensors" words/below/ember.safetensors
    word() {
        "$fumarole" generate -q -W 16 -H 16 --steps 1 --embd-dir words -m "$FUM_TEST_DATA/model-train" \
            -o drawn/word.png "$1" >/dev/null 2>err.txt
    }
    check 'a broken embedding costs no other prompt' word 'a foxy ship of ember'
    check 'it is reported' grep -q 'words/below/fox.pt: .*; prompts cannot have that word' err.txt
    check 'a prompt with the word fails' test ! "$(word 'an old Fox' && echo drawn)"
    check 'for the reason' grep -q '^fumarole: words/below/fox.pt: [^;]*$' err.txt
    # draw NAME ARGUMENT...: a small picture and its latents.
    draw() {
        local name=$1
        shift
        check "drawing $name" "$fumarole" generate -q -W 16 -H 16 --steps 1 --sampling-method euler \
            -o "drawn/$name.png" --save-latents "$name.l" "$@" heart >out.txt 2>err.txt
    }
    draw whole -m "$model"
    draw parts --diffusion-model "$model/unet" --clip_l "$model/text_encoder" --vae "$model"
    printf 0123abcd >"$cache/refs/main"
    draw cached -m "$model" --diffusion-model "$cache" --vae "$cache/snapshots/0123abcd"
    check 'parts in the cache draw it' cmp whole.l cached.l
    # One file that was a folder carries configurations and the tokenizer, for its parts, too.
    check 'a single file is written' "$fumarole" convert -q "$model" -o single.safetensors
    draw single_vae -m "$model" --vae single.safetensors
    draw single_parts --diffusion-model single.safetensors --clip_l single.safetensors --vae single.safetensors \
        --sampling-method euler
    check 'parts of one file draw it' cmp whole.l single_parts.l
    draw replaced -m "$model" --vae "$model/vae/diffusion_pytorch_model.safetensors" --clip-l "$model"
    # The same model in pickles: both forms, and shards of them.
    pickles=$FUM_SOURCE_ROOT/tests/cli/pickles.py
    cp -r "$model" pickled
    chmod -R u+w pickled
    for part in unet vae text_encoder; do rm pickled/$part/*.safetensors; done
    check 'the zip form is written' python3 "$pickles" zip \
        "$model/unet/diffusion_pytorch_model.safetensors" pickled/unet/diffusion_pytorch_model.fp16.bin
    check 'the old form is written' python3 "$pickles" old \
        "$model/vae/diffusion_pytorch_model.safetensors" pickled/vae/diffusion_pytorch_model.bin
    text=$model/text_encoder/model.safetensors
    check 'a shard is written' python3 "$pickles" zip "$text" pickled/text_encoder/pytorch_model-1.bin 0 9
    check 'another shard is written' python3 "$pickles" old "$text" pickled/text_encoder/pytorch_model-2.bin 9 999
    names=$(python3 -c 'import json, struct, sys
f = open(sys.argv[1], "rb")
names = sorted(set(json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))) - {"__metadata__"})
print(json.dumps({"weight_map": {n: f"pytorch_model-{1 + (i > 8)}.bin" for i, n in enumerate(names)}}))' "$text")
    printf %s "$names" >pickled/text_encoder/pytorch_model.bin.index.json
    draw pickled -m pickled
    check 'a model in pickles draws the same' cmp whole.l pickled.l
    tiny=$FUM_TEST_DATA/model-tiny
    draw tiny -m "$model" --taesd "$tiny-diffusers" -W 64 -H 64
    cp "$tiny-original/decoder.safetensors" taesd_decoder.safetensors
    draw alone -m "$model" --vae taesd_decoder.safetensors -W 64 -H 64
    same_pixels() { # their texts name the models
        cmp <(tail -c 2000 "$1") <(tail -c 2000 "$2")
    }
    check 'both names of a small autoencoder are read' same_pixels drawn/tiny.png drawn/alone.png
    expect 1 'vae_encoder: tensor encoder.layers.0.weight is missing' generate -m "$model" \
        --taesd taesd_decoder.safetensors -i drawn/tiny.png -W 64 -H 64 --steps 2 heart
    check 'the encoder is written' python3 -c 'import json, struct, sys
f = open(sys.argv[1], "rb")
head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
data, out, half = f.read(), b"", {}
for name, t in head.items():
    if name.startswith("taesd_encoder."):
        a, b = t["data_offsets"]
        half[name[len("taesd_encoder."):]] = dict(t, data_offsets=[len(out), len(out) + b - a])
        out += data[a:b]
text = json.dumps(half).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + out)' \
        "$tiny-original/vae/diffusion_pytorch_model.safetensors" taesd_encoder.safetensors
    from=(-i drawn/tiny.png -W 64 -H 64 --steps 2)
    draw joined -m "$model" --taesd taesd_decoder.safetensors "${from[@]}"
    draw joined_too -m "$model" --vae taesd_encoder.safetensors "${from[@]}"
    draw from_whole -m "$model" --taesd "$tiny-diffusers" "${from[@]}"
    check 'a file of the encoder belongs to that of the decoder' same_pixels drawn/joined.png drawn/from_whole.png
    check 'and that one to it' same_pixels drawn/joined_too.png drawn/from_whole.png
    mkdir halves
    cp taesd_decoder.safetensors taesd_encoder.safetensors halves
    draw of_folder -m "$model" --taesd halves "${from[@]}"
    check 'so do both in a folder' same_pixels drawn/of_folder.png drawn/from_whole.png
    expect 0 'small autoencoder' info halves
    cp halves/taesd_decoder.safetensors halves/taesdxl_decoder.safetensors
    expect 1 'holds the decoders taesd_decoder.safetensors and taesdxl_decoder.safetensors' generate -m "$model" \
        --taesd halves heart
    expect 1 'has no weights' generate -m "$model" --taesd embeddings heart
    expect 1 'must be 6, the VAE' generate -m "$model" --vae "$tiny-pooled/vae" heart
    check 'the parts draw what the whole does' cmp whole.l parts.l
    check 'replaced parts draw it, too' cmp whole.l replaced.l
fi
finish
