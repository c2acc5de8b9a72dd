// SPDX-License-Identifier: MIT
#include "model/random_model.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/rng.h"
#include "graph/graph.h"
#include "model/components.h"
#include "weights/packing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- the models ----

// Configurations as in the checkpoints' config.json, of the keys whose defaults differ.
struct random_model {
    const char *name, *family;
    const char *text[FUM_MODEL_MAX_TEXT], *unet, *vae;
    bool projected[FUM_MODEL_MAX_TEXT];
    int size; // 0: the family's
};

#define CLIP_L                                                                        \
    "{\"hidden_size\": 768, \"intermediate_size\": 3072, \"num_hidden_layers\": 12, " \
    "\"num_attention_heads\": 12}"
#define FOUR_LEVELS                                                                              \
    "\"block_out_channels\": [320, 640, 1280, 1280], \"down_block_types\": "                     \
    "[\"CrossAttnDownBlock2D\", "                                                                \
    "\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\", \"DownBlock2D\"], \"up_block_types\": " \
    "[\"UpBlock2D\", "                                                                           \
    "\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\"]"
#define VAE(scale)                                                             \
    "{\"block_out_channels\": [128, 256, 512, 512], \"layers_per_block\": 2, " \
    "\"scaling_factor\": " scale "}"

static const struct random_model models[] = {
    {.name = "emoji",
     .family = "sd-custom",
     .text = {"{\"vocab_size\": 2813, \"max_position_embeddings\": 24, \"hidden_size\": 160, "
              "\"intermediate_size\": 640, \"num_hidden_layers\": 4, \"num_attention_heads\": 5, "
              "\"eos_token_id\": 2}"},
     .unet = "{\"block_out_channels\": [64, 128, 192], \"layers_per_block\": 1, "
             "\"attention_head_dim\": [2, 4, 6], \"cross_attention_dim\": 160, "
             "\"norm_num_groups\": 16, \"down_block_types\": [\"DownBlock2D\", "
             "\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\"], \"up_block_types\": "
             "[\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"UpBlock2D\"]}",
     .vae = "{\"block_out_channels\": [16, 32, 64, 96], \"layers_per_block\": 1, "
            "\"norm_num_groups\": 8, \"scaling_factor\": 1}",
     .size = 128},
    {.name = "sd1.5",
     .family = "sd1",
     .text = {CLIP_L},
     .unet = "{" FOUR_LEVELS ", \"cross_attention_dim\": 768}",
     .vae = VAE("0.18215")},
    {.name = "sd2.1",
     .family = "sd2",
     .text = {"{\"hidden_size\": 1024, \"intermediate_size\": 4096, \"num_hidden_layers\": 23, "
              "\"num_attention_heads\": 16, \"hidden_act\": \"gelu\"}"},
     .unet = "{" FOUR_LEVELS ", \"cross_attention_dim\": 1024, \"attention_head_dim\": [5, 10, 20, "
             "20], \"use_linear_projection\": true}",
     .vae = VAE("0.18215")},
    {.name = "sdxl",
     .family = "sdxl",
     .text = {CLIP_L,
              "{\"hidden_size\": 1280, \"intermediate_size\": 5120, \"num_hidden_layers\": 32, "
              "\"num_attention_heads\": 20, \"hidden_act\": \"gelu\", \"projection_dim\": 1280, "
              "\"architectures\": [\"CLIPTextModelWithProjection\"]}"},
     .projected = {false, true},
     .unet = "{\"block_out_channels\": [320, 640, 1280], \"down_block_types\": [\"DownBlock2D\", "
             "\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\"], \"up_block_types\": "
             "[\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"UpBlock2D\"], "
             "\"transformer_layers_per_block\": [1, 2, 10], \"attention_head_dim\": [5, 10, 20], "
             "\"cross_attention_dim\": 2048, \"use_linear_projection\": true, "
             "\"addition_embed_type\": \"text_time\", \"addition_time_embed_dim\": 256, "
             "\"projection_class_embeddings_input_dim\": 2816}",
     .vae = VAE("0.13025")},
};
enum { NUM_MODELS = FUM_COUNT(models) };

const char *fum_random_model_name(int index) {
    return index >= 0 && index < NUM_MODELS ? models[index].name : NULL;
}

// ---- weights ----

// Every tensor of a component, by name; tensors of the same spread are the same numbers, as far as
// each goes.
struct random_tensor {
    const char *name;
    struct fum_view view;
    double mean, spread;
};
struct random_weights {
    struct random_tensor *tensors;
    size_t count;
};

