// SPDX-License-Identifier: MIT
#include "generate_options.h"

#include <fumarole/sampler.h>
#include <fumarole/tensor.h>
#include <fumarole/upscale.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_STEPS = 100000,
    MAX_COUNT = 10000,
    MAX_CLIP_SKIP = 64,
    MAX_THREADS = 1024,
    MAX_NUMBER = 1000000000,
    MAX_CLASS = 1 << 24,
    MAX_SCALE = 100000,
    MAX_REPEATS = 8,
    MAX_BLUR = 1000,
    MAX_PIXELS = FUM_MAX_SIDE * FUM_MAX_SIDE,
};

CLI_NAMES(precision_name, "auto", "f32", "f16", "bf16") // as enum fum_precision
CLI_NAMES(style_name, "a1111", "plain")                 // as enum fum_prompt_style
CLI_NAMES(emphasis_name, "original", "no-norm", "none") // as enum fum_emphasis
CLI_NAMES(emphasis_label, "Original", "No norm", "None")
CLI_NAMES(preview_name, "none", "proj", "tae", "vae") // as enum fum_preview
CLI_NAMES(mode_name, "img_gen", "txt2img")
CLI_NAMES(adapter_mode_name, "auto", "immediately", "at_runtime") // as enum fum_adapter_mode
CLI_NAMES(generator_name, "cuda", "cpu")                          // as enum fum_rng_kind
CLI_NAMES(fill_name, "original", "fill", "noise", "zero")         // as enum fum_inpaint_fill
CLI_NAMES(resize_name, "stretch", "crop", "pad")                  // as enum fum_resize_mode
CLI_NAMES(seamless_name, "none", "x", "y", "xy")                  // as enum fum_seamless

// Returns the names of enum fum_precision, then those of quantised weights.
static const char *type_name(size_t index) {
    const size_t precisions = FUM_PRECISION_BF16 + 1;
    return index < precisions ? precision_name(index) : fum_quantised_name(index - precisions);
}

static const char ddim_trailing[] = "ddim_trailing"; // sd-cli's DDIM, which takes trailing steps

// Returns the library's samplers, then ddim_trailing.
static const char *sampler_choice(size_t index) {
    const char *name = fum_sampler_name(index);
    if (name) return name;
    return index > 0 && fum_sampler_name(index - 1) ? ddim_trailing : NULL;
}

