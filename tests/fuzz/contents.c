// SPDX-License-Identifier: MIT
// libFuzzer target of files that hold no whole model. Their tensors have the names of adapters,
// embeddings, VAEs, ControlNets, networks that enlarge pictures and components, and any shape.
#include "choices.h"
#include "damage.h"
#include "fitted.h"
#include "fitted_parts.h"

#include <fumarole/contents.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Names that occur together, and their usual shapes.
struct tensor {
    const char *name;
    int rank, dim[4];
};
static const struct tensor adapter[] = {
    {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight",
     2,
     {2, 768}},
    {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight",
     2,
     {4, 2}},
    {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.alpha", 0, {0}},
    {"lora_te_text_model_encoder_layers_0_mlp_fc1.hada_w1_b", 2, {2, 8}},
    {"lora_te_text_model_encoder_layers_0_mlp_fc1.lokr_w2", 2, {4, 2}},
    {"unet.mid_block.attentions.0.proj_in.lora_A.weight", 2, {2, 4}},
    {"lora_unet_mid_block_resnets_0_conv1.dora_scale", 4, {4, 1, 1, 1}},
    {0},
};
static const struct tensor embedding[] = {
    {"emb_params", 2, {3, 768}}, {"clip_l", 2, {2, 768}}, {"clip_g", 2, {2, 1280}}, {0}};
static const struct tensor control[] = {
    {"controlnet_cond_embedding.conv_in.weight", 4, {8, 3, 3, 3}},
    {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", 2, {4, 768}},
    {"input_hint_block.0.weight", 4, {8, 3, 3, 3}},
    {"conv_in.weight", 4, {4, 4, 3, 3}},
    {"body.0.block1.weight", 4, {4, 4, 3, 3}},
    {0},
};
static const struct tensor tiny[] = {
    {"decoder.layers.0.weight", 4, {4, 4, 3, 3}},
    {"decoder.layers.0.bias", 1, {4}},
    {"decoder.layers.2.conv.0.weight", 4, {4, 4, 3, 3}},
    {"decoder.layers.4.weight", 4, {4, 4, 3, 3}},
    {"decoder.layers.5.weight", 4, {3, 4, 3, 3}},
    {"decoder.layers.5.bias", 1, {3}},
    {"encoder.layers.0.weight", 4, {4, 3, 3, 3}},
    {"encoder.layers.1.pool.0.weight", 4, {16, 4, 1, 1}},
    {0},
};
static const struct tensor vae[] = {
    {"decoder.mid_block.resnets.0.conv1.weight", 4, {4, 4, 3, 3}},
    {"decoder.up_blocks.0.resnets.0.conv1.weight", 4, {64, 4, 3, 3}},
    {"decoder.up_blocks.0.resnets.1.conv1.weight", 4, {64, 4, 3, 3}},
    {"decoder.up_blocks.1.resnets.0.conv1.weight", 4, {32, 4, 3, 3}},
    {"decoder.conv_in.weight", 4, {4, 4, 3, 3}},
    {"decoder.conv_out.weight", 4, {3, 4, 3, 3}},
    {"decoder.mid.block_1.conv1.weight", 4, {4, 4, 3, 3}},
    {0},
};
static const struct tensor upscaler[] = {
    {"conv_first.weight", 4, {4, 3, 3, 3}},
    {"body.0.rdb1.conv1.weight", 4, {2, 4, 3, 3}},
    {"body.0.weight", 4, {4, 3, 3, 3}},
    {"body.1.weight", 1, {4}},
    {"body.2.weight", 4, {12, 4, 3, 3}},
    {"model.0.weight", 4, {4, 3, 3, 3}},
    {0},
};
static const struct tensor component[] = {
    {"conv_in.weight", 4, {4, 4, 3, 3}},
    {"conv_out.weight", 4, {4, 4, 3, 3}},
    {"down_blocks.0.resnets.0.conv1.weight", 4, {4, 4, 3, 3}},
    {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", 2, {4, 768}},
    {"text_model.final_layer_norm.weight", 1, {8}},
    {"text_model.embeddings.token_embedding.weight", 2, {9, 8}},
    {"text_model.embeddings.position_embedding.weight", 2, {4, 8}},
    {"text_model.encoder.layers.0.mlp.fc1.weight", 2, {8, 8}},
    {0},
};
static const struct tensor *const sets[] = {adapter, embedding, control,  tiny,
                                            vae,     upscaler,  component};
enum { SETS = sizeof sets / sizeof *sets, MAX_HEADER = 8192 };

// A file while it is made.
struct file {
    char header[MAX_HEADER];
    size_t used, bytes; // of the header, and of the tensors
};

// Adds a tensor of f32, or of bytes, whose shape may differ from the usual one.
static void add_tensor(struct file *f, const struct tensor *t, struct choices *c) {
    char shape[64] = "";
    size_t count = 1;
    int rank = one_in(c, 8) ? (int)choose(c, 5) : t->rank;
    for (int i = 0; i < rank; i++) {
        int dim = one_in(c, 6) ? (int)choose(c, 40) : t->dim[i];
        size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, "%s%d", i ? "," : "", dim);
        count *= (size_t)dim;
    }
    if (count > 1 << 20) return;
    size_t bytes = count * (one_in(c, 5) ? 1 : 4);
    int n = snprintf(f->header + f->used, MAX_HEADER - f->used,
                     "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                     f->used > 1 ? "," : "", t->name, bytes == count ? "F8_E4M3" : "F32", shape,
                     f->bytes, f->bytes + bytes);
    f->used += (size_t)n;
    f->bytes += bytes;
}

static void make_file(struct file *f, struct choices *c) {
    *f = (struct file){.header = "{", .used = 1};
    for (const struct tensor *t = sets[choose(c, SETS)]; t->name; t++)
        if (!one_in(c, 6)) add_tensor(f, t, c);
    f->header[f->used++] = '}';
}

static void save_file(const struct file *f) {
    uint64_t length = f->used;
    char *all = calloc(8 + f->used + f->bytes, 1);
    if (!all) abort();
    memcpy(all, &length, 8);
    memcpy(all + 8, f->header, f->used);
    damage_save("contents.safetensors", all, 8 + f->used + f->bytes);
    free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct file file;
    struct choices c = {data, size, 0};
    struct fum_error err = {0};
    fum_contents *contents = NULL;
    char path[512];
    make_file(&file, &c);
    save_file(&file);
    snprintf(path, sizeof path, "%s/contents.safetensors", fitted_folder());
    fitted_expect(fum_contents_open(&contents, path, &err), &err);
    const struct fum_contents_info *info = contents ? fum_contents_get_info(contents) : NULL;
    if (info && (!info->kind || !info->title || !info->tensors.tensors)) abort();
    for (int i = 0; info && i < info->num_facts; i++)
        if (!info->facts[i].name || !*info->facts[i].text) abort();
    fum_contents_close(&contents);
    return 0;
}
