// SPDX-License-Identifier: MIT
// Recognises files that are no checkpoint by the names of their tensors.
#include "model/checkpoint.h"

#include "base/error.h"
#include "base/macros.h"
#include "model/names.h"

#include <string.h>

static const char adapter[] = "give it to --lora, beside a model",
                  control[] = "give it to --control-net, beside a model",
                  upscaler[] = "give it to fumarole upscale, or to --upscale-model",
                  inversion[] = "give its folder to --embd-dir, beside a model";

// How a tensor's name starts or ends in files of other kinds. The first that fits counts.
static const struct other {
    const char *start, *end;   // NULL: any
    const char *what, *advice; // advice NULL: there is no use for it yet
} others[] = {
    {"model.diffusion_model.joint_blocks.", NULL, "a Stable Diffusion 3 model", NULL},
    {"joint_blocks.", NULL, "a Stable Diffusion 3 model", NULL},
    {"model.diffusion_model.double_blocks.", NULL, "a FLUX model", NULL},
    {"double_blocks.", NULL, "a FLUX model", NULL},
    {"control_model.", NULL, "a ControlNet", control},
    {"input_hint_block.", NULL, "a ControlNet", control},
    {"controlnet_cond_embedding.", NULL, "a ControlNet", control},
    {"adapter.", ".block1.weight", "a T2I-adapter", control},
    {"body.0.", ".block1.weight", "a T2I-adapter", control},
    {"params_ema.", NULL, "an upscaler", upscaler},
    {"body.0.", NULL, "an upscaler", upscaler},
    {"RRDB_trunk.", NULL, "an upscaler", upscaler},
    {"model.1.sub.", NULL, "an upscaler", upscaler},
    {"lora_unet_", NULL, "a LoRA", adapter},
    {"lora_te_", NULL, "a LoRA", adapter},
    {"lora_te1_", NULL, "a LoRA", adapter},
    {"lora_te2_", NULL, "a LoRA", adapter},
    {"base_model.model.", NULL, "an adapter of PEFT", adapter},
    {NULL, ".lora_A.weight", "a LoRA", adapter},
    {NULL, ".lora_down.weight", "a LoRA", adapter},
    {NULL, ".lora.down.weight", "a LoRA", adapter},
    {NULL, "_lora.down.weight", "a LoRA", adapter},
    {NULL, ".lora_linear_layer.down.weight", "a LoRA", adapter},
    {NULL, ".hada_w1_a", "a LoHa", adapter},
    {NULL, ".lokr_w1", "a LoKr", adapter},
    {NULL, ".lokr_w1_a", "a LoKr", adapter},
    {NULL, ".ia3_l", "an IA3", adapter},
    {NULL, ".on_input", "an IA3", adapter},
    {"unet.down_blocks.", NULL, "a LoRA, or a UNet on its own", adapter},
    {"model.diffusion_model.input_blocks.1.0.temporal", NULL, "a video model", NULL},
    {"emb_params", NULL, "a textual inversion", inversion},
    {"string_to_param.", NULL, "a textual inversion", inversion},
    {"clip_g", "clip_g", "a textual inversion", inversion},
};

static bool has_name(const fum_loader *loader, const struct other *o) {
    if (!o->end) return fum_loader_count_prefix(loader, o->start, NULL) > 0;
    size_t end = strlen(o->end);
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const char *name = fum_loader_at(loader, i)->name;
        size_t length = strlen(name);
        if (o->start && strncmp(name, o->start, strlen(o->start))) continue;
        if (length >= end && !strcmp(name + length - end, o->end)) return true;
    }
    return false;
}

static const struct other *find_other(const fum_loader *loader) {
    static const struct other tiny = {NULL, NULL, "a small autoencoder",
                                      "give it to --taesd, beside a model"};
    for (size_t i = 0; i < FUM_COUNT(others); i++)
        if (has_name(loader, &others[i])) return &others[i];
    return fum_tiny_find_style(loader) ? &tiny : NULL;
}

enum fum_result fum_checkpoint_refuse_others(const char **other, const fum_loader *loader,
                                             struct fum_error *err) {
    static const char *const components[] = {"down_blocks.", "text_model.", "decoder.mid_block."};
    const char *path = fum_loader_path(loader);
    const struct other *o = find_other(loader);
    *other = o ? o->what : NULL;
    if (o)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: this is %s, %s", path, o->what,
                             o->advice ? o->advice : "which generate cannot use yet");
    for (size_t i = 0; i < FUM_COUNT(components); i++)
        if (fum_loader_count_prefix(loader, components[i], NULL) > 0)
            return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                 "%s: this is one component of a diffusers folder; give the folder "
                                 "that holds it and the others",
                                 path);
    return FUM_OK;
}