#define FIELD(name)    offsetof(struct generate_options, name)
#define PICTURE(name)  offsetof(struct generate_options, picture.name)
#define PART(name)     offsetof(struct generate_options, parts.name)
#define PIPELINE(name) offsetof(struct generate_options, pipeline.name)
// Long options as sd-cli spells them; rows without help are other spellings. What sd-cli has and
// fumarole has not is in foreign.c.
// clang-format off
const struct cli_option generate_option_table[] = {
    CLI_HEADING_ROW("Prompt and model"),
    {.name = "prompt", .letter = 'p', .kind = CLI_STRING, .offset = PICTURE(prompt),
     .value = "TEXT", .help = "what to draw; a bare argument does too"},
    {.name = "prompt-file", .kind = CLI_PATH, .offset = FIELD(prompt_file), .value = "FILE",
     .help = "read the prompt from a file (- is standard input)"},
    {.name = "negative-prompt", .letter = 'n', .kind = CLI_STRING, .offset = PICTURE(negative),
     .value = "TEXT", .help = "what to keep away from"},
    {.name = "negative-prompt-file", .kind = CLI_PATH, .offset = FIELD(negative_file),
     .value = "FILE", .help = "read it from a file (- is standard input)"},
    {.name = "prompt-style", .kind = CLI_ENUM, .offset = PICTURE(prompt_style), .value = "STYLE",
     .choice = style_name, .help = "the grammar of prompts (default a1111):"},
    {.name = "emphasis", .kind = CLI_ENUM, .offset = PICTURE(emphasis), .value = "NAME",
     .choice = emphasis_name, .label = emphasis_label,
     .help = "how (x:1.3) weighs words (default original):"},
    {.name = "from-png", .kind = CLI_PATH, .offset = FIELD(from_png), .value = "PICTURE",
     .help = "draw this picture again, with what it says of its making; other options change that"},
    {.name = "model", .letter = 'm', .kind = CLI_PATH, .offset = FIELD(model), .value = "MODEL",
     .help = "diffusers folder, checkpoint file, or shipped model (default emoji)"},
    {.name = "prediction", .kind = CLI_CHOICE, .offset = FIELD(prediction), .value = "NAME",
     .choice = fum_prediction_name,
     .help = "what the UNet predicts (default: what the model says):"},
    {.name = "clip-skip", .kind = CLI_INT, .offset = PICTURE(clip_skip), .value = "N", .min = -1,
     .max = MAX_CLIP_SKIP,
     .help = "stop the text encoder early; 1 is its last layer (default: the model's own, as with "
             "-1 and 0)"},

    CLI_HEADING_ROW("Components apart from the model"),
    {.name = "diffusion-model", .kind = CLI_PATH, .offset = PART(diffusion_model), .value = "PATH",
     .help = "the UNet: a file, its folder, or a model that has it; without -m, the others make "
             "the model with it"},
    {.name = "clip_l", .kind = CLI_PATH, .offset = PART(clip_l), .value = "PATH",
     .help = "the first text encoder, likewise"},
    {.name = "clip_g", .kind = CLI_PATH, .offset = PART(clip_g), .value = "PATH",
     .help = "the second text encoder of SDXL"},
    {.name = "vae", .kind = CLI_PATH, .offset = PART(vae), .value = "PATH",
     .help = "the VAE, or a small autoencoder such as TAESD"},
    {.name = "taesd", .kind = CLI_PATH, .offset = PART(taesd), .value = "PATH",
     .help = "a small autoencoder, in place of the VAE"},
    {.name = "tae", .kind = CLI_PATH, .offset = PART(taesd), .value = "PATH"},
    {.name = "weights-variant", .kind = CLI_STRING, .offset = PART(weights_variant),
     .value = "NAME", .help = "prefer such files of a folder, as fp16 for model.fp16.safetensors"},

    CLI_HEADING_ROW("Adapters"),
    {.name = "lora", .kind = CLI_LIST, .offset = FIELD(lora), .value = "NAME[:W[:W]]",
     .help = "draw with a LoRA, at these weights of the UNet and the text encoders (default 1, and "
             "the same); can be given several times"},
    {.name = "lora-model-dir", .kind = CLI_PATH, .offset = PICTURE(adapter_dir), .value = "DIR",
     .help = "the folder of the LoRAs that --lora names, with or without .safetensors, or in folders below"},
    {.name = "lora-apply-mode", .kind = CLI_ENUM, .offset = PICTURE(adapter_mode), .value = "MODE",
     .choice = adapter_mode_name,
     .help = "merge LoRAs as weights load, or apply them beside the weights at runtime "
             "(default auto: merged):"},
    {.name = "embd-dir", .kind = CLI_PATH, .offset = FIELD(embeddings_dir), .value = "DIR",
     .help = "textual inversions: the name of each file in the folder is a word of prompts"},

    CLI_HEADING_ROW("Picture"),
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = FIELD(output), .value = "FILE",
     .help = "the picture, a .png, .jpg or .webp (default output.png); %d is the number, - standard output"},
    {.name = "no-clobber", .kind = CLI_FLAG, .offset = FIELD(no_clobber),
     .help = "refuse to replace files that are there"},
    {.name = "output-begin-idx", .kind = CLI_INT, .offset = FIELD(output_begin), .value = "N",
     .min = 0, .max = MAX_NUMBER, .help = "number of the first picture (default 1)"},
    {.name = "width", .letter = 'W', .kind = CLI_INT, .offset = PICTURE(width), .value = "PIXELS",
     .min = 1, .max = FUM_MAX_SIDE, .help = "default: the model's own size"},
    {.name = "height", .letter = 'H', .kind = CLI_INT, .offset = PICTURE(height), .value = "PIXELS",
     .min = 1, .max = FUM_MAX_SIDE, .help = "default: the model's own size"},
    {.name = "batch-count", .letter = 'b', .kind = CLI_INT, .offset = PICTURE(count), .value = "N",
     .min = 1, .max = MAX_COUNT, .help = "pictures to make; picture i has seed + i"},
    {.name = "reconstruct", .kind = CLI_PATH, .offset = PICTURE(reconstruct), .value = "IMAGE",
     .help = "encode this picture and decode it again, by an autoencoder"},
    {.name = "interpolate", .kind = CLI_PATH, .offset = PICTURE(interpolate[0]), .value = "A B",
     .help = "pictures between two, given as files or seeds (8 without -b)"},
    {.name = "seamless", .kind = CLI_ENUM, .offset = PICTURE(seamless), .value = "AXES",
     .choice = seamless_name,
     .help = "pictures that continue on their other side, to be laid side by side:"},
    {.name = "circular", .kind = CLI_FLAG, .offset = FIELD(circular)},
    {.name = "circularx", .kind = CLI_FLAG, .offset = FIELD(circular_x)},
    {.name = "circulary", .kind = CLI_FLAG, .offset = FIELD(circular_y)},
    {.name = "grid", .kind = CLI_STRING, .offset = FIELD(grid_text), .value = "COLSxROWS",
     .help = "so many pictures side by side in one file"},

    CLI_HEADING_ROW("Larger pictures"),
    {.name = "upscale-model", .kind = CLI_PATH, .offset = FIELD(upscale_model), .value = "FILE",
     .help = "enlarge each picture by this network, see fumarole upscale"},
    {.name = "upscale-tile-size", .kind = CLI_INT, .offset = FIELD(upscale_tile), .value = "N",
     .min = 0, .max = FUM_MAX_SIDE,
     .help = "enlarge in tiles of so many pixels (default 128); 0 is what the memory holds"},
    {.name = "upscale-repeats", .kind = CLI_INT, .offset = FIELD(upscale_repeats), .value = "N",
     .min = 1, .max = MAX_REPEATS, .help = "enlarge the result again, so often in all (default 1)"},

    CLI_HEADING_ROW("Pictures in"),
    {.name = "init-img", .letter = 'i', .kind = CLI_PATH, .offset = PICTURE(init_image.path),
     .value = "IMAGE", .help = "start from this picture: a PNG, JPEG, WebP or BMP"},
    {.name = "strength", .kind = CLI_REAL, .offset = PICTURE(strength), .value = "F", .min = 0,
     .max = 1, .help = "share of the steps that change it, up to 1 (default 0.75)"},
    {.name = "resize-mode", .kind = CLI_ENUM, .offset = PICTURE(resize_mode), .value = "NAME",
     .choice = resize_name, .help = "how it fills a size of another shape (default stretch):"},
    {.name = "mask", .kind = CLI_PATH, .offset = PICTURE(mask.path), .value = "IMAGE",
     .help = "change the picture where this one is white, and keep the rest"},
    {.name = "mask-invert", .kind = CLI_FLAG, .offset = PICTURE(mask_invert),
     .help = "change it where the mask is black"},
    {.name = "mask-blur", .kind = CLI_REAL, .offset = PICTURE(mask_blur), .value = "PIXELS",
     .min = 0, .max = MAX_BLUR, .help = "soften the mask by a Gaussian (default 0)"},
    {.name = "inpaint-fill", .kind = CLI_ENUM, .offset = PICTURE(inpaint_fill), .value = "NAME",
     .choice = fill_name, .help = "what is there at first (default original):"},
    {.name = "inpaint-only-masked", .kind = CLI_FLAG, .offset = PICTURE(only_masked),
     .help = "draw the part around the mask alone, at the full size"},
    {.name = "inpaint-padding", .kind = CLI_INT, .offset = PICTURE(masked_padding),
     .value = "PIXELS", .min = 0, .max = FUM_MAX_SIDE,
     .help = "how much around the mask that part has (default 32)"},
    {.name = "no-mask-composite", .kind = CLI_FLAG, .offset = PICTURE(no_mask_composite),
     .help = "leave what was decoded where the mask keeps the picture"},
    {.name = "outpaint", .kind = CLI_STRING, .offset = FIELD(outpaint), .value = "L,T,R,B",
     .help = "add so many pixels left, above, right and below, and draw them"},
    {.name = "img-cfg-scale", .kind = CLI_FLOAT, .offset = PICTURE(image_guidance), .value = "F",
     .min = 0, .max = 1000,
     .help = "guidance towards the picture, of models that follow instructions (default 1.5)"},
    {.name = "noise-level", .kind = CLI_FLOAT, .offset = PICTURE(class_label), .value = "N",
     .min = 0, .max = MAX_CLASS,
     .help = "noise added to the picture that an upscaling model enlarges (default 20)"},
    {.name = "max-pixels", .kind = CLI_INT, .offset = PICTURE(max_pixels), .value = "N", .min = 1,
     .max = MAX_PIXELS, .help = "refuse pictures of more pixels (default 67108864)"},

    CLI_HEADING_ROW("ControlNet"),
    {.name = "control-net", .kind = CLI_LIST, .offset = FIELD(control.nets), .value = "PATH",
     .help = "steer by a picture with this ControlNet or T2I-adapter, a folder or file; options "
             "about it follow, and more can come after them"},
    {.name = "control-image", .kind = CLI_LIST, .offset = FIELD(control.images), .value = "IMAGE",
     .help = "the picture to steer by"},
    {.name = "control-preprocess", .kind = CLI_LIST, .offset = FIELD(control.preprocess),
     .value = "HOW", .help = "none (default), or its edges: canny[:LOW:HIGH] (100:200)"},
    {.name = "control-strength", .kind = CLI_LIST, .offset = FIELD(control.strengths),
     .value = "F", .help = "factor of what the ControlNet adds (default 0.9)"},
    {.name = "control-start", .kind = CLI_LIST, .offset = FIELD(control.starts), .value = "F",
     .help = "share of the steps before it works (default 0)"},
    {.name = "control-end", .kind = CLI_LIST, .offset = FIELD(control.ends), .value = "F",
     .help = "share of the steps at which it ends (default 1)"},
    {.name = "save-control", .kind = CLI_PATH, .offset = FIELD(control.save), .value = "FILE",
     .help = "write the picture as the ControlNet reads it, a .png"},

    CLI_HEADING_ROW("Sampling"),
    {.name = "steps", .kind = CLI_INT, .offset = PICTURE(steps), .value = "N", .min = 1,
     .max = MAX_STEPS, .help = "sampling steps (default: the model's own)"},
    {.name = "cfg-scale", .kind = CLI_FLOAT, .offset = PICTURE(guidance), .value = "F", .min = 0,
     .max = 1000, .help = "guidance; 1 is none (default: the model's own)"},
    {.name = "guidance-scale", .kind = CLI_FLOAT, .offset = PICTURE(guidance), .value = "F",
     .min = 0, .max = 1000},
    {.name = "guidance-rescale", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.rescale),
     .value = "F", .min = 0, .max = 1,
     .help = "give the guided prediction this share of the deviation without guidance (0.7)"},
    {.name = "cfg-interval", .kind = CLI_STRING, .offset = FIELD(interval), .value = "A,B",
     .help = "guide only between these shares of the steps, such as 0.2,0.8"},
    {.name = "cfg-pp", .kind = CLI_FLAG, .offset = PICTURE(guidance_method.plus),
     .help = "guide as CFG++, with scales around 1 (samplers euler, euler_a, ddim)"},
    {.name = "apg-eta", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.apg_eta),
     .value = "F", .min = -MAX_SCALE, .max = MAX_SCALE,
     .help = "adaptive projected guidance: factor of what guides along the prediction (1)"},
    {.name = "apg-momentum", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.apg_momentum),
     .value = "F", .min = -1, .max = 1, .help = "its momentum, such as -0.5 (0)"},
    {.name = "apg-norm-threshold", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.apg_norm),
     .value = "F", .min = 0, .max = MAX_SCALE, .help = "limit of its norm, such as 15 (none)"},
    {.name = "mimic-scale", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.mimic_scale),
     .value = "F", .min = 0, .max = MAX_SCALE,
     .help = "dynamic thresholding: draw with the range of this smaller guidance, such as 7"},
    {.name = "threshold-percentile", .kind = CLI_FLOAT,
     .offset = PICTURE(guidance_method.mimic_percentile), .value = "F", .min = 0, .max = 1,
     .help = "the quantile of magnitudes that it holds to that range (default 1)"},
    {.name = "pag-scale", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.pag_scale),
     .value = "F", .min = -MAX_SCALE, .max = MAX_SCALE,
     .help = "perturbed-attention guidance, such as 3 (none)"},
    {.name = "pag-layers", .kind = CLI_STRING, .offset = PICTURE(guidance_method.pag_layers),
     .value = "LIST", .help = "its layers, as down.block_2,up_blocks.1 (default mid)"},
    {.name = "slg-scale", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.slg_scale),
     .value = "F", .min = -MAX_SCALE, .max = MAX_SCALE,
     .help = "skip-layer guidance, such as 2.5 (none)"},
    {.name = "skip-layers", .kind = CLI_STRING, .offset = PICTURE(guidance_method.slg_layers),
     .value = "LIST", .help = "its transformer blocks, by number or as above (default 7,8,9)"},
    {.name = "skip-layer-start", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.slg_begin),
     .value = "F", .min = 0, .max = 1, .help = "the share of the steps after which it is on (0.01)"},
    {.name = "skip-layer-end", .kind = CLI_FLOAT, .offset = PICTURE(guidance_method.slg_end),
     .value = "F", .min = 0, .max = 1, .help = "and before which (0.2)"},
    {.name = "class", .kind = CLI_FLOAT, .offset = PICTURE(class_label), .value = "N", .min = 0,
     .max = MAX_CLASS, .help = "the class to draw, from 0, of a model that has classes"},
    {.name = "classifier", .kind = CLI_PATH, .offset = PICTURE(classifier), .value = "DIR",
     .help = "guide a model of pictures to the class by this classifier, as fumarole train wrote it"},
    {.name = "classifier-scale", .kind = CLI_FLOAT, .offset = PICTURE(classifier_scale),
     .value = "F", .min = -MAX_SCALE, .max = MAX_SCALE,
     .help = "factor of the classifier's gradient (default 1)"},
    {.name = "seed", .letter = 's', .kind = CLI_SEED, .offset = FIELD(seed), .value = "N",
     .help = "0 to 18446744073709551615 (default 42); -1 draws one and reports it"},
    {.name = "subseed", .kind = CLI_SEED, .offset = FIELD(subseed), .value = "N",
     .help = "vary the picture by the noise of this seed (default: a random one)"},
    {.name = "subseed-strength", .kind = CLI_REAL, .offset = PICTURE(subseed_strength),
     .value = "F", .min = 0, .max = 1, .help = "by how much, up to 1 (default 0)"},
    {.name = "sampling-method", .kind = CLI_CHOICE, .offset = PICTURE(sampler), .value = "NAME",
     .choice = sampler_choice, .label = fum_sampler_label,
     .help = "the sampler (default: the model's own):"},
    {.name = "sampler", .kind = CLI_CHOICE, .offset = PICTURE(sampler), .value = "NAME",
     .choice = sampler_choice, .label = fum_sampler_label},
    {.name = "scheduler", .kind = CLI_CHOICE, .offset = PICTURE(schedule), .value = "NAME",
     .choice = fum_schedule_name, .label = fum_schedule_label,
     .help = "the noise schedule (default: the model's own):"},
    {.name = "schedule", .kind = CLI_CHOICE, .offset = PICTURE(schedule), .value = "NAME",
     .choice = fum_schedule_name, .label = fum_schedule_label},
    {.name = "sigmas", .kind = CLI_STRING, .offset = FIELD(sigmas), .value = "A,B,...",
     .help = "the noise levels to visit, falling to 0, in place of --steps and --scheduler"},
    {.name = "timestep-spacing", .kind = CLI_CHOICE, .offset = PICTURE(timestep_spacing),
     .value = "NAME", .choice = fum_spacing_name,
     .help = "where the steps lie (default: the model's own):"},
    {.name = "eta", .kind = CLI_FLOAT, .offset = PICTURE(eta), .value = "F", .min = 0,
     .max = FUM_MAX_ETA,
     .help = "noise added back, 0 to 1, for ddim (default 0), ancestral and sde samplers (1)"},
    {.name = "cache-mode", .kind = CLI_CHOICE, .offset = PICTURE(cache.mode), .value = "NAME",
     .choice = fum_step_cache_name,
     .help = "spare evaluations of the UNet, for pictures that differ (default none):"},
    {.name = "cache-option", .kind = CLI_STRING, .offset = FIELD(cache_option),
     .value = "KEY=N,...",
     .help = "interval and branch of deepcache; threshold, start and end of the others"},
    {.name = "freeu", .kind = CLI_STRING, .offset = FIELD(freeu), .value = "B1,B2,S1,S2",
     .help = "weigh the UNet's levels by FreeU's factors; auto: those usual for the model"},
    {.name = "tolerance", .kind = CLI_REAL, .offset = PICTURE(tolerance), .value = "X", .min = 0,
     .max = 1, .help = "error allowed in a step of ode, which chooses its steps by it (1e-5)"},
    {.name = "rng", .kind = CLI_ENUM, .offset = PICTURE(rng), .value = "NAME",
     .choice = generator_name, .help = "draw noise as torch does on that device (default cuda):"},
    {.name = "sampler-rng", .kind = CLI_ENUM, .offset = FIELD(sampler_rng), .value = "NAME",
     .choice = generator_name},

    CLI_HEADING_ROW("Device and memory"),
    CLI_DEVICE_ROW(FIELD(device)),
    {.name = "list-devices", .kind = CLI_FLAG, .offset = FIELD(list_devices),
     .help = "the same as fumarole devices"},
    {.name = "precision", .kind = CLI_ENUM, .offset = PIPELINE(precision), .value = "TYPE",
     .choice = precision_name, .help = "how values are stored (default auto):"},
    {.name = "type", .kind = CLI_ENUM, .offset = FIELD(type), .value = "TYPE", .choice = type_name,
     .help = "how weights are stored: as --precision, which f32, f16 and bf16 set too, or "
             "quantised (default auto):"},
    {.name = "memory-budget", .kind = CLI_STRING, .offset = FIELD(memory_text), .value = "BYTES",
     .help = "device memory to stay under, as 4GiB or 512MiB; auto is what is free"},
    {.name = "max-vram", .kind = CLI_STRING, .offset = FIELD(max_vram), .value = "GIB",
     .help = "the same in GiB; 0 is no limit, a negative number what is free"},
    {.name = "offload-to-cpu", .kind = CLI_FLAG, .offset = FIELD(offload),
     .help = "the same as --memory-budget auto"},
    {.name = "auto-fit", .kind = CLI_FLAG, .offset = FIELD(offload)},
    {.name = "vae-tiling", .kind = CLI_FLAG, .offset = PIPELINE(vae_tiling),
     .help = "decode the picture in bands, in less memory"},
    {.name = "threads", .letter = 't', .kind = CLI_INT, .offset = PIPELINE(threads), .value = "N",
     .min = -1, .max = MAX_THREADS,
     .help = "threads that prepare weights (default: one per processor, at most 8, as with -1 and "
             "0)"},
    CLI_VARIANT_ROW(FIELD(variant)),

    CLI_HEADING_ROW("A second pass"),
    {.name = "hires", .kind = CLI_FLAG, .offset = FIELD(two_passes),
     .help = "draw the picture again, larger, from what was drawn first"},
    {.name = "hires-scale", .kind = CLI_REAL, .offset = FIELD(hires.scale), .value = "F", .min = 1,
     .max = 16, .help = "factor of its sides (default 2)"},
    {.name = "hires-width", .kind = CLI_INT, .offset = FIELD(hires.width), .value = "PIXELS",
     .min = 0, .max = FUM_MAX_SIDE, .help = "its width, in place of the factor"},
    {.name = "hires-height", .kind = CLI_INT, .offset = FIELD(hires.height), .value = "PIXELS",
     .min = 0, .max = FUM_MAX_SIDE, .help = "its height, in place of the factor"},
    {.name = "hires-steps", .kind = CLI_INT, .offset = FIELD(hires.steps), .value = "N", .min = 0,
     .max = MAX_STEPS, .help = "steps of a whole run (default: as in the first pass)"},
    {.name = "hires-strength", .kind = CLI_REAL, .offset = FIELD(hires.strength), .value = "F",
     .min = 0, .max = 1, .help = "share of these steps that is taken (default 0.7)"},
    {.name = "hires-denoising-strength", .kind = CLI_REAL, .offset = FIELD(hires.strength),
     .value = "F", .min = 0, .max = 1},
    {.name = "hires-upscaler", .kind = CLI_PATH, .offset = FIELD(hires.upscaler), .value = "NAME",
     .help = "latent (default), latent-bicubic, nearest, lanczos, or the file of a network, as for "
             "fumarole upscale"},
    {.name = "hires-upscale-tile-size", .kind = CLI_INT, .offset = FIELD(hires.tile), .value = "N",
     .min = 1, .max = FUM_MAX_SIDE, .help = "enlarge in tiles of so many pixels (default 128)"},

    CLI_HEADING_ROW("Several pictures"),
    {.name = "prompts-file", .kind = CLI_PATH, .offset = FIELD(prompts_file), .value = "FILE",
     .help = "draw what each line says, a JSON object with options as keys, such as {\"prompt\": "
             "\"a cat\", \"seed\": 1, \"output\": \"cat.png\"} (- is standard input)"},
    {.name = "xy", .kind = CLI_STRING, .offset = FIELD(xy), .value = "\"A=1,2;B=3,4\"",
     .help = "one picture of a grid: a column for each value of an option, a row for each of "
             "another, as \"steps=10,20;cfg-scale=3,7\""},

    CLI_HEADING_ROW("While it runs"),
    {.name = "preview", .kind = CLI_ENUM, .offset = PICTURE(preview), .value = "HOW",
     .choice = preview_name,
     .help = "write what the picture is becoming after each step: by its latents' colours, or "
             "decoded (default none):"},
    {.name = "preview-path", .kind = CLI_PATH, .offset = FIELD(preview_path), .value = "FILE",
     .help = "the preview (default preview.png)"},
    {.name = "preview-interval", .kind = CLI_INT, .offset = PICTURE(preview_interval),
     .value = "N", .min = 1, .max = MAX_STEPS, .help = "only after every N-th step (default 1)"},

    CLI_HEADING_ROW("Latents and traces"),
    {.name = "noise", .kind = CLI_PATH, .offset = FIELD(noise), .value = "FILE",
     .help = "start from tensor \"noise\" [n,c,h,w] of a .safetensors file"},
    {.name = "step-noise", .kind = CLI_PATH, .offset = FIELD(step_noise), .value = "FILE",
     .help = "take the noise of stochastic steps from tensor \"noise\" [steps,n,c,h,w]"},
    {.name = "invert", .kind = CLI_PATH, .offset = FIELD(invert), .value = "IMAGE",
     .help = "find the noise that DDIM draws this picture from, and write it with --save-latents"},
    {.name = "save-latents", .kind = CLI_PATH, .offset = FIELD(save_latents), .value = "FILE",
     .help = "write tensor \"latents\" [n,c,h,w] as the sampler left them"},
    {.name = "trace", .kind = CLI_PATH, .offset = FIELD(trace), .value = "FILE",
     .help = "write a timeline of submissions, waits and transfers"},
    {.name = "dump-graph", .kind = CLI_PATH, .offset = FIELD(dump_graph), .value = "DIR",
     .help = "write each graph after each pass, as text and Graphviz"},

    CLI_HEADING_ROW("Messages"),
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "say more"},
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = FIELD(quiet),
     .help = "no progress"},
    {.name = "mode", .letter = 'M', .kind = CLI_ENUM, .offset = FIELD(mode), .value = "MODE",
     .choice = mode_name},
    {0},
};
// clang-format on

