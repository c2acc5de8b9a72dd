#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# models.sh FUMAROLE: models whose configurations do not fit, and how models are found and described, without a GPU.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

# model NAME: a copy of tests/data/model-NAME as the folder m.
model() {
    rm -rf m
    cp -r "$FUM_TEST_DATA/model-$1" m
    chmod -R u+w m
}

# put FILE KEY VALUE: sets a number, text or null of a configuration in m; a key that it lacks is added.
put() {
    if grep -q "\"$2\":" "m/$1"; then
        sed -i "s|\"$2\": *[^,[{}]*\(,\?\)$|\"$2\": $3\1|" "m/$1"
    else
        sed -i "1s|{|{\"$2\": $3,|" "m/$1"
    fi
}

# refused KIND FILE KEY VALUE PATTERN...: with that value both info and generate fail in one line that names file and key.
refused() {
    local kind=$1 file=$2 key=$3 value=$4 pattern=$5
    model "$kind"
    put "$file" "$key" "$value"
    expect 1 "m/$file: \"$key\" $pattern" info m
    expect 1 "m/$file: \"$key\" $pattern" generate -m m -W 16 -H 16 --steps 1 heart
}

refused sd1 vae/config.json out_channels 64 'is 64, but must be 3'
refused sd1 vae/config.json out_channels 1 'is 1, but must be 3'
refused sd1 unet/config.json out_channels 8 "is 8, but must be 4, the VAE's latent_channels"
refused sd1 unet/config.json cross_attention_dim 24 'is 24, but must be 32, the hidden_size'
refused sd1 unet/config.json conv_in_kernel 2 'is 2, but must be odd'
refused sd1 unet/config.json conv_out_kernel 4 'is 4, but must be odd'
refused sd1 unet/config.json sample_size 16384 'is 16384, which is a picture of more than 16384 pixels'
refused sd1 unet/config.json time_cond_proj_dim 3 'is 3, which is too few'
refused sd1 unet/config.json freq_shift 1000 'is 1000, not a number'
refused sd1 unet/config.json norm_num_groups 7 'is 7, which does not divide'
refused sd1 unet/config.json only_cross_attention 1 'must be true or false'
refused sd1 unet/config.json transformer_layers_per_block 1.5 'must hold whole numbers from 0 to 64'
refused sd1 text_encoder/config.json vocab_size 100 "is 100, but the tokenizer's start token has the id"
refused sd1 text_encoder/config.json max_position_embeddings 1 'is 1, not a whole number from 2'
model sd1
put text_encoder/config.json max_position_embeddings 2
expect 1 'm/text_encoder/config.json: a prompt has 2 tokens, by "max_position_embeddings".*; it needs 3 or more' info m
for dim in 2 4 16 24 48; do
    model sdxl
    put unet/config.json addition_time_embed_dim $dim
    pattern="m/unet/config.json: \"projection_class_embeddings_input_dim\" is 68, but must be the pooled text's 20"
    expect 1 "$pattern" info m
    expect 1 "$pattern" generate -m m heart
done
model sdxl
put text_encoder_2/config.json max_position_embeddings 60
expect 1 'm/text_encoder_2/config.json: reads 60 tokens, but the first text encoder reads 77' info m
model sd1
put unet/config.json encoder_hid_dim_type '"text_proj"'
expect 1 'm/unet/config.json: "encoder_hid_dim" is missing; encoder_hid_dim_type needs it' info m
model sd1
sed -i '1s/{/{"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 68,/' m/unet/config.json
put unet/config.json addition_embed_type '"text_time"'
expect 1 'm/unet/config.json: "addition_embed_type" is "text_time", but no text encoder has a text_projection' info m
model refiner
sed -i 's/CLIPTextModelWithProjection/CLIPTextModel/' m/model_index.json
expect 0 'Stable Diffusion XL refiner' info m # its weights hold a projection

# A scheduler that is not known, or that cannot run, stops neither info nor a sampler that is named.
model sd1
sed -i 's/PNDMScheduler/DPMSolverSinglestepScheduler/' m/model_index.json m/scheduler/scheduler_config.json
expect 0 'scheduler DPMSolverSinglestepScheduler is not supported; sampler euler_a stands in' info m
model sd1
sed -i 's/PNDMScheduler/DDIMScheduler/' m/model_index.json m/scheduler/scheduler_config.json
put scheduler/scheduler_config.json rescale_betas_zero_snr true
put scheduler/scheduler_config.json timestep_spacing '"trailing"'
expect 0 'sampler ddim' info m
if "$fumarole" devices >/dev/null 2>&1; then
    "$fumarole" generate -q -m m -W 16 -H 16 --steps 2 --sampling-method euler -o named.png heart >out.txt 2>&1
    grep -q '^named.png: 16 x 16' out.txt || { cat out.txt; failures=$((failures + 1)); }
    rm -f named.png
    expect 1 'zero terminal SNR needs v prediction' generate -q -m m -W 16 -H 16 --steps 2 heart
fi

