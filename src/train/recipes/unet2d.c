// SPDX-License-Identifier: MIT
#include "train/recipes/unet2d.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "graph/graph.h"
#include "train/keys.h"

// The members of config.json that have a setting.
static const struct fum_key keys[] = {
    {"block_out_channels", FUM_KEY_INTS, 0, 0},
    {"down_block_types", FUM_KEY_STRINGS, 0, 0},
    {"up_block_types", FUM_KEY_STRINGS, 0, 0},
    {"layers_per_block", FUM_KEY_INT, 1, 64},
    {"attention_head_dim", FUM_KEY_INT, 1, 1 << 16},
    {"norm_num_groups", FUM_KEY_INT, 1, 1 << 16},
    {"norm_eps", FUM_KEY_REAL, 0, 1},
    {"act_fn", FUM_KEY_STRING, 0, 0},
    {"add_attention", FUM_KEY_BOOL, 0, 0},
    {"attn_norm_num_groups", FUM_KEY_INT, 1, 1 << 16},
    {"resnet_time_scale_shift", FUM_KEY_STRING, 0, 0},
    {"downsample_type", FUM_KEY_STRING, 0, 0},
    {"upsample_type", FUM_KEY_STRING, 0, 0},
    {"downsample_padding", FUM_KEY_INT, 0, 16},
    {"mid_block_scale_factor", FUM_KEY_REAL, 1e-6, 1e6},
    {"flip_sin_to_cos", FUM_KEY_BOOL, 0, 0},
    {"freq_shift", FUM_KEY_INT, 0, 1},
    {"center_input_sample", FUM_KEY_BOOL, 0, 0},
};

// Adds the kinds of blocks that the settings leave open: attention in the innermost level.
static void describe_blocks(struct fum_settings *s, cJSON *json) {
    const char *types[FUM_UNET_MAX_BLOCKS];
    int count = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "block_out_channels"));
    count = FUM_MIN(count, FUM_UNET_MAX_BLOCKS); // the configuration's reader refuses more
    static const char *const members[] = {"down_block_types", "up_block_types"};
    static const char *const plain[] = {"DownBlock2D", "UpBlock2D"};
    static const char *const attention[] = {"AttnDownBlock2D", "AttnUpBlock2D"};
    for (int way = 0; way < 2; way++) {
        if (cJSON_HasObjectItem(json, members[way])) continue;
        int innermost = way ? 0 : count - 1;
        for (int i = 0; i < count; i++) types[i] = i == innermost ? attention[way] : plain[way];
        fum_settings_put_words(s, json, members[way], types, count);
    }
}

static cJSON *describe_size(const struct fum_unet2d *unet) {
    const int both[] = {unet->height, unet->width};
    return unet->height == unet->width ? cJSON_CreateNumber(unet->width)
                                       : cJSON_CreateIntArray(both, 2);
}

static cJSON *describe_config(struct fum_settings *s, const struct fum_unet2d *unet,
                              const struct fum_unet2d_choice *choice) {
    cJSON *json = cJSON_CreateObject();
    const char *class_name = choice->class_name ? choice->class_name : "UNet2DModel";
    int outputs = unet->channels * choice->outputs;
    fum_settings_put(s, json, "_class_name", cJSON_CreateString(class_name));
    fum_settings_put(s, json, "sample_size", describe_size(unet));
    fum_settings_put(s, json, "in_channels", cJSON_CreateNumber(unet->channels));
    fum_settings_put(s, json, "out_channels", cJSON_CreateNumber(outputs));
    fum_settings_describe(s, "model", keys, FUM_COUNT(keys), json);
    describe_blocks(s, json);
    const char *embedding = choice->fourier ? "fourier" : "positional";
    fum_settings_put(s, json, "time_embedding_type", cJSON_CreateString(embedding));
    if (choice->class_embeds)
        fum_settings_put(s, json, "num_class_embeds", cJSON_CreateNumber(choice->class_embeds));
    if (choice->classes) fum_settings_put(s, json, "classes", cJSON_CreateNumber(choice->classes));
    if (choice->clean) fum_settings_put(s, json, "noisy", cJSON_CreateFalse());
    return json;
}