// True if the offset is that of a field of a struct that begins at `first`.
static bool is_within(size_t offset, size_t first, size_t bytes) {
    return offset >= first && offset < first + bytes;
}

bool generate_option_is_of_request(const struct cli_option *option) {
    static const size_t fields[] = {FIELD(prompt_file),  FIELD(negative_file), FIELD(lora),
                                    FIELD(output),       FIELD(grid_text),     FIELD(seed),
                                    FIELD(subseed),      FIELD(sampler_rng),   FIELD(noise),
                                    FIELD(step_noise),   FIELD(invert),        FIELD(outpaint),
                                    FIELD(save_latents), FIELD(sigmas),        FIELD(interval),
                                    FIELD(two_passes),   FIELD(circular),      FIELD(circular_x),
                                    FIELD(freeu),        FIELD(circular_y),    FIELD(cache_option)};
    if (is_within(option->offset, FIELD(picture), sizeof(struct fum_generate_params)) ||
        is_within(option->offset, FIELD(hires), sizeof(struct fum_hires_params)) ||
        is_within(option->offset, FIELD(control), sizeof(struct cli_control_options)))
        return true;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (option->offset == fields[i]) return true;
    return false;
}

struct generate_options generate_options_default(void) {
    return (struct generate_options){
        .picture = {.guidance = -1,
                    .class_label = -1,
                    .classifier_scale = NAN,
                    .eta = NAN,
                    .guidance_method = {.apg_eta = NAN, .mimic_percentile = 1},
                    .strength = NAN,
                    .masked_padding = -1,
                    .count = 1},
        .output = "output.png",
        .preview_path = "preview.png",
        .seed = {.value = 42},
        .subseed = {.random = true},
        .sampler_rng = -1,
        .upscale_tile = FUM_UPSCALE_TILE,
        .upscale_repeats = 1,
        .output_begin = 1};
}