model sd1
put scheduler/scheduler_config.json beta_end 1
expect 1 'scheduler_config.json: beta_end is 1, but must be above 0 and below 1' info m
expect 1 'scheduler_config.json: beta_end is 1' generate -m m heart

# fumarole.json is a configuration like the others.
# settings KEY VALUE PATTERN: refused with that value among the defaults.
settings() {
    model sd1
    echo "{\"defaults\": {\"$1\": $2}}" >m/fumarole.json
    expect 1 "m/fumarole.json: \"$1\" $3" info m
}
settings width -2147483648 'is -2\.14748e\+09, not a whole number from 2 to 16384'
settings width 1e300 'is 1e\+300, not a whole number'
settings width '"64"' 'must be a whole number'
settings width 5 'is 5, but must be a multiple of 2'
settings height 0 'is 0, not a whole number from 2'
settings steps 0 'is 0, not a whole number from 1'
settings steps 2.5 'is 2.5, not a whole number'
settings guidance -3 'is -3, not a number from 0'
settings clip_skip 5 'is 5, not a whole number from 1 to 4'
settings sampler '"magic"' 'is "magic", which is not a sampler'
settings sampler 7 'must be a string'
for json in '{"name": 7}' '{"defaults": 7}' '{"prompts": {}}' '{"prompts": ["a", 7]}' '{"words": "heart"}'; do
    model sd1
    echo "$json" >m/fumarole.json
    expect 1 'm/fumarole.json: "[a-z]*" must be ' info m
done
model sd1
echo '{"defaults": {"width": 24, "height": 16, "guidance": 3, "sampler": "ddim"}}' >m/fumarole.json
expect 0 'defaults  24 x 16 .*, 20 steps, guidance 3, sampler ddim' info m

# A size of two numbers is a height and a width.
model sd1
sed -i 's/"sample_size": 8/"sample_size": [12, 8]/' m/unet/config.json
expect 0 'defaults  16 x 24 ' info m

# Folders that other pipelines of the same components were saved from.
for class in StableDiffusionImg2ImgPipeline StableDiffusionInpaintPipeline LatentConsistencyModelPipeline; do
    model sd1
    put model_index.json _class_name "\"$class\""
    expect 0 'm: Stable Diffusion, custom size' info m
done
for class in StableDiffusionXLImg2ImgPipeline StableDiffusionXLInpaintPipeline; do
    model sdxl
    put model_index.json _class_name "\"$class\""
    expect 0 'm: Stable Diffusion XL, custom size' info m
done
model sd1
put model_index.json _class_name '"StableDiffusionXLPipeline"'
expect 1 'says StableDiffusionXLPipeline, but the UNet does not read pooled text' info m

# A whole folder by one of its files.
model sd1
for path in m/unet m/unet/ m/model_index.json m/unet/diffusion_pytorch_model.safetensors m/text_encoder/model.safetensors; do
    expect 0 'm: Stable Diffusion, custom size' info "$path"
done
expect 0 '^3 ids' tokenize -m m/unet heart
mkdir mine
mv m mine/named
FUMAROLE_MODELS=$PWD/mine expect 0 'named: Stable Diffusion, custom size' info named
FUMAROLE_MODELS=$PWD/mine expect 0 '^3 ids' tokenize -m named heart
FUMAROLE_MODELS=$PWD/mine expect 1 'other: no such file or folder, and no shipped model of that name' info other
model sd1
cp m/unet/diffusion_pytorch_model.safetensors alone.safetensors
expect 0 '^alone.safetensors: UNet' info alone.safetensors
expect 1 'alone.safetensors: this is one component of a diffusers folder; give the folder' generate -m alone.safetensors x

# A type that is not read refuses only the tensor that is needed.
model sd1
LC_ALL=C sed -i '1s/"dtype":"F16"/"dtype":"U16"/' m/vae/diffusion_pytorch_model.safetensors
expect 1 'm: 1 tensor is missing or of another shape' info m
grep -q 'misshapen *vae: .*, is stored as U16, which fumarole does not read' out.txt || {
    failures=$((failures + 1))
    echo "FAILED: no word of U16"
    cat out.txt
}

