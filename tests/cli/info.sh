#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# info.sh FUMAROLE: what info says about files that hold no whole model, and its JSON.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

data=$FUM_TEST_DATA

# kind KIND TITLE FACT FILE: the text names the title and has a line of the fact; the JSON has the kind.
kind() {
    expect 0 ": $2\$" info "$4"
    expect 0 "^  $3" info "$4"
    expect 0 "\"kind\":	*\"$1\"" info --json "$4"
    check "the JSON of $4 can be read" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' out.txt
}
kind adapter LoRA 'rank  *3$' "$data/adapters/lora.safetensors"
kind adapter LoRA 'kinds  *LoRA 62$' "$data/adapters/lora_all.safetensors"
kind adapter DoRA 'dora modules  *9$' "$data/adapters/kinds/dora.safetensors"
kind adapter LoHa 'alpha  *4$' "$data/adapters/kinds/loha.safetensors"
kind adapter LoKr 'unet modules  *7$' "$data/adapters/kinds/lokr.safetensors"
kind adapter IA3 'text modules  *2$' "$data/adapters/kinds/ia3.safetensors"
kind embedding 'textual inversion' 'vectors  *6$' "$data/torch/inversion.pt"
kind embedding 'textual inversion' 'clip_g  *[0-9]' "$data/adapters/words/pale fox.safetensors"
kind controlnet ControlNet 'picture channels  *3$' "$data/controls/net-a"
for adapter in full light xl; do
    kind t2i_adapter T2I-adapter 'path  ' "$data/t2i/$adapter"
done
kind upscaler ESRGAN 'scale  *4$' "$data/upscalers/rrdb_x4.pth"
kind upscaler 'SRVGG compact' 'scale  *2$' "$data/upscalers/srvgg_x2.safetensors"
kind vae 'small autoencoder' 'encoder  *none$' "$data/model-tiny-original/decoder.safetensors"
cp "$data/model-sd1/vae/diffusion_pytorch_model.safetensors" vae.safetensors
cp "$data/model-sd1/unet/diffusion_pytorch_model.safetensors" unet.safetensors
cp "$data/model-sd1/text_encoder/model.safetensors" text.safetensors
kind vae VAE 'class  *AutoencoderKL$' vae.safetensors
kind unet UNet 'input channels  *4$' unet.safetensors
kind text_encoder 'text encoder' 'names  *transformers$' text.safetensors

# model PATH WHAT OPTION: generate says what it was given in place of a model, and which option takes it.
model() {
    expect 1 "this is $2, give it.* to .*$3" generate -m "$1" x
}
mkdir -p trained/model
cp "$data/adapters/lora.safetensors" trained/model
model trained 'a LoRA' --lora
model "$data/adapters/peft/loha" 'an adapter of PEFT' --lora
model "$data/adapters/styles/peft.safetensors" 'a LoRA' --lora
model "$data/controls/net-a" 'a ControlNet' --control-net
model "$data/controls/net-b.safetensors" 'a ControlNet' --control-net
model "$data/t2i/light" 'a T2I-adapter' --control-net
model "$data/t2i/xl" 'a T2I-adapter' --control-net
model "$data/upscalers/srvgg_x4.pth" 'an upscaler' --upscale-model
model "$data/model-tiny-original/decoder.safetensors" 'a small autoencoder' --taesd
model "$data/classifier" 'a classifier' --classifier
expect 1 'this is a textual inversion, give its folder to --embd-dir' generate -m "$data/adapters/words/ember.safetensors" x
expect 1 'this is one component of a diffusers folder' generate -m "$data/controls/unet-sd" x

# A component's folder stands for the whole model, which has JSON, too.
expect 0 'model-sd1: Stable Diffusion' info "$data/model-sd1/unet"
expect 0 '"complete":	*true' info --json "$data/model-sd1"
expect 0 '"sampler":	*"pndm"' info --json "$data/model-sd1"
cp -r "$data/model-sd1" m
chmod -R u+w m
LC_ALL=C sed -i '1s/"dtype":"F16"/"dtype":"U16"/' m/vae/diffusion_pytorch_model.safetensors
expect 1 '1 tensor is missing or of another shape' info --json m
check 'the problem is in the JSON' grep -q '"problem":	*"misshapen"' out.txt
finish