// Reads sd-cli's budget: GiB, 0 for no limit, a negative number for what is free.
static bool parse_vram(const char *text, uint64_t *bytes) {
    char *end;
    const char *digits = text + (*text == '-');
    double gib = strtod(digits, &end);
    if (!*digits || *end || end != digits + strspn(digits, "0123456789.") || gib > 1 << 20)
        return false;
    *bytes = *text == '-' ? FUM_MEMORY_AUTO : (uint64_t)(gib * 0x1p30);
    return true;
}

static int check_prompts(const struct cli_command *command, struct generate_options *options,
                         int argc, char **argv) {
    struct fum_generate_params *picture = &options->picture;
    if (argc > 1)
        return cli_misuse(command, "more than one prompt: \"%s\" and \"%s\"; put quotes around it",
                          cli_show(argv[0]).text, cli_show(argv[1]).text);
    if ((picture->prompt != NULL) + (options->prompt_file != NULL) + (argc == 1) > 1)
        return cli_misuse(command, "give the prompt once: -p, --prompt-file, or a bare argument");
    if (picture->negative && options->negative_file)
        return cli_misuse(command, "give the negative prompt once: -n or --negative-prompt-file");
    if (options->prompt_file && options->negative_file && strcmp(options->prompt_file, "-") == 0 &&
        strcmp(options->negative_file, "-") == 0)
        return cli_misuse(command, "only one prompt can come from standard input");
    if (argc == 1) picture->prompt = argv[0];
    // Whether another model than the shipped one takes a prompt is known when it is open.
    bool given = picture->prompt || options->prompt_file;
    return given || options->model || options->invert ? -1 : generate_options_no_prompt(command);
}