# other FILE NAME: a file that holds one tensor of that name.
other() {
    local header="{\"$2\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
    printf "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0%s\\0\\0\\0\\0\\0\\0\\0\\0" "$header" >"$1"
}
other flux.safetensors double_blocks.0.weight
refused x2 unet/config.json time_cond_proj_dim 137 "is 137, but must be the text encoder's 8 and 128 for a level of noise"
refused x2 unet/config.json time_cond_proj_dim null 'is missing; K blocks are built with it alone'
refused x2 unet/config.json time_embedding_dim 37 'is 37, which is not even'
refused x2 unet/config.json time_embedding_type '"positional"' 'is "positional", which fumarole does not build'
refused x2 unet/config.json attention_head_dim 8 'is 8, which must divide all channels'
refused x2 unet/config.json norm_num_groups 4 'is 4, which fumarole does not build'
refused x2 unet/config.json mid_block_type '"UNetMidBlock2DCrossAttn"' 'is "UNetMidBlock2DCrossAttn", which fumarole does not build'
refused x2 unet/config.json act_fn '"mish"' 'is "mish", which fumarole does not build'
refused x2 unet/config.json out_channels 6 'is'
expect 1 'flux.safetensors: this is a FLUX model, which generate cannot use yet' info flux.safetensors
grep -q '^  file .* 1 tensors' out.txt && grep -q '^flux.safetensors: a FLUX model$' out.txt || {
    failures=$((failures + 1))
    echo "FAILED: flux.safetensors is not listed"
    cat out.txt
}
expect 1 'flux.safetensors: this is a FLUX model, which generate cannot use yet' generate -m flux.safetensors heart
other lora.safetensors lora_unet_x.alpha
expect 1 'lora.safetensors: this is a LoRA, give it to --lora, beside a model' info lora.safetensors

# A folder of several such files is described by the first of them.
mkdir -p words upscalers adapters/one adapters/two
other words/a.safetensors emb_params
other words/b.safetensors emb_params
expect 1 'words is a folder of files: words/a.safetensors: this is a textual inversion, give its folder to --embd-dir' generate -m words heart
other upscalers/x2.safetensors params_ema.conv_first.weight
other upscalers/x4.safetensors params_ema.conv_first.weight
expect 1 'upscalers is a folder of files: upscalers/x2.safetensors: this is an upscaler, give it to' generate -m upscalers heart
other adapters/one/adapter_model.safetensors base_model.model.q.lora_A.weight
other adapters/two/adapter_model.safetensors base_model.model.q.lora_A.weight
expect 1 'adapters is a folder of files: adapters/one/adapter_model.safetensors: this is an adapter of PEFT, give it to --lora' \
    generate -m adapters heart
other words/0.safetensors conv.weight
expect 1 'words is a folder of files: words/0.safetensors: give this file if it is the model' generate -m words heart

# described PATTERN: info lists the components of m before it says why generate cannot use it, as generate does too.
described() {
    expect 1 "$1" info m
    grep -q '^  vae  *AutoencoderKL .* tensors ' out.txt || { failures=$((failures + 1)); echo "FAILED: no components of m"; cat out.txt; }
    expect 1 "$1" generate -m m heart
}
model sd1
put model_index.json _class_name '"StableDiffusionUpscalePipeline"'
pattern='m: the UNet of an upscaler reads latents and a picture, 7 channels; this one reads 4'
expect 1 "$pattern" info m
expect 1 "$pattern" generate -m m heart
model x2
put unet/config.json in_channels 4
pattern='m: the UNet of an upscaler reads latents and those of a picture, 8 channels; this one reads 4'
expect 1 "$pattern" info m
expect 1 "$pattern" generate -m m heart
model sd1
put model_index.json _class_name '"StableDiffusionGLIGENPipeline"'
described 'm: a StableDiffusionGLIGENPipeline, which is none of the pipelines that generate can use yet'
model sd1
rm -r m/unet
cp -r "$FUM_TEST_DATA/model-variants/lcm" m/unet
expect 2 'the model m inpaints: give a picture with --init-img' generate -m m heart
model sd1
sed -i '/_class_name/d' m/model_index.json
expect 1 'm/model_index.json: has no "_class_name"' info m
model sd1
put unet/config.json class_embed_type '"identity"'
put unet/config.json time_embedding_dim 96
expect 1 'm/unet/config.json: "class_embed_type" needs a vector of 96 numbers' generate -m m heart
# The latent upscaler's UNet has no names in the original layout, so it stays a folder.
expect 1 'has no place for tensor time_proj.weight; end -o without' convert "$FUM_TEST_DATA/model-x2" -o one.gguf
expect 1 'has no place for tensor time_proj.weight; end -o without' convert "$FUM_TEST_DATA/model-x2" -o one.safetensors
check 'it is converted to a folder' "$fumarole" convert "$FUM_TEST_DATA/model-x2" -o two
expect 0 'two: Stable Diffusion x2 latent upscaler' info two
# A file that was a folder is the model of its model_index.json: the x4 upscaler, and SDXL that encodes "".
check 'the x4 upscaler becomes a file' "$fumarole" convert "$FUM_TEST_DATA/model-x4" -o x4.gguf
expect 0 'x4.gguf: Stable Diffusion x4 upscaler' info x4.gguf
model sdxl
put model_index.json force_zeros_for_empty_prompt false
check 'SDXL becomes a file' "$fumarole" convert m -o xl.safetensors
if "$fumarole" devices >/dev/null 2>&1; then
    mkdir drawn
    for source in m xl.safetensors; do
        check "drawing by $source" "$fumarole" generate -q -W 16 -H 16 --steps 1 -m "$source" -o drawn/a.png \
            --save-latents "drawn/$source.l" ship >/dev/null
    done
    check 'the file draws what the folder does' cmp drawn/m.l drawn/xl.safetensors.l
fi
finish