static int by_name(const void *a, const void *b) {
    const struct random_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static bool find_tensor(void *user, const char *name, struct fum_view *view) {
    const struct random_weights *w = user;
    struct random_tensor key = {.name = name};
    const struct random_tensor *t = bsearch(&key, w->tensors, w->count, sizeof key, by_name);
    if (t) *view = t->view;
    return t != NULL;
}

struct fum_view fum_random_model_view(const struct fum_weight *weight) {
    struct fum_view view = weight->packing->file_view(&weight->desc.shape);
    view.dtype = FUM_F16;
    return view;
}

static struct random_tensor describe_weight(const struct fum_weight *t, const char *name) {
    struct random_tensor out = {.name = name, .view = fum_random_model_view(t), .spread = 0.02};
    bool bias = strstr(name, "bias") != NULL, embedding = strstr(name, "embedding.weight") != NULL;
    if (out.view.rank == 1) {
        out.mean = bias ? 0 : 1;
    } else if (!embedding) { // uniform within ±1/sqrt(inputs) has this spread
        double inputs = (double)fum_view_count(&out.view) / (double)out.view.dim[0];
        out.spread = inputs > 0 ? 1 / sqrt(3 * inputs) : 1;
    }
    return out;
}

// Makes `count` values: some are drawn, then those repeat. Their number is prime, so rows differ.
static void *make_values(fum_arena *arena, int64_t count, double mean, double spread) {
    enum { DRAWN = 65521 };
    uint16_t *values = fum_arena_alloc(arena, (size_t)count, sizeof *values);
    float *drawn = fum_alloc(DRAWN, sizeof *drawn);
    if (values && drawn) {
        struct fum_rng rng;
        size_t all = (size_t)count, first = all < DRAWN ? all : DRAWN;
        fum_rng_init(&rng, FUM_RNG_CUDA, 1);
        fum_rng_normal(&rng, drawn, DRAWN);
        for (size_t i = 0; i < DRAWN; i++) drawn[i] = (float)(mean + spread * (double)drawn[i]);
        fum_convert_from_f32(values, FUM_F16, drawn, first);
        for (size_t at = first; at < all; at += first)
            memcpy(values + at, values, (all - at < first ? all - at : first) * sizeof *values);
    }
    fum_free(drawn);
    return drawn ? values : NULL;
}

// Makes one array for each spread, as long as the largest tensor that has it.
static bool share_values(fum_arena *arena, struct random_weights *w) {
    for (size_t i = 0; i < w->count; i++) {
        struct random_tensor *t = &w->tensors[i];
        int64_t most = 0;
        if (t->view.data) continue;
        for (size_t k = i; k < w->count; k++) {
            struct random_tensor *other = &w->tensors[k];
            if (other->spread == t->spread && other->mean == t->mean &&
                (int64_t)fum_view_count(&other->view) > most)
                most = (int64_t)fum_view_count(&other->view);
        }
        void *values = make_values(arena, most, t->mean, t->spread);
        if (!values) return false;
        for (size_t k = i; k < w->count; k++) {
            struct random_tensor *other = &w->tensors[k];
            if (other->spread == t->spread && other->mean == t->mean) other->view.data = values;
        }
    }
    return true;
}

// Describes the weights of a node. False when memory is out.
static bool describe_parts(struct random_weights *w, fum_arena *arena, const fum_tensor *t) {
    const struct fum_weight weight = fum_tensor_weight(t);
    for (int k = 0; k < fum_weight_parts(&weight); k++) {
        const struct fum_weight part = fum_weight_part(&weight, k);
        const char *name = fum_arena_strdup(arena, part.name);
        if (!name) return false;
        w->tensors[w->count++] = describe_weight(&part, name);
    }
    return true;
}

// Describes the weights of a graph, in the order of their names. NULL when memory is out.
static struct random_weights *describe_weights(fum_arena *arena, const fum_graph *g) {
    struct random_weights *w = fum_arena_alloc(arena, 1, sizeof *w);
    size_t parts = 0;
    for (int i = 0; i < g->count; i++) {
        const struct fum_weight weight = fum_tensor_weight(g->tensors[i]);
        if (g->tensors[i]->kind == FUM_TENSOR_WEIGHT) parts += (size_t)fum_weight_parts(&weight);
    }
    if (w) w->tensors = fum_arena_alloc(arena, parts, sizeof *w->tensors);
    if (!w || !w->tensors) return NULL;
    for (int i = 0; i < g->count; i++)
        if (g->tensors[i]->kind == FUM_TENSOR_WEIGHT && !describe_parts(w, arena, g->tensors[i]))
            return NULL;
    qsort(w->tensors, w->count, sizeof *w->tensors, by_name);
    return w;
}

static enum fum_result make_weights(struct fum_weight_source *source, const fum_model *model,
                                    const char *component, struct fum_error *err) {
    fum_graph *g = NULL;
    struct random_weights *w = NULL;
    enum fum_result result = fum_graph_create(&g, FUM_F32, err);
    if (result) return result;
    fum_model_build_component(g, model, component);
    if ((result = fum_graph_check(g, err))) goto done;
    w = describe_weights(model->arena, g);
    if (!w || !share_values(model->arena, w))
        result =
            fum_error_set(err, FUM_ERR_NOMEM, "no memory for the random weights of %s", component);
    *source = (struct fum_weight_source){.find = find_tensor, .user = w};
done:
    fum_graph_destroy(&g);
    return result;
}

// ---- the model ----

static enum fum_result parse_text(fum_model *model, const struct random_model *m, int which,
                                  struct fum_error *err) {
    static const char vocab[] = "{\"<|startoftext|>\": 0, \"<|endoftext|>\": 1}";
    static const char merges[] = "#version: 0.2\n";
    struct fum_model_text *text = &model->view.text[which];
    cJSON *json = NULL;
    enum fum_result result =
        fum_json_parse(&json, m->text[which], strlen(m->text[which]), m->name, err);
    if (!result)
        result = fum_clip_config_parse(&text->config, json, m->projected[which], m->name, err);
    cJSON_Delete(json);
    text->tokens = text->config.positions;
    text->component = fum_model_roles[which].name;
    text->with_projection = m->projected[which];
    if (!result)
        result = fum_tokenizer_create(
            &model->tokenizers[which],
            &(struct fum_tokenizer_texts){vocab, strlen(vocab), merges, strlen(merges)}, NULL, err);
    text->tokenizer = model->tokenizers[which];
    model->view.num_text++;
    return result;
}

static enum fum_result parse_pictures(fum_model *model, const struct random_model *m,
                                      struct fum_error *err) {
    cJSON *unet = NULL, *vae = NULL;
    enum fum_result result = fum_json_parse(&unet, m->unet, strlen(m->unet), m->name, err);
    if (!result) result = fum_json_parse(&vae, m->vae, strlen(m->vae), m->name, err);
    if (!result) result = fum_unet_config_parse(&model->view.unet, unet, m->name, err);
    if (!result) result = fum_vae_config_parse(&model->view.vae, vae, m->name, err);
    cJSON_Delete(unet);
    cJSON_Delete(vae);
    return result;
}

static void fill_info(fum_model *model, const struct random_model *m) {
    const struct fum_family *family = fum_family_find(m->family);
    int factor = fum_vae_factor(&model->view.vae), size = m->size ? m->size : family->size;
    model->view.schedule = fum_sample_config_sd();
    model->view.sampler = "euler";
    model->view.traits = family->traits;
    model->view.traits.skip_base = family->folder_skip;
    model->view.traits.vae_overflows_f16 = false; // random weights do not
    model->info = (struct fum_model_info){.path = m->name,
                                          .name = m->name,
                                          .family = family->title,
                                          .description = "random weights",
                                          .license = "",
                                          .origin = "",
                                          .prediction = "epsilon",
                                          .sampler = "euler",
                                          .takes_prompt = true,
                                          .width = size,
                                          .height = size,
                                          .size_multiple = factor,
                                          .steps = family->steps,
                                          .guidance = family->guidance,
                                          .clip_skip = 1};
}

enum fum_result fum_random_model_create(fum_model **out, const char *name, struct fum_error *err) {
    const struct random_model *m = NULL;
    *out = NULL;
    for (int i = 0; i < NUM_MODELS; i++)
        if (!strcmp(models[i].name, name)) m = &models[i];
    if (!m)
        return fum_error_set(err, FUM_ERR_ARG, "there are no random weights for a model \"%s\"",
                             name);
    fum_model *model = fum_calloc(1, sizeof *model);
    if (model) model->arena = fum_arena_create();
    if (!model || !model->arena) {
        fum_free(model);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a random model");
    }
    enum fum_result result = FUM_OK;
    for (int i = 0; i < FUM_MODEL_MAX_TEXT && m->text[i] && !result; i++)
        result = parse_text(model, m, i, err);
    if (!result) result = parse_pictures(model, m, err);
    if (!result) fill_info(model, m);
    struct fum_model_view *v = &model->view;
    for (int i = 0; i < v->num_text && !result; i++)
        result = make_weights(&v->text[i].weights, model, v->text[i].component, err);
    if (!result) result = make_weights(&v->unet_weights, model, "unet", err);
    if (!result) result = make_weights(&v->vae_weights, model, "vae", err);
    if (result) fum_model_destroy(&model);
    *out = model;
    return result;
}

static uint64_t count_parameters(const struct fum_weight_source *source) {
    const struct random_weights *w = source->user;
    uint64_t sum = 0;
    for (size_t i = 0; i < w->count; i++) sum += fum_view_count(&w->tensors[i].view);
    return sum;
}

uint64_t fum_random_model_parameters(const fum_model *model) {
    const struct fum_model_view *v = &model->view;
    uint64_t sum = count_parameters(&v->unet_weights) + count_parameters(&v->vae_weights);
    for (int i = 0; i < v->num_text; i++) sum += count_parameters(&v->text[i].weights);
    return sum;
}