// Takes the second end of --interpolate, the first of the bare arguments, and checks what goes with
// it and with --reconstruct.
static int check_autoencoder(const struct cli_command *command, struct generate_options *options,
                             int *argc, char ***argv) {
    enum { FRAMES = 8 };
    struct fum_generate_params *picture = &options->picture;
    if (picture->reconstruct && (picture->interpolate[0] || picture->count != 1))
        return cli_misuse(command, "--reconstruct is of one picture, without --interpolate and -b");
    if (!picture->interpolate[0]) return -1;
    if (*argc < 1)
        return cli_misuse(command, "--interpolate needs two ends, as --interpolate 1 2 or "
                                   "--interpolate a.png b.png");
    picture->interpolate[1] = *(*argv)++;
    (*argc)--;
    if (picture->count == 1 && !options->grid_text) picture->count = FRAMES;
    return -1;
}

int generate_options_no_prompt(const struct cli_command *command) {
    return cli_misuse(command, "no prompt: give one with -p, or as a bare argument");
}

static int check_classifier(const struct cli_command *command,
                            const struct generate_options *options) {
    const struct fum_generate_params *picture = &options->picture;
    if (!picture->classifier && !isnan(picture->classifier_scale))
        return cli_misuse(command, "--classifier-scale needs --classifier DIR");
    if (picture->classifier && picture->class_label < 0)
        return cli_misuse(command, "--classifier needs --class N, the class to guide to");
    if (picture->classifier && options->invert)
        return cli_misuse(command, "--invert is not guided by a classifier; leave one out");
    return -1;
}