void fum_unet2d_configure(struct fum_training *t, struct fum_unet2d *unet,
                          const struct fum_unet2d_choice *choice) {
    struct fum_settings *s = &t->settings;
    struct fum_error err;
    const struct fum_vq_config *vqvae = unet->vqvae = choice->vqvae;
    int factor = vqvae ? fum_vae_factor(&vqvae->vae) : 1;
    unet->width = t->width / factor;
    unet->height = t->height / factor;
    unet->channels = vqvae ? vqvae->vae.code_channels : t->channels;
    cJSON *json = describe_config(s, unet, choice);
    if (!s->result && fum_unet2d_config_parse(&unet->config, json, "section [model]", &err)) {
        s->err = err;
        s->result = err.code;
    }
    unet->json = fum_settings_json(s, json);
}

fum_tensor *fum_unet2d_images(struct fum_micro_batch *m, const struct fum_unet2d *unet) {
    const struct fum_training *t = m->training;
    const struct fum_vq_config *vqvae = unet->vqvae;
    const struct fum_train_value value = {
        "x", {3, {t->height, t->width, t->channels}}, FUM_TRAIN_PLANES};
    fum_tensor *x = fum_train_images(m, &value);
    if (!vqvae || !x) return x;
    fum_tensor *z = fum_vq_encode(m->graph, vqvae, "vqvae.", fum_nn_stored(&m->nn, x));
    return z ? fum_vae_scale(m->graph, &vqvae->vae, fum_train_f32(m, z)) : NULL;
}

fum_tensor *fum_unet2d_noise(struct fum_micro_batch *m, const struct fum_unet2d *unet) {
    const struct fum_train_value noise = {
        "noise", {3, {unet->height, unet->width, unet->channels}}, FUM_TRAIN_PLANES};
    return fum_train_normal(m, &noise);
}

fum_tensor *fum_unet2d_predict(struct fum_micro_batch *m, const struct fum_unet2d *unet,
                               fum_tensor *x, fum_tensor *times, fum_tensor *labels) {
    struct fum_unet_params params = {.x = x, .timesteps = times};
    if (labels)
        params.class_labels =
            fum_nn_reshape(&m->nn, NULL, labels, (struct fum_shape){2, {1, m->batch}});
    return fum_train_f32(m, fum_unet_build(m->graph, &unet->config, &params));
}

fum_tensor *fum_unet2d_each(struct fum_micro_batch *m, fum_tensor *numbers) {
    return fum_nn_reshape(&m->nn, NULL, numbers, (struct fum_shape){4, {m->batch, 1, 1, 1}});
}

// ---- saving ----

static enum fum_result save_text(struct fum_training *t, const char *dir, const char *name,
                                 const char *text, struct fum_error *err) {
    char *path = fum_path_join(t->arena, dir, name);
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %s", name);
    enum fum_result result = fum_path_make_dirs(dir, err);
    return result ? result : fum_file_save(path, text, strlen(text), err);
}

static void add_part(struct fum_settings *s, cJSON *json, const char *name,
                     const char *class_name) {
    const char *const words[] = {"diffusers", class_name};
    fum_settings_put_words(s, json, name, words, 2);
}

static enum fum_result save_index(struct fum_training *t, const struct fum_unet2d *unet,
                                  const struct fum_unet2d_folder *folder, const char *dir,
                                  struct fum_error *err) {
    char *path = fum_path_join(t->arena, dir, "model_index.json");
    struct fum_settings *s = &t->settings;
    cJSON *json = path ? cJSON_CreateObject() : NULL;
    if (!json) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    fum_settings_put(s, json, "_class_name", cJSON_CreateString(folder->pipeline));
    add_part(s, json, "scheduler", folder->scheduler);
    add_part(s, json, "unet", "UNet2DModel");
    if (unet->vqvae) add_part(s, json, "vqvae", "VQModel");
    return fum_train_save_json(path, fum_settings_described(s, json), err);
}

enum fum_result fum_unet2d_save(struct fum_training *t, const struct fum_unet2d *unet,
                                const struct fum_unet2d_folder *folder, const char *dir,
                                struct fum_error *err) {
    char *network = fum_path_join(t->arena, dir, "unet"),
         *scheduler = fum_path_join(t->arena, dir, "scheduler"), *weights = NULL;
    if (network) weights = fum_path_join(t->arena, network, "diffusion_pytorch_model.safetensors");
    if (!weights || !scheduler) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    enum fum_result result =
        save_text(t, scheduler, "scheduler_config.json", folder->scheduler_json, err);
    if (!result) result = save_text(t, network, "config.json", unet->json, err);
    if (!result) result = fum_train_save_weights(t, weights, "", err);
    if (result || !folder->pipeline) return result;
    return save_index(t, unet, folder, dir, err);
}