static int check_invert(const struct cli_command *command, const struct generate_options *options) {
    if (!options->invert) return -1;
    if (!options->save_latents)
        return cli_misuse(command, "--invert needs --save-latents FILE for the noise");
    if (options->noise || options->grid_text || options->picture.count != 1)
        return cli_misuse(command, "--invert is of one picture, without --noise, --grid and -b");
    return -1;
}

// Reads "4x3". Every picture of a grid is evaluated with as many others as the library takes.
static int check_grid(const struct cli_command *command, struct generate_options *options) {
    enum { MAX_BATCH = 16 };
    struct fum_generate_params *picture = &options->picture;
    char end;
    const char *text = options->grid_text;
    if (!text) return -1;
    bool read = strspn(text, "0123456789x") == strlen(text) && strlen(text) < 12 &&
                sscanf(text, "%dx%d%c", &options->columns, &options->rows, &end) == 2;
    int count = read ? options->columns * options->rows : 0;
    if (!read || options->columns < 1 || options->rows < 1 || options->columns > MAX_COUNT ||
        options->rows > MAX_COUNT / options->columns)
        return cli_misuse(command, "--grid needs columns x rows such as 8x4, not \"%s\"",
                          cli_show(text).text);
    if (picture->count != 1 && picture->count != count)
        return cli_misuse(command, "--grid %s has %d pictures, and -b says %d; leave -b out", text,
                          count, picture->count);
    picture->count = count;
    picture->batch = count < MAX_BATCH ? count : MAX_BATCH;
    return -1;
}

static int check_memory(const struct cli_command *command, struct generate_options *options) {
    uint64_t *budget = &options->pipeline.memory_budget;
    if (options->memory_text && options->max_vram)
        return cli_misuse(command, "give --memory-budget or --max-vram, not both");
    if (options->max_vram && !parse_vram(options->max_vram, budget))
        return cli_misuse(command,
                          "--max-vram needs one number of GiB such as 6 or 1.5, not \"%s\"",
                          cli_show(options->max_vram).text);
    if (options->memory_text && !(*budget = cli_parse_bytes(options->memory_text)))
        return cli_misuse(
            command,
            "--memory-budget takes auto or a size such as 4GiB, 512MiB or 1000000000, not \"%s\"",
            cli_show(options->memory_text).text);
    if (options->offload && !options->memory_text && !options->max_vram) *budget = FUM_MEMORY_AUTO;
    return -1;
}

// Weights are stored as --precision says, so --type f16 means the same as --precision f16.
static int check_type(const struct cli_command *command, struct generate_options *options) {
    enum fum_precision *precision = &options->pipeline.precision;
    if (options->type > FUM_PRECISION_BF16)
        options->pipeline.weights = type_name((size_t)options->type);
    if (options->type == FUM_PRECISION_AUTO || options->pipeline.weights) return -1;
    if (*precision != FUM_PRECISION_AUTO && (int)*precision != options->type)
        return cli_misuse(command,
                          "--type %s and --precision %s contradict each other; leave one out",
                          type_name((size_t)options->type), precision_name((size_t)*precision));
    *precision = (enum fum_precision)options->type;
    return -1;
}

static int check_sampling(const struct cli_command *command, struct generate_options *options) {
    struct fum_generate_params *picture = &options->picture;
    if (picture->sampler && strcmp(picture->sampler, ddim_trailing) == 0) {
        picture->sampler = "ddim";
        if (!picture->timestep_spacing) picture->timestep_spacing = "trailing";
    }
    if (options->sigmas && (picture->steps || picture->schedule)) {
        cli_put_line(stderr, "fumarole: no effect here: %s, in place of which stands --sigmas",
                     picture->steps ? "--steps" : "--scheduler");
        picture->steps = 0;
        picture->schedule = NULL;
    }
    if (options->sampler_rng >= 0 && options->sampler_rng != (int)picture->rng)
        return cli_misuse(
            command, "--sampler-rng %s with --rng %s is not supported yet; give both the same name",
            generator_name((size_t)options->sampler_rng), generator_name((size_t)picture->rng));
    if (picture->sampler && picture->schedule &&
        !fum_sampler_accepts(picture->sampler, picture->schedule))
        return cli_misuse(command,
                          "the sampler %s does not run on the schedule %s; leave --scheduler out",
                          picture->sampler, picture->schedule);
    return -1;
}

static int check_upscaling(const struct cli_command *command,
                           const struct generate_options *options) {
    if (options->upscale_model) return -1;
    if (options->upscale_repeats != 1)
        return cli_misuse(command, "--upscale-repeats needs --upscale-model FILE");
    if (options->upscale_tile != FUM_UPSCALE_TILE)
        return cli_misuse(command, "--upscale-tile-size needs --upscale-model FILE");
    return -1;
}

// Reads "0.2,0.8", and turns APG on where one of its options is given.
static int check_guidance(const struct cli_command *command, struct generate_options *options) {
    struct fum_guidance_params *p = &options->picture.guidance_method;
    char end;
    if (options->interval && (sscanf(options->interval, "%f,%f%c", &p->begin, &p->end, &end) != 2 ||
                              p->begin < 0 || p->begin >= p->end || p->end > 1))
        return cli_misuse(command,
                          "--cfg-interval needs two shares of the steps such as 0.2,0.8, not "
                          "\"%s\"",
                          cli_show(options->interval).text);
    p->projected = !isnan(p->apg_eta) || p->apg_momentum != 0 || p->apg_norm > 0;
    if (isnan(p->apg_eta)) p->apg_eta = 1;
    return -1;
}

static int check_size(const struct cli_command *command,
                      const struct fum_generate_params *picture) {
    long long pixels = (long long)picture->width * picture->height;
    if (pixels <= FUM_MAX_PIXELS) return -1;
    return cli_misuse(command, "-W %d -H %d make %lld pixels; at most %d can be drawn",
                      picture->width, picture->height, pixels, FUM_MAX_PIXELS);
}

// Replaces the marks of options that were not given, and values that the library spells otherwise.
static void resolve_defaults(struct generate_options *options) {
    struct fum_generate_params *picture = &options->picture;
    if (picture->masked_padding <= 0) // the library's, or none
        picture->masked_padding = picture->masked_padding < 0 ? 0 : -1;
    if (isnan(picture->strength)) // the library's
        picture->strength = 0;
    else if (picture->strength == 0) // none
        picture->strength = -1;
    generate_options_add_seamless(options);
    picture->has_class = picture->class_label >= 0;
    picture->has_classifier_scale = !isnan(picture->classifier_scale);
    if (picture->guidance < 0) // the model's own
        picture->guidance = 0;
    else if (picture->guidance < 1) // none
        picture->guidance = 1;
    if (isnan(picture->eta)) // the sampler's own
        picture->eta = 0;
    else if (picture->eta <= 0) // none
        picture->eta = -1;
    if (picture->clip_skip < 0) picture->clip_skip = 0;
    if (options->pipeline.threads < 0) options->pipeline.threads = 0;
}

int generate_options_check(const struct cli_command *command, struct generate_options *options,
                           int argc, char **argv) {
    int status = check_autoencoder(command, options, &argc, &argv);
    if (status < 0) status = check_prompts(command, options, argc, argv);
    if (status < 0) status = check_grid(command, options);
    if (status < 0) status = check_classifier(command, options);
    if (status < 0) status = check_invert(command, options);
    if (status < 0) status = generate_options_check_pictures(command, options);
    if (status < 0) status = check_memory(command, options);
    if (status < 0) status = check_type(command, options);
    if (status < 0) status = check_sampling(command, options);
    if (status < 0) status = generate_options_read_freeu(command, options);
    if (status < 0) status = generate_options_read_cache(command, options);
    if (status < 0) status = check_upscaling(command, options);
    if (status < 0) status = check_guidance(command, options);
    if (status < 0) status = check_size(command, &options->picture);
    resolve_defaults(options);
    return status;
}
